import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Server } from 'node:net';
import { ContainerError } from '../../../core/container-error.ts';
import type { ContainerSpec, ObservedContainer } from '../../../orchestrator/ports.ts';

type Binding = ObservedContainer['networkBindings'][number];

/** Where ECS takes dynamic ports from. */
const DYNAMIC = { first: 49_153, last: 65_535 };

/**
 * The machine's ports that containers are published at. Rules of the kernel lead there, which no other program sees: so each
 * port is also listened at, that neither another server nor anything else takes it for free. Nothing ever arrives there.
 */
export interface HostPorts {
  /** Claims a port for each mapping. Raises `CannotStartContainerError` when a fixed one is taken, or no dynamic one is left. */
  claim(mappings: ContainerSpec['portMappings']): Promise<Binding[]>;
  /** Claims what is published already, by an earlier life of this server. */
  take(bindings: Binding[]): void;
  release(bindings: Binding[]): void;
  close(): void;
}

type Protocol = Binding['protocol'];
type Listener = Pick<Server | Socket, 'close'>;

export function createHostPorts(): HostPorts {
  const taken = new Map<string, Promise<Listener | undefined>>();
  let last = DYNAMIC.first - 1;
  const keyOf = ({ protocol, hostPort }: Pick<Binding, 'protocol' | 'hostPort'>): string => `${protocol}/${hostPort}`;

  /** False when it is taken, by us or by any other program. */
  async function claimPort(protocol: Protocol, hostPort: number): Promise<boolean> {
    const key = keyOf({ protocol, hostPort });
    if (taken.has(key)) return false;
    const listening = listen(protocol, hostPort);
    taken.set(key, listening);
    if ((await listening) !== undefined) return true;
    taken.delete(key);
    return false;
  }

  async function claimOne({ containerPort, hostPort, protocol }: ContainerSpec['portMappings'][number]): Promise<Binding> {
    if (hostPort !== undefined && hostPort !== 0) {
      if (!(await claimPort(protocol, hostPort))) inUse(hostPort);
      return { bindIp: '0.0.0.0', containerPort, hostPort, protocol };
    }
    for (let tries = 0; tries <= DYNAMIC.last - DYNAMIC.first; tries++) {
      const candidate = (last = last >= DYNAMIC.last ? DYNAMIC.first : last + 1);
      if (await claimPort(protocol, candidate)) return { bindIp: '0.0.0.0', containerPort, hostPort: candidate, protocol };
    }
    throw new ContainerError('CannotStartContainerError', `no ${protocol} port from ${DYNAMIC.first} to ${DYNAMIC.last} is free`);
  }

  function release(key: string): void {
    void taken.get(key)?.then((listener) => listener?.close());
    taken.delete(key);
  }

  return {
    async claim(mappings) {
      const bindings: Binding[] = [];
      try {
        for (const mapping of mappings) bindings.push(await claimOne(mapping));
      } catch (error) {
        for (const binding of bindings) release(keyOf(binding));
        throw error;
      }
      return bindings;
    },
    take(bindings) {
      for (const binding of bindings) taken.set(keyOf(binding), listen(binding.protocol, binding.hostPort));
    },
    release: (bindings) => bindings.forEach((binding) => release(keyOf(binding))),
    close: () => [...taken.keys()].forEach(release),
  };
}

function inUse(port: number): never {
  throw new ContainerError(
    'CannotStartContainerError',
    `Bind for 0.0.0.0:${port} failed: port is already allocated. Choose another hostPort, or 0 for any that is free`,
  );
}

/** Undefined when another program has the port. It keeps no process running. */
function listen(protocol: Protocol, port: number): Promise<Listener | undefined> {
  return new Promise((resolve) => {
    if (protocol === 'tcp') {
      const server = createServer((connection) => connection.destroy());
      server.once('error', () => resolve(undefined));
      server.listen({ port, host: '0.0.0.0', exclusive: true, backlog: 1 }, () => resolve(server.unref()));
    } else {
      const socket = createSocket('udp4');
      socket.once('error', () => resolve(undefined));
      socket.bind({ port, address: '0.0.0.0', exclusive: true }, () => resolve(socket.unref()));
    }
  });
}
