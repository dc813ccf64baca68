import * as fs from 'node:fs/promises';
import { ContainerError } from '../../../core/container-error.ts';
import type { Logger } from '../../../core/logger.ts';
import { formatSubnet, gatewayOf, overlaps, parseSubnet, type Subnet } from './addresses.ts';
import { run, tryRun } from './run.ts';

/** One published port: what comes to the machine at `hostPort` goes to the container. */
export interface PublishedPort {
  protocol: 'tcp' | 'udp';
  hostPort: number;
  address: string;
  containerPort: number;
}

/** The bridge that the containers of one installation hang on, and the rules of the kernel that belong to it. */
export interface Bridge {
  readonly gateway: string;
  readonly subnet: Subnet;
  /** Makes a network namespace with this address on the bridge. */
  connect(namespace: string, link: string, address: string, mac: string): Promise<void>;
  disconnect(namespace: string): Promise<void>;
  publish(ports: PublishedPort[]): Promise<void>;
  unpublish(ports: PublishedPort[]): Promise<void>;
  /** Takes bridge and rules away. */
  remove(): Promise<void>;
}

export interface BridgeOptions {
  /** Up to 15 letters and digits; also the name of the table of rules. */
  name: string;
  subnet: Subnet;
  /** A port of this machine's loopback that containers reach at the gateway's address. */
  loopbackPort?: number;
  log: Logger;
}

/** Sets up the bridge, or finds it as it was. Raises `ContainerNetworkingError` where that is not permitted, or tools are missing. */
export async function openBridge({ name, subnet, loopbackPort, log }: BridgeOptions): Promise<Bridge> {
  const gateway = gatewayOf(subnet);
  await must('set up the bridge', async () => {
    if ((await tryRun('ip', ['link', 'show', name])).code !== 0) await run('ip', ['link', 'add', name, 'type', 'bridge']);
    await run('ip', ['-batch', '-'], {
      input: `addr replace ${gateway}/${subnet.prefix} dev ${name}\nlink set ${name} up\n`,
    });
    await fs.writeFile('/proc/sys/net/ipv4/ip_forward', '1');
    // Lets connections to this machine's own 127.0.0.1 reach published ports; the first rule below keeps containers from using it.
    await fs.writeFile(`/proc/sys/net/ipv4/conf/${name}/route_localnet`, '1');
    await run('nft', ['-f', '-'], { input: rulesOf(name, subnet, gateway, loopbackPort) });
    await passFirewall(name, log);
  });

  const elements = (action: 'add' | 'delete', ports: PublishedPort[]): string =>
    ports
      .map(({ protocol, hostPort, address, containerPort }) =>
        action === 'add'
          ? `add element ip ${name} ${protocol}_ports { ${hostPort} : ${address} . ${containerPort} }\n`
          : `delete element ip ${name} ${protocol}_ports { ${hostPort} }\n`,
      )
      .join('');

  return {
    gateway,
    subnet,
    connect: (namespace, link, address, mac) =>
      must('connect the container', async () => {
        await run('ip', ['-batch', '-'], {
          input: `netns add ${namespace}\nlink add ${link} type veth peer name eth0 netns ${namespace}\nlink set ${link} master ${name} up\nlink set ${link} type bridge_slave hairpin on\n`,
        });
        await run('ip', ['-n', namespace, '-batch', '-'], {
          input: `link set lo up\nlink set eth0 address ${mac}\nlink set eth0 up\naddr add ${address}/${subnet.prefix} dev eth0\nroute add default via ${gateway}\n`,
        });
      }),
    disconnect: (namespace) =>
      must('take the network away', async () => {
        const { code, stderr } = await tryRun('ip', ['netns', 'del', namespace]);
        if (code !== 0 && !/No such file/.test(stderr)) throw new Error(stderr.trim());
      }),
    publish: (ports) =>
      must('publish ports', async () => {
        if (ports.length > 0) await run('nft', ['-f', '-'], { input: elements('add', ports) });
      }),
    async unpublish(ports) {
      // One by one: what is gone already must not keep the rest.
      for (const port of ports) {
        const { code, stderr } = await tryRun('nft', ['-f', '-'], { input: elements('delete', [port]) });
        if (code !== 0 && !/No such file|does not exist/.test(stderr)) throw new Error(stderr.trim());
      }
    },
    async remove() {
      await tryRun('nft', ['delete', 'table', 'ip', name]);
      await tryRun('ip', ['link', 'del', name]);
      if ((await hasForwardFilter()) === 'iptables')
        for (const rule of forwardRules(name)) await tryRun('iptables', ['-w', '5', '-D', 'FORWARD', ...rule]);
    },
  };
}

/** A network of 65,534 addresses that no interface or route of this machine uses. Raises `ContainerNetworkingError`. */
export async function findFreeSubnet(): Promise<Subnet> {
  const used = await must('read the routes', async () =>
    (await run('ip', ['-4', 'route', 'show', 'table', 'all'])).split('\n').flatMap((line) => {
      const word = /^(?:(?:local|broadcast|unicast) )?(\d[\d.]*(?:\/\d+)?)/.exec(line)?.[1];
      const subnet = word === undefined ? undefined : parseSubnet(word.includes('/') ? word : `${word}/32`);
      return subnet === undefined ? [] : [subnet];
    }),
  );
  for (let second = 88; second < 256; second++) {
    const subnet = parseSubnet(`10.${second}.0.0/16`) as Subnet;
    if (!used.some((other) => overlaps(subnet, other))) return subnet;
  }
  throw new ContainerError('ContainerNetworkingError', 'no network from 10.88.0.0/16 to 10.255.0.0/16 is free on this machine');
}

function rulesOf(name: string, subnet: Subnet, gateway: string, loopbackPort: number | undefined): string {
  const network = formatSubnet(subnet);
  const publish = ['tcp', 'udp']
    .map((protocol) => `  fib daddr type local dnat ip to ${protocol} dport map @${protocol}_ports\n`)
    .join('');
  const loopback =
    loopbackPort === undefined
      ? ''
      : `  iifname "${name}" ip daddr ${gateway} tcp dport ${loopbackPort} dnat to 127.0.0.1:${loopbackPort}\n`;
  // Chains are emptied and written anew, so that a change of them takes effect; the maps keep what is published.
  return `add table ip ${name}
add map ip ${name} tcp_ports { type inet_service : ipv4_addr . inet_service ; }
add map ip ${name} udp_ports { type inet_service : ipv4_addr . inet_service ; }
add chain ip ${name} raw { type filter hook prerouting priority raw ; }
add chain ip ${name} prerouting { type nat hook prerouting priority dstnat ; }
add chain ip ${name} output { type nat hook output priority -100 ; }
add chain ip ${name} postrouting { type nat hook postrouting priority srcnat ; }
flush chain ip ${name} raw
flush chain ip ${name} prerouting
flush chain ip ${name} output
flush chain ip ${name} postrouting
table ip ${name} {
 chain raw {
  iifname "${name}" ip daddr 127.0.0.0/8 drop
 }
 chain prerouting {
${loopback}${publish} }
 chain output {
${publish} }
 chain postrouting {
  ip saddr ${network} oifname != "${name}" masquerade
  ip saddr 127.0.0.0/8 oifname "${name}" masquerade
  ip saddr ${network} ip daddr ${network} ct status dnat masquerade
 }
}
`;
}

function forwardRules(name: string): string[][] {
  return [
    ['-i', name, '-j', 'ACCEPT'],
    ['-o', name, '-j', 'ACCEPT'],
  ];
}

/** Docker leaves a firewall behind that lets nothing through which it does not know, other bridges' traffic included. */
async function passFirewall(name: string, log: Logger): Promise<void> {
  if ((await hasForwardFilter()) !== 'iptables') return;
  for (const rule of forwardRules(name)) {
    if ((await tryRun('iptables', ['-w', '5', '-C', 'FORWARD', ...rule])).code === 0) continue;
    const { code, stderr } = await tryRun('iptables', ['-w', '5', '-I', 'FORWARD', '1', ...rule]);
    if (code !== 0) log.warn('the firewall may keep containers from the network', { bridge: name, error: stderr.trim() });
  }
}

async function hasForwardFilter(): Promise<'iptables' | 'none'> {
  try {
    return (await tryRun('iptables', ['-w', '5', '-S', 'FORWARD'])).code === 0 ? 'iptables' : 'none';
  } catch {
    return 'none';
  }
}

async function must<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof ContainerError) throw error;
    throw new ContainerError(
      'ContainerNetworkingError',
      `cannot ${what}: ${error instanceof Error ? error.message : String(error)}. Bridges need root, iproute2 and nftables; network mode host needs none of them`,
      { cause: error },
    );
  }
}
