import { isJsonObject } from '../core/json.ts';
import type { AwsAccount } from './aws-account.ts';
import type { CommandContext } from './command.ts';

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];

/**
 * Tells the hosts in image names that lead to an account's registry: ECR's own of its region, and, where AWS_ENDPOINT_URL puts
 * something in Amazon's place, what that names its repositories by. Raises CommandFailure.
 */
export async function readRegistryHosts({ env }: CommandContext, account: AwsAccount): Promise<(host: string) => boolean> {
  const hosts = new Set<string>();
  if (env['AWS_ENDPOINT_URL'] || env['AWS_ENDPOINT_URL_ECR']) {
    hosts.add(account.endpoints.ecr.host);
    const { repositories } = await account.call('ecr', 'DescribeRepositories', { maxResults: 1 });
    const first = Array.isArray(repositories) ? repositories[0] : undefined;
    const uri = isJsonObject(first) ? first['repositoryUri'] : undefined;
    if (typeof uri === 'string') hosts.add(uri.split('/')[0] ?? '');
    for (const host of [...hosts]) {
      const name = LOOPBACK.find((one) => host.startsWith(`${one}:`));
      if (name !== undefined) for (const other of LOOPBACK) hosts.add(`${other}${host.slice(name.length)}`);
    }
  }
  const own = /^\d{12}\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\./;
  return (host) => own.exec(host)?.[1] === account.region || hosts.has(host);
}

/** `REPOSITORY`, with one of these hosts before it or not. */
export function repositoryWithoutHost(name: string, isHost: (host: string) => boolean): string {
  const slash = name.indexOf('/');
  return slash > 0 && isHost(name.slice(0, slash)) ? name.slice(slash + 1) : name;
}
