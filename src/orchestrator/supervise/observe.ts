import type { ContainerSpec, ObservedContainer, ObservedTask, TaskSpec } from '../ports.ts';
import { taskHealth } from './health.ts';
import type { ContainerState, TaskState } from './task-state.ts';

/** What is told of a task. Absent members are left out. */
export function observedTask(spec: TaskSpec, state: TaskState): ObservedTask {
  const { pullStartedAt, pullStoppedAt, startedAt, stoppingAt, executionStoppedAt, stoppedAt } = state;
  const specs = new Map(spec.containers.map((one) => [one.name, one]));
  return {
    id: spec.id,
    status: taskStatus(state),
    health: taskHealth(
      state.containers.map(({ name, health }) => ({
        essential: specs.get(name)?.essential ?? true,
        checked: specs.get(name)?.healthCheck !== undefined,
        status: health.status,
      })),
    ),
    containers: state.containers.map((one) => observedContainer(one, specs.get(one.name))),
    ...present({ pullStartedAt, pullStoppedAt, startedAt, stoppingAt, executionStoppedAt, stoppedAt }),
    ...present({ stopCode: state.stopCode, stoppedReason: state.stoppedReason, networkInterface: state.networkInterface }),
  };
}

function taskStatus(state: TaskState): ObservedTask['status'] {
  switch (state.stage) {
    case 'starting':
      return state.containers.some(({ phase }) => phase === 'new' || phase === 'resolving') ? 'PENDING' : 'ACTIVATING';
    case 'running':
      return 'RUNNING';
    case 'stopping':
      return 'STOPPING';
    case 'stopped':
      return 'STOPPED';
  }
}

function observedContainer(container: ContainerState, spec: ContainerSpec | undefined): ObservedContainer {
  const { name, digest, runtimeId, reason, restartCount, startedAt, networkBindings } = container;
  const isStopped = container.phase === 'stopped';
  return {
    name,
    status: containerStatus(container),
    health: spec?.healthCheck === undefined ? 'UNKNOWN' : container.health.status,
    restartCount,
    networkBindings,
    ...present({ imageDigest: digest, runtimeId, reason, startedAt }),
    // The exit of a run that was followed by another is not the container's.
    ...(isStopped ? present({ exitCode: container.exitCode, stoppedAt: container.stoppedAt }) : {}),
  };
}

/** Between two runs a container counts as running: its policy says that it goes on. */
export function containerStatus({ phase, runs }: ContainerState): ObservedContainer['status'] {
  if (phase === 'stopped') return 'STOPPED';
  return runs > 0 ? 'RUNNING' : 'PENDING';
}

function present<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
