import type { Clock } from '../../core/clock.ts';
import { digestOf, type Digest } from '../../core/digest.ts';
import type { Timers } from '../../core/timers.ts';
import type {
  ContainerSpec,
  HealthStatus,
  ImageToRun,
  ObservedContainer,
  ObservedTask,
  RuntimeHost,
  TaskRuntime,
  TaskSpec,
} from '../../orchestrator/ports.ts';
import { readBehaviour, type Behaviour } from './simulated-behaviour.ts';

export interface SimulatedDependencies {
  clock: Clock;
  timers: Timers;
  /**
   * Asked when a container's manifest would be resolved, whether by tag or by digest: what the image's digest is at that
   * moment, or why it cannot be pulled. Absent: every image is there, and its digest made from its name.
   */
  resolve?: (image: ImageToRun) => Promise<{ digest: Digest } | { failure: string }>;
  /** How a container of this image behaves; the members of its `HOLDFAST_SIMULATE` go before it. */
  behaviour?: (image: string) => Behaviour;
  hosts?: RuntimeHost[];
}

const ONE_HOST: RuntimeHost[] = [
  {
    id: digestOf('simulated host').slice('sha256:'.length, 'sha256:'.length + 32),
    cpu: 1024 * 1024,
    memory: 1024 * 1024,
    attributes: { 'ecs.os-type': 'linux', 'ecs.cpu-architecture': 'x86_64', 'ecs.os-family': 'LINUX' },
    engineVersion: 'simulated',
  },
];
const FIRST_DYNAMIC_PORT = 32_768;
const DYNAMIC_PORTS = 28_232;

interface LiveTask {
  spec: TaskSpec;
  observed: ObservedTask;
  behaviours: Map<string, Behaviour>;
  timers: Set<() => void>;
}

/**
 * Tasks that live on the clock alone: nothing is pulled and no process runs. Start-up is three moments (accepted,
 * manifests resolved, running), and every other turn is scripted by the image. `dependsOn`, restart policies and
 * resources are not played; essential containers, health and exit codes are.
 */
export function createSimulatedRuntime(dependencies: SimulatedDependencies): TaskRuntime {
  const { clock, timers } = dependencies;
  const tasks = new Map<string, LiveTask>();
  let listener: ((task: ObservedTask) => void) | undefined;
  let nextPort = 0;
  let closed = false;

  const tell = (task: LiveTask): void => listener?.(structuredClone(task.observed));
  const later = (task: LiveTask, milliseconds: number, call: () => void): void => {
    const cancel = timers.after(milliseconds, () => {
      task.timers.delete(cancel);
      call();
    });
    task.timers.add(cancel);
  };
  const callOff = (task: LiveTask): void => {
    for (const cancel of task.timers) cancel();
    task.timers.clear();
  };
  const behaviourOf = (task: LiveTask, name: string): Behaviour => task.behaviours.get(name) ?? {};
  const longest = (task: LiveTask, of: (behaviour: Behaviour) => number | undefined, fallback: number): number =>
    Math.max(0, ...[...task.behaviours.values()].map((one) => of(one) ?? fallback));
  const hasEnded = (task: LiveTask): boolean => task.observed.status === 'STOPPING' || task.observed.status === 'STOPPED';

  async function resolveImages(task: LiveTask): Promise<void> {
    const { observed, spec } = task;
    observed.pullStartedAt = clock.now();
    const answers = await Promise.all(
      spec.containers.map(async (container) => [container.name, await answerOf(task, container)] as const),
    );
    // It may have been told to stop meanwhile.
    if (hasEnded(task) || closed) return;
    let failure: string | undefined;
    for (const [name, answer] of answers) {
      const container = containerOf(observed, name);
      if ('digest' in answer) container.imageDigest = answer.digest;
      else {
        container.reason = answer.failure;
        failure ??= answer.failure;
      }
    }
    if (failure !== undefined) {
      finish(task, { stopCode: 'TaskFailedToStart', stoppedReason: failure });
      return;
    }
    observed.status = 'ACTIVATING';
    tell(task);
    later(
      task,
      longest(task, ({ startAfter }) => startAfter, 20),
      () => run(task),
    );
  }

  async function answerOf(task: LiveTask, { name, image }: ContainerSpec): Promise<{ digest: Digest } | { failure: string }> {
    const { pullFailure } = behaviourOf(task, name);
    if (pullFailure !== undefined) return { failure: `CannotPullContainerError: ${pullFailure}` };
    if (dependencies.resolve === undefined) return { digest: image.digest ?? digestOf(image.reference) };
    const answer = await dependencies.resolve(image);
    return 'digest' in answer ? answer : { failure: `CannotPullContainerError: ${answer.failure}` };
  }

  function run(task: LiveTask): void {
    const { observed, spec } = task;
    const now = clock.now();
    observed.status = 'RUNNING';
    observed.pullStoppedAt = now;
    observed.startedAt = now;
    for (const container of observed.containers) {
      const described = spec.containers.find(({ name }) => name === container.name);
      container.status = 'RUNNING';
      container.startedAt = now;
      container.runtimeId = digestOf(`${spec.id}/${container.name}`).slice('sha256:'.length);
      container.networkBindings = bindings(spec, described);
      const behaviour = behaviourOf(task, container.name);
      const { exitAfter, exitCode = 0, health = 'HEALTHY', healthAfter = 0 } = behaviour;
      if (exitAfter !== undefined) later(task, exitAfter, () => exit(task, container, exitCode));
      if (described?.healthCheck !== undefined) later(task, healthAfter, () => becomes(task, container, health));
      if (behaviour.unhealthyAfter !== undefined)
        later(task, behaviour.unhealthyAfter, () => becomes(task, container, 'UNHEALTHY'));
    }
    tell(task);
  }

  function becomes(task: LiveTask, container: ObservedContainer, health: HealthStatus): void {
    if (container.status !== 'RUNNING') return;
    container.health = health;
    task.observed.health = healthOf(task);
    tell(task);
  }

  function exit(task: LiveTask, container: ObservedContainer, exitCode: number): void {
    container.status = 'STOPPED';
    container.exitCode = exitCode;
    container.stoppedAt = clock.now();
    const isEssential = task.spec.containers.find(({ name }) => name === container.name)?.essential ?? true;
    const isLast = task.observed.containers.every(({ status }) => status === 'STOPPED');
    if (isEssential || isLast) {
      finish(task, { stopCode: 'EssentialContainerExited', stoppedReason: 'Essential container in task exited' });
    } else {
      tell(task);
    }
  }

  function finish(task: LiveTask, why: Pick<ObservedTask, 'stopCode' | 'stoppedReason'>): void {
    callOff(task);
    const { observed } = task;
    const now = clock.now();
    for (const container of observed.containers) {
      if (container.status === 'RUNNING') {
        container.exitCode = behaviourOf(task, container.name).ignoresTerm === true ? 137 : 143;
        container.stoppedAt = now;
      }
      container.status = 'STOPPED';
    }
    Object.assign(observed, why, { status: 'STOPPED', stoppedAt: now, stoppingAt: observed.stoppingAt ?? now });
    if (observed.startedAt !== undefined) observed.executionStoppedAt ??= now;
    tell(task);
  }

  function healthOf({ spec, observed }: LiveTask): HealthStatus {
    const checked = spec.containers.filter(({ essential, healthCheck }) => essential && healthCheck !== undefined);
    const seen = checked.map(({ name }) => containerOf(observed, name).health);
    if (seen.includes('UNHEALTHY')) return 'UNHEALTHY';
    return seen.length === 0 || seen.includes('UNKNOWN') ? 'UNKNOWN' : 'HEALTHY';
  }

  function bindings(spec: TaskSpec, container: ContainerSpec | undefined): ObservedContainer['networkBindings'] {
    if (spec.networkMode !== 'bridge' && spec.networkMode !== 'host') return [];
    return (container?.portMappings ?? []).map(({ containerPort, hostPort = 0, protocol }) => ({
      bindIp: '0.0.0.0',
      containerPort,
      hostPort:
        spec.networkMode === 'host' ? containerPort : hostPort > 0 ? hostPort : FIRST_DYNAMIC_PORT + (nextPort++ % DYNAMIC_PORTS),
      protocol,
    }));
  }

  return {
    name: 'simulated',
    hosts: async () => structuredClone(dependencies.hosts ?? ONE_HOST),
    observe(next) {
      listener = next;
    },
    async start(spec) {
      if (tasks.has(spec.id)) return;
      const task: LiveTask = {
        spec,
        observed: {
          id: spec.id,
          status: 'PENDING',
          health: 'UNKNOWN',
          containers: spec.containers.map(({ name }) => ({
            name,
            status: 'PENDING',
            health: 'UNKNOWN',
            restartCount: 0,
            networkBindings: [],
          })),
        },
        behaviours: new Map(
          spec.containers.map(({ name, image, environment }) => [
            name,
            { ...dependencies.behaviour?.(image.written), ...readBehaviour(environment['HOLDFAST_SIMULATE'] ?? '') },
          ]),
        ),
        timers: new Set(),
      };
      tasks.set(spec.id, task);
      tell(task);
      later(
        task,
        longest(task, ({ resolveAfter }) => resolveAfter, 5),
        () => void resolveImages(task),
      );
    },
    async stop(taskId) {
      const task = tasks.get(taskId);
      if (task === undefined || hasEnded(task)) return;
      callOff(task);
      task.observed.status = 'STOPPING';
      task.observed.stoppingAt = clock.now();
      tell(task);
      const takes = longest(task, ({ stopAfter }) => stopAfter, 10);
      const patience = Math.max(
        0,
        ...task.spec.containers.map(({ name, stopTimeout }) => (behaviourOf(task, name).ignoresTerm === true ? stopTimeout : 0)),
      );
      later(task, Math.max(takes, patience), () => finish(task, {}));
    },
    list: async () => [...tasks.values()].map(({ observed }) => structuredClone(observed)),
    async forget(taskId) {
      if (tasks.get(taskId)?.observed.status === 'STOPPED') tasks.delete(taskId);
    },
    // A simulated container writes nothing.
    // oxlint-disable-next-line require-yield
    async *logs() {
      return;
    },
    async stats(taskId) {
      const task = tasks.get(taskId);
      return task?.observed.status === 'RUNNING'
        ? Object.fromEntries(task.spec.containers.map(({ name }) => [name, {}]))
        : undefined;
    },
    async close() {
      closed = true;
      listener = undefined;
      for (const task of tasks.values()) callOff(task);
    },
  };
}

function containerOf(observed: ObservedTask, name: string): ObservedContainer {
  const found = observed.containers.find((container) => container.name === name);
  if (found === undefined) throw new Error(`Task ${observed.id} has no container ${name}`);
  return found;
}
