import type { Digest } from '../core/digest.ts';

/**
 * What runs tasks. The orchestrator says which task it wants started or stopped; the runtime tells what it sees.
 * Images are pulled, containers supervised (dependencies, health checks, restarts, signals) and logs kept below this line.
 *
 * Promises, held by every driver (`src/orchestrator/task-runtime.contract.ts`):
 * - A task that was started runs on when the server goes away, and is in `list` when it comes back, under the same id.
 * - `start` of a task that is there already changes nothing, and so does `stop` of one that has stopped or is unknown.
 * - Every change of a task reaches the listener as a whole snapshot, in order for each task; the last one says `STOPPED`.
 * - A stopped task stays in `list`, with its exit codes, until `forget`.
 */
export interface TaskRuntime {
  readonly name: 'oci' | 'docker' | 'kubernetes' | 'simulated' | 'none';
  /** The hosts that tasks can be put on: each is a container instance of the ECS API. One machine has one. */
  hosts(): Promise<RuntimeHost[]>;
  /** Tells every later change of every task. One listener; it must not throw. */
  observe(listener: (task: ObservedTask) => void): void;
  /** Accepts the task; all further news, failures too, come as snapshots. */
  start(task: TaskSpec): Promise<void>;
  /** Stops its containers (their stop signal, then after their stop timeout SIGKILL), dependents first. Returns at once. */
  stop(taskId: string): Promise<void>;
  list(): Promise<ObservedTask[]>;
  /** Removes what is left of a stopped task: containers, files, logs older than its retention. */
  forget(taskId: string): Promise<void>;
  /** The output of one container (or of all), oldest first; with `follow`, what comes until the task has stopped or `signal` fires. */
  logs(taskId: string, options: LogRequest): AsyncIterable<LogLine>;
  /** Usage of each container, in the shape of Docker's stats (facts of the task metadata endpoint); `undefined` when it does not run. */
  stats(taskId: string): Promise<Record<string, ContainerStats> | undefined>;
  /**
   * Removes unpacked images that neither its tasks nor `needed` name, beside all other work. Absent where something else keeps
   * them (Docker), or nothing is unpacked.
   */
  collectImages?(request: CollectImages): Promise<CollectedImages>;
  /** Lets go of the runtime; tasks run on. */
  close(): Promise<void>;
}

export interface CollectImages {
  /** What services run, or could go back to. */
  needed: ReadonlySet<Digest>;
  /** Milliseconds that an image stays which nobody needs, and bytes that all those may have together. */
  keepFor: number;
  mostBytes: number;
  /** Only says what would be removed. */
  dryRun: boolean;
}

export interface CollectedImages {
  images: number;
  layers: number;
  bytes: number;
}

export interface RuntimeHost {
  /** 32 hexadecimal digits, the same for ever on the same machine. */
  id: string;
  /** CPU units, 1024 for each core. */
  cpu: number;
  /** MiB. */
  memory: number;
  /** Such as `ecs.os-type` and `ecs.cpu-architecture`. */
  attributes: Record<string, string>;
  /** Of the container engine, for `versionInfo`. */
  engineVersion?: string;
  /** False while its container engine does not answer: tasks wait for it. */
  isReachable?: boolean;
}

/** One task, with everything decided: a runtime makes no choices. */
export interface TaskSpec {
  /** 32 hexadecimal digits. */
  id: string;
  arn: string;
  clusterArn: string;
  clusterName: string;
  accountId: string;
  region: string;
  family: string;
  revision: number;
  taskDefinitionArn: string;
  group?: string;
  serviceName?: string;
  launchType: string;
  networkMode: 'bridge' | 'host' | 'awsvpc' | 'none';
  pidMode?: 'host' | 'task';
  ipcMode?: 'host' | 'task' | 'none';
  /** Of the whole task, when the task definition says: CPU units and MiB. */
  cpu?: number;
  memory?: number;
  containers: ContainerSpec[];
  volumes: VolumeSpec[];
  tags: Record<string, string>;
}

export interface ContainerSpec {
  name: string;
  /** Full ARN, so that what is observed has one name everywhere. */
  arn: string;
  image: ImageToRun;
  essential: boolean;
  entryPoint?: string[];
  command?: string[];
  environment: Record<string, string>;
  /** Variables that nobody is to read anywhere else: part of its environment, and of nothing that is kept once it has started. */
  secrets?: Record<string, string>;
  workingDirectory?: string;
  user?: string;
  hostname?: string;
  /** CPU units, and MiB hard and soft. */
  cpu?: number;
  memory?: number;
  memoryReservation?: number;
  portMappings: { containerPort: number; hostPort?: number; protocol: 'tcp' | 'udp'; name?: string }[];
  mountPoints: { sourceVolume: string; containerPath: string; readOnly: boolean }[];
  volumesFrom: { sourceContainer: string; readOnly: boolean }[];
  links: string[];
  dependsOn: { containerName: string; condition: 'START' | 'COMPLETE' | 'SUCCESS' | 'HEALTHY' }[];
  /** Milliseconds. `stopTimeout` is set always (default 30 s). */
  startTimeout?: number;
  stopTimeout: number;
  healthCheck?: { command: string[]; interval: number; timeout: number; retries: number; startPeriod: number };
  restartPolicy?: { ignoredExitCodes: number[]; restartAttemptPeriod: number };
  readonlyRootFilesystem: boolean;
  privileged: boolean;
  initProcessEnabled: boolean;
  capabilities: { add: string[]; drop: string[] };
  devices: { hostPath: string; containerPath: string; permissions: string[] }[];
  tmpfs: { containerPath: string; size: number; mountOptions: string[] }[];
  /** MiB. */
  sharedMemorySize?: number;
  ulimits: { name: string; softLimit: number; hardLimit: number }[];
  systemControls: Record<string, string>;
  dnsServers: string[];
  dnsSearchDomains: string[];
  extraHosts: { hostname: string; ipAddress: string }[];
  disableNetworking: boolean;
  interactive: boolean;
  pseudoTerminal: boolean;
  dockerLabels: Record<string, string>;
}

export interface ImageToRun {
  /** As the task definition has it: what people see. */
  written: string;
  /** What to pull: with a digest when the revision's is known, else by the tag. */
  reference: string;
  /** Known beforehand; the runtime pulls exactly this, and reports it. */
  digest?: Digest;
  credentials?: { username: string; password: string };
}

export interface VolumeSpec {
  name: string;
  /** A folder of the host; absent: a fresh one that goes with the task. */
  hostPath?: string;
  /** A named volume that outlives the task. */
  shared?: { name: string };
}

/** What the runtime sees of a task: the whole of it, each time. */
export interface ObservedTask {
  id: string;
  status: 'PENDING' | 'ACTIVATING' | 'RUNNING' | 'DEACTIVATING' | 'STOPPING' | 'STOPPED';
  /** Of the essential containers that have a health check; `UNKNOWN` when none has. */
  health: HealthStatus;
  containers: ObservedContainer[];
  /** Times in milliseconds since the epoch. */
  pullStartedAt?: number;
  pullStoppedAt?: number;
  startedAt?: number;
  stoppingAt?: number;
  /** When an essential container stopped. */
  executionStoppedAt?: number;
  stoppedAt?: number;
  /** Set when it stops by itself; a stop that was asked for is explained by who asked. */
  stopCode?: 'TaskFailedToStart' | 'EssentialContainerExited';
  stoppedReason?: string;
  /** awsvpc: the task's own address. */
  networkInterface?: { privateIpv4Address: string; macAddress: string };
}

export type HealthStatus = 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN';

export interface ObservedContainer {
  name: string;
  status: 'PENDING' | 'RUNNING' | 'STOPPED';
  /** As soon as the manifest is resolved, before anything is pulled; the index digest for a multi-platform image. */
  imageDigest?: Digest;
  /** The engine's own id. */
  runtimeId?: string;
  exitCode?: number;
  /** `CannotPullContainerError: …`, `OutOfMemoryError: Container killed due to memory usage`, … */
  reason?: string;
  health: HealthStatus;
  restartCount: number;
  startedAt?: number;
  stoppedAt?: number;
  networkBindings: { bindIp: string; containerPort: number; hostPort: number; protocol: 'tcp' | 'udp' }[];
}

export interface LogRequest {
  container?: string;
  follow?: boolean;
  /** Only the last lines. */
  tail?: number;
  signal?: AbortSignal;
}

export interface LogLine {
  container: string;
  stream: 'stdout' | 'stderr';
  /** Milliseconds since the epoch, when known. */
  at?: number;
  text: string;
}

/** Docker's container stats, as far as the runtime knows them. */
export type ContainerStats = Record<string, unknown>;
