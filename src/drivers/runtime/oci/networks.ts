import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { ContainerError } from '../../../core/container-error.ts';
import type { Logger } from '../../../core/logger.ts';
import { formatIpv4, formatSubnet, gatewayOf, macOf, nextAddress, parseIpv4, parseSubnet, type Subnet } from './addresses.ts';
import { findFreeSubnet, openBridge, type Bridge, type PublishedPort } from './bridge.ts';
import { errorCode } from './error-code.ts';

/** A network namespace with an address of its own; everything that is needed to take it away again. */
export interface Attachment {
  namespace: string;
  link: string;
  address: string;
  mac: string;
}

export interface Networks {
  /** Chooses names and an address; nothing is made yet, so that it can be written down first. */
  plan(key: string): Promise<Attachment>;
  connect(attachment: Attachment): Promise<void>;
  disconnect(attachment: Attachment): Promise<void>;
  publish(ports: PublishedPort[]): Promise<void>;
  unpublish(ports: PublishedPort[]): Promise<void>;
  /** Notes what was there before the server started. */
  take(attachment: Attachment): void;
  /** Address of the bridge, set up if it was not. */
  gateway(): Promise<string>;
  /** Takes bridge and rules away when nothing hangs on it any more. */
  close(): Promise<void>;
}

export const NAMESPACE_FOLDER = '/run/netns';

export interface NetworksOptions {
  folder: string;
  loopbackPort: (() => number | undefined) | undefined;
  log: Logger;
}

export function createNetworks({ folder, loopbackPort, log }: NetworksOptions): Networks {
  const taken = new Set<string>();
  let last = 0;
  let opening: Promise<Bridge> | undefined;

  function bridge(): Promise<Bridge> {
    opening ??= open().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  }

  async function open(): Promise<Bridge> {
    const { name, subnet } = await settle(folder);
    const port = loopbackPort?.();
    return openBridge({ name, subnet, log, ...(port === undefined ? {} : { loopbackPort: port }) });
  }

  return {
    async plan(key) {
      const { subnet } = await bridge();
      const free = nextAddress(subnet, taken, last);
      if (free === undefined)
        throw new ContainerError('ContainerNetworkingError', `every address of ${formatSubnet(subnet)} is in use`);
      last = free;
      const address = formatIpv4(free);
      taken.add(address);
      const short = createHash('sha256').update(`${folder}\0${key}`).digest('hex');
      return { namespace: `holdfast-${short.slice(0, 24)}`, link: `hv${short.slice(0, 12)}`, address, mac: macOf(address) };
    },
    connect: async ({ namespace, link, address, mac }) => (await bridge()).connect(namespace, link, address, mac),
    async disconnect({ namespace, address }) {
      await (await bridge()).disconnect(namespace);
      taken.delete(address);
    },
    publish: async (ports) => (await bridge()).publish(ports),
    unpublish: async (ports) => (await bridge()).unpublish(ports),
    take({ address }) {
      taken.add(address);
      last = Math.max(last, parseIpv4(address) ?? 0);
    },
    gateway: async () => (await bridge()).gateway,
    async close() {
      if (opening !== undefined && taken.size === 0) await (await opening).remove();
    },
  };
}

/** Name and network of this installation's bridge: chosen once, so that addresses mean the same after a restart. */
async function settle(folder: string): Promise<{ name: string; subnet: Subnet }> {
  const path = `${folder}/network.json`;
  try {
    const saved = JSON.parse(await fs.readFile(path, 'utf8')) as { name: string; subnet: string };
    const subnet = parseSubnet(saved.subnet);
    if (subnet !== undefined) return { name: saved.name, subnet };
    damaged(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  const name = `hf${createHash('sha256').update(folder).digest('hex').slice(0, 10)}`;
  const subnet = await findFreeSubnet();
  await fs.writeFile(path, `${JSON.stringify({ name, subnet: formatSubnet(subnet), gateway: gatewayOf(subnet) })}\n`, {
    mode: 0o600,
  });
  return { name, subnet };
}

function damaged(path: string): never {
  throw new ContainerError('ContainerNetworkingError', `${path} names no network; remove the file, and a new one is chosen`);
}
