import type { NetworkConfiguration, TaskOverride } from '@aws-sdk/client-ecs';
import type { Selectable } from 'kysely';
import type { Digest } from '../core/digest.ts';
import type { Given } from './model.ts';
import type { HealthStatus, ObservedContainer, ObservedTask } from './ports.ts';
import type { TaskTables } from './schema.ts';

/** What was decided when the task was made: `task.document`. */
export interface TaskDocument {
  clusterName: string;
  serviceName?: string;
  containers: TaskContainer[];
  overrides: Given<TaskOverride>;
  networkConfiguration?: Given<NetworkConfiguration>;
  /** awsvpc: of the attachment that stands for its network interface. */
  attachmentId?: string;
  platformVersion?: string;
  platformFamily?: string;
  capacityProviderName?: string;
  enableExecuteCommand: boolean;
}

export interface TaskContainer {
  name: string;
  arn: string;
  /** As the task definition has it. */
  written: string;
  /** What is pulled: with the digest when it was known beforehand. */
  reference: string;
  digest?: Digest;
}

/** What the runtime saw last: `task.sight`. */
export interface TaskSight {
  containers: ObservedContainer[];
  networkInterface?: ObservedTask['networkInterface'];
}

/** A task with its JSON read. `null` columns are absent. */
export interface TaskRow {
  readonly id: string;
  readonly clusterId: number;
  readonly taskDefinitionId: number;
  readonly family: string;
  readonly serviceId?: number;
  readonly revisionId?: string;
  readonly taskSetId?: string;
  readonly hostId?: string;
  readonly launchType: string;
  readonly group: string;
  readonly startedBy?: string;
  readonly desiredStatus: 'RUNNING' | 'STOPPED';
  readonly lastStatus: TaskStatus;
  readonly health: HealthStatus;
  readonly version: number;
  readonly createdAt: number;
  readonly pullStartedAt?: number;
  readonly pullStoppedAt?: number;
  readonly startedAt?: number;
  readonly stoppingAt?: number;
  readonly executionStoppedAt?: number;
  readonly stoppedAt?: number;
  readonly stopCode?: StopCode;
  readonly stoppedReason?: string;
  /** Until then scale-in and deployments leave it alone. */
  readonly protectedUntil?: number;
  readonly cpu: number;
  readonly memory: number;
  readonly hostPorts: string[];
  readonly document: TaskDocument;
  readonly sight: TaskSight;
}

export type TaskStatus = 'PROVISIONING' | ObservedTask['status'] | 'DEPROVISIONING';
export type StopCode = 'TaskFailedToStart' | 'EssentialContainerExited' | 'UserInitiated' | 'ServiceSchedulerInitiated';

export function toTask(row: Selectable<TaskTables['task']>): TaskRow {
  return {
    id: row.id,
    clusterId: row.cluster_id,
    taskDefinitionId: row.task_definition_id,
    family: row.family,
    launchType: row.launch_type,
    group: row.group_name,
    desiredStatus: row.desired_status as TaskRow['desiredStatus'],
    lastStatus: row.last_status as TaskStatus,
    health: row.health as HealthStatus,
    version: row.version,
    createdAt: row.created_at,
    cpu: row.cpu,
    memory: row.memory,
    hostPorts: JSON.parse(row.host_ports) as string[],
    document: JSON.parse(row.document) as TaskDocument,
    sight: JSON.parse(row.sight) as TaskSight,
    ...present({
      serviceId: row.service_id,
      revisionId: row.revision_id,
      taskSetId: row.task_set_id,
      hostId: row.host_id,
      startedBy: row.started_by,
      pullStartedAt: row.pull_started_at,
      pullStoppedAt: row.pull_stopped_at,
      startedAt: row.started_at,
      stoppingAt: row.stopping_at,
      executionStoppedAt: row.execution_stopped_at,
      stoppedAt: row.stopped_at,
      stopCode: row.stop_code as StopCode | null,
      stoppedReason: row.stopped_reason,
      protectedUntil: row.protected_until,
    }),
  };
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], null | undefined> };

/** Without the members that are null or undefined. */
export function present<T extends object>(members: T): Present<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null && value !== undefined)) as Present<T>;
}
