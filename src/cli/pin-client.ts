import { join } from 'node:path';
import { isLoopbackHost } from '../client/address.ts';
import { createAwsCaller, type AwsCaller } from '../client/aws-call.ts';
import { findAwsKeys, type AwsKeys } from '../client/credentials/aws-keys.ts';
import { createDockerConfigSource } from '../client/credentials/docker-config.ts';
import { createEcrSource } from '../client/credentials/ecr.ts';
import { createKeychain } from '../client/credentials/keychain.ts';
import type { ClientDependencies, ClientSettings } from '../client/registry-caller.ts';
import { createRegistryClient, type RegistryClient } from '../client/registry-client.ts';
import type { Clock } from '../core/clock.ts';
import { CommandFailure, UsageError, writeLine, type CommandContext, type CommandOption } from './command.ts';
import { printable } from './format.ts';
import { findServer, type ServerAddress } from './server-connection.ts';
import { holdfastVersion } from './version.ts';

/** The options of every command that asks registries. */
export const clientOptions: Record<string, CommandOption> = {
  'insecure-registry': {
    type: 'string',
    multiple: true,
    value: 'HOST',
    help: 'speak plain http to HOST[:PORT]; localhost needs no such entry',
  },
  'private-registry': {
    type: 'string',
    multiple: true,
    value: 'HOST',
    help: 'allow HOST[:PORT] to be on a private network although its name is a public one',
  },
  'token-host': {
    type: 'string',
    multiple: true,
    value: 'HOST=HOST',
    help: 'let a registry’s login go to this token server too',
  },
  concurrency: { type: 'string', value: 'COUNT', help: 'requests to one registry at once (default 32)' },
};

const HELPER_TIMEOUT = 30_000;

/** A clock from what a command is given; it has no other. */
export function clockOf(context: CommandContext): Clock {
  return { now: () => context.now(), monotonic: () => context.now() };
}

/** The registry client with the logins that this machine has: docker's, podman's, and AWS keys for ECR and for a Holdfast of one's own. */
export async function openClient(context: CommandContext, options: Record<string, unknown>): Promise<RegistryClient> {
  const { dependencies, settings } = await clientParts(context, options);
  return createRegistryClient(dependencies, settings);
}

/** What a client of registries is made of. */
export async function clientParts(
  context: CommandContext,
  options: Record<string, unknown>,
): Promise<{ dependencies: ClientDependencies; settings: ClientSettings }> {
  const { env } = context;
  const clock = clockOf(context);
  const docker = createDockerConfigSource(configPaths(env), { environment: env, timeout: HELPER_TIMEOUT });
  const server = await findOwnServer(context);
  const own = server && { host: server.registryHost, endpoint: server.url, region: server.region, keys: keysOf(server) };
  const insecure = [...strings(options['insecure-registry']), ...(own?.endpoint.protocol === 'http:' ? [own.host] : [])];
  const ecr = createEcrSource({
    findKeys: () => findAwsKeys(env),
    call: awsCaller(context, own?.endpoint),
    clock,
    ...(own ? { own } : {}),
  });
  const warn = (message: string): void => writeLine(context.stderr, `warning: ${printable(message)}`);
  return {
    dependencies: {
      keychain: createKeychain([docker, ecr], clock, warn),
      clock,
      wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
    },
    settings: {
      insecureHosts: insecure,
      // Whoever has logged in to a registry has said that it is theirs, wherever it stands.
      privateHosts: [
        ...strings(options['private-registry']),
        ...(await docker.hosts().catch(() => [])),
        ...(own ? [own.host] : []),
      ],
      realmHosts: tokenHosts(strings(options['token-host'])),
      concurrency: countOf(options['concurrency'], '--concurrency', 32, 256),
      userAgent: `holdfast/${holdfastVersion()}`,
    },
  };
}

export function awsCaller(context: CommandContext, endpoint: URL | undefined): AwsCaller & { close(): void } {
  return createAwsCaller(clockOf(context), {
    endpointHosts: endpoint ? [endpoint.host] : [],
    userAgent: `holdfast/${holdfastVersion()}`,
  });
}

/**
 * The person's own Holdfast, if one runs. A data folder that only happens to lie in the working directory may have come with
 * somebody's files: it is believed about this machine and nothing else.
 */
export async function findOwnServer(context: CommandContext): Promise<ServerAddress | undefined> {
  let server: ServerAddress;
  try {
    server = await findServer(context);
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    if (error.kind !== 'no-server') writeLine(context.stderr, `warning: ${printable(error.message)}`);
    return undefined;
  }
  const isNamed = Boolean(context.env['HOLDFAST_DATA'] || context.env['AWS_ENDPOINT_URL']);
  return isNamed || (isLoopbackHost(server.url.host) && isLoopbackHost(server.registryHost)) ? server : undefined;
}

/** The keys of a server address, if it has some. */
export function keysOf({ accessKeyId, secretAccessKey, sessionToken }: ServerAddress): AwsKeys | undefined {
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

/** The files that docker and podman keep logins in. */
export function configPaths(env: CommandContext['env']): string[] {
  const folder = env['DOCKER_CONFIG'] || (env['HOME'] ? join(env['HOME'], '.docker') : undefined);
  return [
    ...(folder ? [join(folder, 'config.json')] : []),
    ...(env['REGISTRY_AUTH_FILE'] ? [env['REGISTRY_AUTH_FILE']] : []),
    ...(env['XDG_RUNTIME_DIR'] ? [join(env['XDG_RUNTIME_DIR'], 'containers', 'auth.json')] : []),
  ];
}

function tokenHosts(pairs: string[]): Map<string, string> {
  return new Map(
    pairs.map((pair): [string, string] => {
      const [registry = '', token = '', ...rest] = pair.split('=');
      if (registry === '' || token === '' || rest.length > 0)
        throw new UsageError(`--token-host wants REGISTRY=TOKENHOST, not "${printable(pair)}".`);
      return [registry, token];
    }),
  );
}

/** An option that may be given many times. */
export function strings(value: unknown): string[] {
  return Array.isArray(value) ? (value as string[]) : [];
}

/** Raises UsageError unless it is a whole number from 1 to `most`. */
export function countOf(value: unknown, option: string, fallback: number, most: number): number {
  if (value === undefined) return fallback;
  const count = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : 0;
  if (count < 1 || count > most) throw new UsageError(`${option} wants a number from 1 to ${most}.`);
  return count;
}
