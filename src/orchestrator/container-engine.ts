import type { Digest } from '../core/digest.ts';
import type {
  CollectedImages,
  CollectImages,
  ContainerSpec,
  ContainerStats,
  ImageToRun,
  LogLine,
  LogRequest,
  ObservedContainer,
  RuntimeHost,
  TaskSpec,
} from './ports.ts';

/**
 * What runs single containers: crun or runc, Docker, Podman. The supervisor (`supervise/`) makes tasks of them, so that the
 * rules of ECS are written once. An engine decides nothing: it does one act and tells of ends.
 *
 * A container is named by its task and its own name (`ContainerKey`): there is at most one of it, now and after a restart
 * of the server. An act fails with a `ContainerError` that a person can read; any other error is reported under the
 * name of the act that it spoilt.
 *
 * Promises, held by every driver (`src/orchestrator/container-engine.contract.ts`):
 * - Containers run on when the server goes away, killed without warning or not, and `list` finds them when it comes back.
 * - The end of every run of a container reaches the listener, also when it came while the engine was out of reach; what ended before
 *   the server came back is in `list`. An end may be told twice, and then with the same `at`, which is `finishedAt` in `list`.
 * - `prepare`, `create`, `release` and `remove` may be repeated: what is there, or gone, already is no failure.
 * - Acts on different tasks do not wait for each other.
 * - An engine in another process that does not answer is waited for, by every act but `SIGKILL` and what people look at (`logs`, `stats`):
 *   `host` says `isReachable: false` meanwhile, and no container is said to have ended or to be sick for it.
 */
export interface ContainerEngine {
  readonly name: 'oci' | 'docker' | 'memory';
  /** The one machine that its containers run on. */
  host(): Promise<RuntimeHost>;
  /** One listener, which does not throw. Set before anything else is asked. */
  observe(listener: (exit: ContainerExit) => void): void;

  /**
   * The digest of the manifest (the index's, for an image of several platforms) that `image.reference` names now; asks the
   * registry and transfers no layer. Is not asked when `image.digest` is known.
   * Raises `CannotPullContainerError` with a text such as `failed to resolve ref <reference>: <reference>: not found`.
   */
  resolve(image: ImageToRun): Promise<Digest>;
  /**
   * Sees to it that exactly this image is there and unpacked; asks no registry when it is. The image may be shown under its
   * written name to people who look at the engine with its own tools. Raises `CannotPullContainerError`. Once `signal` has fired, nobody
   * waits for it: the engine gives it up where it can.
   */
  pull(image: PinnedImage, signal?: AbortSignal): Promise<void>;

  /**
   * Makes what the containers of a task share: network (a namespace for `awsvpc`), volumes. Runs beside the pull.
   * Raises `ContainerNetworkingError`, `CannotCreateVolumeError`, or `CannotCreateContainerError` for what it cannot do.
   */
  prepare(task: TaskSpec): Promise<TaskPlace>;
  /**
   * Makes a container, which does not run yet; its image has been pulled, the task prepared, and the containers that it takes
   * volumes from or links to are there. `environment` is the container's own and what the supervisor adds.
   */
  create(task: TaskSpec, container: ContainerToCreate): Promise<CreatedContainer>;
  /**
   * Runs a created container, or runs it again after its end (restart policy), with its files as they are.
   * Raises `CannotStartContainerError` with the runtime's words, for a command that is not there, say.
   */
  start(key: ContainerKey): Promise<StartedContainer>;
  /**
   * Sends a signal: `stop` is the one that the image names (STOPSIGNAL), else SIGTERM. A container that does not
   * run: nothing happens. Its end comes by the listener, never by the return.
   */
  signal(key: ContainerKey, signal: 'stop' | 'SIGKILL'): Promise<void>;
  /**
   * Runs a command beside the container's own (health checks), as its user, in its working folder, with its environment.
   * Keeps the first `outputLimit` bytes of what it writes. After `timeout` milliseconds it is killed, as far as the
   * engine can do that. A container that does not run, a command that is not there: raises `CannotStartContainerError`,
   * or gives an exit code such as 126 or 127.
   */
  exec(key: ContainerKey, command: ExecCommand): Promise<ExecResult>;

  /** Every container that this installation made, running or not, whatever became of the server meanwhile. */
  list(): Promise<FoundContainer[]>;
  /** Output so far, oldest first; with `follow` also what comes, until the container stops or `signal` fires. Nothing when unknown. */
  logs(key: ContainerKey, options: Omit<LogRequest, 'container'>): AsyncIterable<LogLine>;
  /** `undefined` when it does not run. */
  stats(key: ContainerKey): Promise<ContainerStats | undefined>;

  /** All its containers have stopped: gives back network and address. Files and logs stay. */
  release(taskId: string): Promise<void>;
  /** Removes everything of the task: containers (running ones are killed), network, files, its own volumes, logs. Shared volumes stay. */
  remove(taskId: string): Promise<void>;
  /**
   * Removes unpacked images beside all other work: those for which `isNeeded` says no, in the moment in which they are
   * chosen, and which no container has. Absent where the engine keeps images for others too.
   */
  collectImages?(request: Omit<CollectImages, 'needed'> & { isNeeded: (digest: Digest) => boolean }): Promise<CollectedImages>;
  /** Lets go of the engine; containers run on. */
  close(): Promise<void>;
}

/** At most one container has it. */
export interface ContainerKey {
  taskId: string;
  /** As in the task definition: up to 255 of `[A-Za-z0-9_-]`. */
  name: string;
}

/** An image whose digest is settled. */
export interface PinnedImage extends ImageToRun {
  digest: Digest;
}

/** Where a task was put. */
export interface TaskPlace {
  /** `awsvpc`: the task's own address. */
  networkInterface?: { privateIpv4Address: string; macAddress: string };
  /**
   * Address of this machine as the task's containers reach it, for the metadata endpoint: that of the bridge, `127.0.0.1` for `host`.
   * Absent: they cannot (`none`).
   */
  hostAddress?: string;
}

export interface ContainerToCreate {
  /** With the supervisor's own variables in its environment. */
  spec: ContainerSpec;
  image: PinnedImage;
}

export interface CreatedContainer {
  /** The engine's own id: 64 hexadecimal digits of Docker, say. */
  runtimeId: string;
}

export interface StartedContainer {
  /** Milliseconds since the epoch. */
  startedAt: number;
  networkBindings: ObservedContainer['networkBindings'];
  /** Its own address, where it has one (`bridge`). */
  address?: { ipv4: string; mac?: string };
}

/** The end of one run. */
export interface ContainerExit {
  taskId: string;
  name: string;
  /** 128 + signal number for a killed one. Absent when nobody can know it any more. */
  exitCode?: number;
  /** The kernel killed it, or a process in it, for want of memory. */
  outOfMemory: boolean;
  /** Milliseconds since the epoch. */
  at: number;
}

export interface ExecCommand {
  /** `['CMD', 'curl', '-f', …]` is given as `['curl', '-f', …]`, `CMD-SHELL x` as `['/bin/sh', '-c', 'x']`. */
  command: string[];
  /** Milliseconds. */
  timeout: number;
  /** Bytes. */
  outputLimit: number;
}

export type ExecResult = { kind: 'exited'; exitCode: number; output: string } | { kind: 'timed-out'; output: string };

export interface FoundContainer extends ContainerKey {
  runtimeId: string;
  state: 'created' | 'running' | 'exited';
  /** Of the last run. */
  startedAt?: number;
  finishedAt?: number;
  exitCode?: number;
  outOfMemory: boolean;
  networkBindings: ObservedContainer['networkBindings'];
  address?: { ipv4: string; mac?: string };
}

/**
 * The supervisor's memory of its tasks, across its own death. A record is a JSON text; one that was saved is read back whole
 * or not at all. `keep` has returned only when the record survives a kill -9 of the server.
 */
export interface TaskRecords {
  keep(taskId: string, text: string): Promise<void>;
  all(): Promise<{ taskId: string; text: string }[]>;
  remove(taskId: string): Promise<void>;
}
