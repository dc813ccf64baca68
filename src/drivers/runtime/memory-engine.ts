import type { Clock } from '../../core/clock.ts';
import { ContainerError } from '../../core/container-error.ts';
import { digestOf, type Digest } from '../../core/digest.ts';
import type {
  ContainerEngine,
  ContainerExit,
  ContainerKey,
  ExecCommand,
  ExecResult,
  FoundContainer,
} from '../../orchestrator/container-engine.ts';
import type { LogLine, TaskSpec } from '../../orchestrator/ports.ts';

/** An image of a machine that is only remembered, and how its containers behave. */
export interface MemoryImage {
  digest: Digest;
  /** Asked at each act with it; a failure is thrown as it is. */
  fails?: (act: 'resolve' | 'pull' | 'create' | 'start') => ContainerError | undefined;
  /** Its pull goes on until it is given up. */
  pullsForEver?: boolean;
  /** Ends at once, with this code. */
  exitsAtOnce?: number;
  /** SIGTERM does nothing to it. */
  ignoresStop?: boolean;
  exec?: (command: ExecCommand) => ExecResult;
}

/** The machine: what is on it outlives the engine that works on it. */
export interface MemoryMachine {
  /** By written reference, with or without a digest. */
  images: Map<string, MemoryImage>;
  containers: Map<string, MemoryContainer>;
  places: Set<string>;
  /** What engines were asked for, in order: `pull web:1`, `start app`. */
  acts: string[];
  /** A container ends by itself. */
  exit(key: ContainerKey, exitCode: number | undefined, outOfMemory?: boolean): void;
  /** It writes a line. */
  say(key: ContainerKey, text: string): void;
  engine?: (exit: ContainerExit) => void;
}

interface MemoryContainer extends FoundContainer {
  image: MemoryImage;
  environment: Record<string, string>;
  lines: LogLine[];
}

const keyOf = ({ taskId, name }: ContainerKey): string => `${taskId}/${name}`;

export function createMemoryMachine(clock: Clock): MemoryMachine {
  const machine: MemoryMachine = {
    images: new Map(),
    containers: new Map(),
    places: new Set(),
    acts: [],
    exit(key, exitCode, outOfMemory = false) {
      const container = machine.containers.get(keyOf(key));
      if (container?.state !== 'running') return;
      const at = clock.now();
      Object.assign(container, { state: 'exited', finishedAt: at, outOfMemory });
      if (exitCode !== undefined) container.exitCode = exitCode;
      const { taskId, name } = key;
      machine.engine?.({ taskId, name, at, outOfMemory, ...(exitCode === undefined ? {} : { exitCode }) });
    },
    say(key, text) {
      const container = machine.containers.get(keyOf(key));
      container?.lines.push({ container: key.name, stream: 'stdout', at: clock.now(), text });
    },
  };
  return machine;
}

/** Containers that are only remembered: acts succeed at once, unless their image is scripted otherwise. */
export function createMemoryEngine(machine: MemoryMachine, clock: Clock): ContainerEngine {
  const imageOf = (reference: string): MemoryImage => {
    const image = machine.images.get(reference) ?? machine.images.get(reference.replace(/@.*$/, ''));
    if (image === undefined)
      throw new ContainerError('CannotPullContainerError', `failed to resolve ref ${reference}: ${reference}: not found`);
    return image;
  };
  const act = (image: MemoryImage, kind: 'resolve' | 'pull' | 'create' | 'start', what: string): void => {
    machine.acts.push(`${kind} ${what}`);
    const failure = image.fails?.(kind);
    if (failure !== undefined) throw failure;
  };
  const containerOf = (key: ContainerKey): MemoryContainer => {
    const container = machine.containers.get(keyOf(key));
    if (container === undefined) throw new ContainerError('CannotInspectContainerError', `no such container: ${key.name}`);
    return container;
  };
  let isOpen = true;

  return {
    name: 'memory',
    host: () =>
      Promise.resolve({
        id: '0'.repeat(32),
        cpu: 2048,
        memory: 4096,
        attributes: { 'ecs.os-type': 'linux' },
        engineVersion: 'memory',
      }),
    observe(listener) {
      machine.engine = (exit) => {
        if (isOpen) listener(exit);
      };
    },
    async resolve({ reference }) {
      const image = imageOf(reference);
      act(image, 'resolve', reference);
      return image.digest;
    },
    async pull({ reference, written, digest }, signal) {
      const image = imageOf(reference);
      act(image, 'pull', written);
      if (image.pullsForEver === true)
        await new Promise((_, reject) =>
          signal?.addEventListener('abort', () => {
            machine.acts.push(`give up ${written}`);
            reject(new Error('given up'));
          }),
        );
      if (image.digest !== digest)
        throw new ContainerError('CannotPullContainerError', `failed to resolve ref ${reference}@${digest}: not found`);
    },
    prepare({ id, networkMode }: TaskSpec) {
      machine.places.add(id);
      machine.acts.push('prepare');
      return Promise.resolve({
        hostAddress: '127.0.0.1',
        ...(networkMode === 'awsvpc'
          ? { networkInterface: { privateIpv4Address: '10.0.0.2', macAddress: '02:00:00:00:00:01' } }
          : {}),
      });
    },
    async create(task, { spec, image }) {
      const behaviour = imageOf(image.reference);
      act(behaviour, 'create', spec.name);
      const key = { taskId: task.id, name: spec.name };
      const runtimeId = digestOf(keyOf(key)).slice('sha256:'.length);
      if (!machine.containers.has(keyOf(key)))
        machine.containers.set(keyOf(key), {
          ...key,
          runtimeId,
          state: 'created',
          outOfMemory: false,
          networkBindings: spec.portMappings.map(({ containerPort, hostPort, protocol }) => ({
            bindIp: '0.0.0.0',
            containerPort,
            hostPort: hostPort ?? containerPort,
            protocol,
          })),
          image: behaviour,
          environment: spec.environment,
          lines: [],
        });
      return { runtimeId };
    },
    async start(key) {
      const container = containerOf(key);
      act(container.image, 'start', key.name);
      const startedAt = clock.now();
      Object.assign(container, { state: 'running', startedAt, outOfMemory: false });
      delete container.exitCode;
      if (container.image.exitsAtOnce !== undefined) machine.exit(key, container.image.exitsAtOnce);
      return { startedAt, networkBindings: container.networkBindings };
    },
    async signal(key, signal) {
      machine.acts.push(`${signal} ${key.name}`);
      const container = containerOf(key);
      if (signal === 'SIGKILL') machine.exit(key, 137);
      else if (container.image.ignoresStop !== true) machine.exit(key, 143);
    },
    async exec(key, command) {
      const container = containerOf(key);
      if (container.state !== 'running') throw new ContainerError('CannotStartContainerError', `${key.name} does not run`);
      return container.image.exec?.(command) ?? { kind: 'exited', exitCode: 0, output: '' };
    },
    list: () => Promise.resolve([...machine.containers.values()].map((container) => ({ ...container }))),
    async *logs(key, { tail }) {
      const lines = machine.containers.get(keyOf(key))?.lines ?? [];
      yield* tail === undefined ? lines : lines.slice(Math.max(0, lines.length - tail));
    },
    stats(key) {
      const container = machine.containers.get(keyOf(key));
      return Promise.resolve(container?.state === 'running' ? { name: key.name } : undefined);
    },
    release(taskId) {
      machine.acts.push('release');
      machine.places.delete(taskId);
      return Promise.resolve();
    },
    remove(taskId) {
      for (const [key, container] of machine.containers) if (container.taskId === taskId) machine.containers.delete(key);
      machine.places.delete(taskId);
      return Promise.resolve();
    },
    close() {
      isOpen = false;
      return Promise.resolve();
    },
  };
}
