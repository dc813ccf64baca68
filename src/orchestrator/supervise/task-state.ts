import type { Digest } from '../../core/digest.ts';
import type { ContainerExit, StartedContainer } from '../container-engine.ts';
import type { ObservedContainer, ObservedTask, TaskSpec } from '../ports.ts';
import { freshHealth, type HealthState } from './health.ts';

/** All that the supervisor knows of a task beside its specification: plain data, kept across the server's death. */
export interface TaskState {
  stage: 'starting' | 'running' | 'stopping' | 'stopped';
  /** What the containers share: network and volumes. */
  place: 'absent' | 'preparing' | 'prepared' | 'failed' | 'releasing' | 'released';
  networkInterface?: { privateIpv4Address: string; macAddress: string };
  hostAddress?: string;
  containers: ContainerState[];
  /** Times in milliseconds since the epoch. */
  createdAt: number;
  pullStartedAt?: number;
  pullStoppedAt?: number;
  startedAt?: number;
  stoppingAt?: number;
  executionStoppedAt?: number;
  stoppedAt?: number;
  stopCode?: NonNullable<ObservedTask['stopCode']>;
  stoppedReason?: string;
}

/**
 * The phases in `-ing` are an act that the engine has been asked for and has not answered, `stopping` apart: there the signal
 * was sent and the end is waited for.
 */
export type ContainerPhase =
  | 'new'
  | 'resolving'
  | 'resolved'
  | 'pulling'
  | 'pulled'
  | 'creating'
  | 'created'
  | 'starting'
  | 'running'
  | 'stopping'
  | 'stopped';

export interface ContainerState {
  name: string;
  phase: ContainerPhase;
  /** Names the container towards the metadata endpoint; nobody else can guess it. */
  endpointId: string;
  digest?: Digest;
  runtimeId?: string;
  /** How often it has been started: tells what belongs to an earlier run. */
  runs: number;
  restartCount: number;
  createdAt?: number;
  /** Of the last run. */
  startedAt?: number;
  stoppedAt?: number;
  exitCode?: number;
  reason?: string;
  health: HealthState;
  networkBindings: ObservedContainer['networkBindings'];
  address?: { ipv4: string; mac?: string };
  /** Its end was told before its start. */
  earlyExit?: ContainerExit;
}

/** What happens to a task. */
export type TaskEvent =
  | { kind: 'begin' }
  | { kind: 'stop' }
  /** The server is back; `recoverTask` has put the state right. */
  | { kind: 'resume' }
  | { kind: 'prepared'; networkInterface?: TaskState['networkInterface']; hostAddress?: string }
  | { kind: 'prepare-failed'; reason: string }
  | { kind: 'resolved'; name: string; digest: Digest }
  | { kind: 'pulled'; name: string }
  | { kind: 'created'; name: string; runtimeId: string }
  | { kind: 'started'; name: string; started: StartedContainer }
  | { kind: 'failed'; name: string; act: 'resolve' | 'pull' | 'create' | 'start'; reason: string }
  | { kind: 'exited'; exit: ContainerExit; reason?: string }
  | { kind: 'checked'; name: string; run: number; exitCode?: number; output: string }
  | { kind: 'timer'; timer: TimerName; name: string }
  | { kind: 'released' };

export type TimerName = 'kill' | 'start' | 'check';

/** What is to be done next; all but `wait` ask the engine, whose answer comes back as an event. */
export type TaskEffect =
  | { kind: 'prepare' }
  | { kind: 'resolve' | 'pull' | 'create' | 'start'; name: string }
  | { kind: 'signal'; name: string; signal: 'stop' | 'SIGKILL' }
  | { kind: 'check'; name: string; run: number }
  /** Takes the place of an earlier wait of the same timer and container. */
  | { kind: 'wait'; timer: TimerName; name: string; milliseconds: number }
  | { kind: 'release' };

/** A task that nothing has been done for. */
export function newTaskState(spec: TaskSpec, now: number, endpointId: () => string): TaskState {
  return {
    stage: 'starting',
    place: 'absent',
    createdAt: now,
    containers: spec.containers.map(({ name }) => ({
      name,
      phase: 'new',
      endpointId: endpointId(),
      runs: 0,
      restartCount: 0,
      health: freshHealth(),
      networkBindings: [],
    })),
  };
}

/** The state of a container that is known to exist; anything else is a bug. */
export function containerState(state: TaskState, name: string): ContainerState {
  const found = state.containers.find((container) => container.name === name);
  if (found === undefined) throw new Error(`the task has no container ${name}`);
  return found;
}
