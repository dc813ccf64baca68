import { createServer } from 'node:net';
import { createSocket } from 'node:dgram';
import { ContainerError } from '../../../core/container-error.ts';
import type { ContainerSpec, ObservedContainer } from '../../../orchestrator/ports.ts';

type Binding = ObservedContainer['networkBindings'][number];

/** Where ECS takes dynamic ports from. */
const DYNAMIC = { first: 49_153, last: 65_535 };

/** The machine's ports that containers are published at. */
export interface HostPorts {
  /** Claims a port for each mapping. Raises `CannotStartContainerError` when a fixed one is taken, or no dynamic one is left. */
  claim(mappings: ContainerSpec['portMappings']): Promise<Binding[]>;
  /** Notes what is published already. */
  take(bindings: Binding[]): void;
  release(bindings: Binding[]): void;
}

export function createHostPorts(): HostPorts {
  const taken = new Set<string>();
  let last = DYNAMIC.first - 1;
  const keyOf = ({ protocol, hostPort }: Pick<Binding, 'protocol' | 'hostPort'>): string => `${protocol}/${hostPort}`;

  async function claimOne({ containerPort, hostPort, protocol }: ContainerSpec['portMappings'][number]): Promise<Binding> {
    if (hostPort !== undefined && hostPort !== 0) {
      const key = keyOf({ protocol, hostPort });
      if (taken.has(key)) inUse(hostPort);
      taken.add(key);
      if (!(await isFree(protocol, hostPort))) {
        taken.delete(key);
        inUse(hostPort);
      }
      return { bindIp: '0.0.0.0', containerPort, hostPort, protocol };
    }
    for (let tries = 0; tries <= DYNAMIC.last - DYNAMIC.first; tries++) {
      last = last >= DYNAMIC.last ? DYNAMIC.first : last + 1;
      const candidate = last;
      const key = keyOf({ protocol, hostPort: candidate });
      if (taken.has(key)) continue;
      taken.add(key);
      if (await isFree(protocol, candidate)) return { bindIp: '0.0.0.0', containerPort, hostPort: candidate, protocol };
      taken.delete(key);
    }
    throw new ContainerError('CannotStartContainerError', `no ${protocol} port from ${DYNAMIC.first} to ${DYNAMIC.last} is free`);
  }

  return {
    async claim(mappings) {
      const bindings: Binding[] = [];
      try {
        for (const mapping of mappings) bindings.push(await claimOne(mapping));
      } catch (error) {
        for (const binding of bindings) taken.delete(keyOf(binding));
        throw error;
      }
      return bindings;
    },
    take: (bindings) => bindings.forEach((binding) => taken.add(keyOf(binding))),
    release: (bindings) => bindings.forEach((binding) => taken.delete(keyOf(binding))),
  };
}

function inUse(port: number): never {
  throw new ContainerError(
    'CannotStartContainerError',
    `Bind for 0.0.0.0:${port} failed: port is already allocated. Choose another hostPort, or 0 for any that is free`,
  );
}

/** Whether no program of the machine listens there. */
function isFree(protocol: 'tcp' | 'udp', port: number): Promise<boolean> {
  return new Promise((resolve) => {
    if (protocol === 'tcp') {
      const server = createServer();
      server.once('error', () => resolve(false));
      server.listen({ port, host: '0.0.0.0', exclusive: true }, () => server.close(() => resolve(true)));
    } else {
      const socket = createSocket('udp4');
      socket.once('error', () => resolve(false));
      socket.bind({ port, address: '0.0.0.0', exclusive: true }, () => socket.close(() => resolve(true)));
    }
  });
}
