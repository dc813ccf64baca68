import * as fs from 'node:fs/promises';
import type { ContainerSpec } from '../../../orchestrator/ports.ts';
import { errorCode } from './error-code.ts';

/** Name servers for who has none that containers can reach; Docker takes the same ones. */
const PUBLIC_SERVERS = ['8.8.8.8', '8.8.4.4'];

export interface HostFilesInput {
  spec: Pick<ContainerSpec, 'dnsServers' | 'dnsSearchDomains' | 'extraHosts'>;
  hostname: string;
  /** Its own address, when it has one. */
  address?: string;
  /** It shares the machine's network, and so its loopback. */
  isHostNetwork: boolean;
  /** Names of linked containers. */
  links: { name: string; address: string }[];
  machine: { resolv: string; hosts: string };
}

/** `/etc/hosts`, `/etc/resolv.conf` and `/etc/hostname` of a container. Pure. */
export function buildHostFiles(input: HostFilesInput): { hosts: string; resolv: string; hostname: string } {
  return { hosts: buildHosts(input), resolv: buildResolv(input), hostname: `${input.hostname}\n` };
}

function buildHosts({ spec, hostname, address, isHostNetwork, links, machine }: HostFilesInput): string {
  const own = isHostNetwork
    ? machine.hosts.trimEnd()
    : ['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback', `${address ?? '127.0.0.1'}\t${hostname}`].join('\n');
  const extra = spec.extraHosts.map((host) => `${host.ipAddress}\t${host.hostname}`);
  return [own, ...links.map((link) => `${link.address}\t${link.name}`), ...extra].map(oneLine).join('\n') + '\n';
}

function buildResolv({ spec, isHostNetwork, machine }: HostFilesInput): string {
  const lines = machine.resolv.split('\n').map((line) => line.trim());
  const given = spec.dnsServers.map((server) => `nameserver ${server}`);
  const found = lines.filter((line) => line.startsWith('nameserver ') && (isHostNetwork || !/\s(?:127\.|::1)/.test(line)));
  const servers = given.length > 0 ? given : found.length > 0 ? found : PUBLIC_SERVERS.map((server) => `nameserver ${server}`);
  const search =
    spec.dnsSearchDomains.length > 0
      ? [`search ${spec.dnsSearchDomains.join(' ')}`]
      : lines.filter((line) => line.startsWith('search ')).slice(0, 1);
  const options = lines.filter((line) => line.startsWith('options '));
  return [...servers, ...search, ...options].map(oneLine).join('\n') + '\n';
}

/** A value of a task definition is one value, and not several lines; only the machine's own file has more. */
function oneLine(text: string, index: number): string {
  return index === 0 ? text : text.replaceAll(/[\r\n]/g, ' ');
}

/** The machine's files; behind a resolver on its loopback, those that this one asks itself. */
export async function readMachineFiles(): Promise<HostFilesInput['machine']> {
  const resolv = await readText('/etc/resolv.conf');
  const stub = /^nameserver\s+127\.0\.0\.53/m.test(resolv) ? await readText('/run/systemd/resolve/resolv.conf') : '';
  return { resolv: stub === '' ? resolv : stub, hosts: await readText('/etc/hosts') };
}

async function readText(path: string): Promise<string> {
  try {
    return await fs.readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return '';
    throw error;
  }
}
