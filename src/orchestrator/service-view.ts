import type { Kysely } from 'kysely';
import type { OrchestratorTables } from './context.ts';
import type { HealthStatus } from './ports.ts';
import { clusterById, type Cluster } from './cluster-rows.ts';
import {
  currentDeployment,
  liveRevisions,
  serviceById,
  type DeploymentRecord,
  type RevisionRecord,
  type ServiceRecord,
} from './service-rows.ts';
import type { TaskDefinitionDocument } from './task-definition-rows.ts';
import { present, type StopCode, type TaskSight, type TaskStatus } from './task-rows.ts';

/** All that is known of a service at one moment. */
export interface ServiceView {
  service: ServiceRecord;
  cluster: Cluster;
  /** PRIMARY and ACTIVE, oldest first. */
  revisions: RevisionRecord[];
  /** Revisions whose essential containers have a health check. */
  checked: Set<string>;
  deployment?: DeploymentRecord;
  /** That have not stopped, or stopped and were not counted yet. */
  tasks: ServiceTask[];
  /** Of tasks that were forgotten before they were counted. */
  forgotten: string[];
  taskSets: { id: string; status: 'PRIMARY' | 'ACTIVE' | 'DRAINING'; scale: number; stability: string }[];
  /** DAEMON: the hosts that are to have a task each. */
  hosts: string[];
}

export interface ServiceTask {
  id: string;
  revision: string;
  isPilot: boolean;
  why?: StopCause;
  healthyAt?: number;
  desiredStatus: string;
  lastStatus: TaskStatus;
  health: HealthStatus;
  hostId?: string;
  createdAt: number;
  startedAt?: number;
  stoppedAt?: number;
  stopCode?: StopCode;
  stoppedReason?: string;
  protectedUntil?: number;
  /** Of the pilot of a revision that waits for digests. */
  sight?: TaskSight;
}

/** Why the scheduler told a task to stop. `unheld`: its image cannot be kept from being deleted. */
export type StopCause = 'scaling' | 'unhealthy' | 'unheld';

/** Undefined when there is nothing to see to: the service is INACTIVE, or not there. */
export async function readServiceView(
  database: Kysely<OrchestratorTables>,
  serviceId: number,
  allHosts: string[],
): Promise<ServiceView | undefined> {
  const service = await serviceById(database, serviceId);
  if (service === undefined || service.status === 'INACTIVE') return undefined;
  const revisions = await liveRevisions(database, serviceId);
  const rows = await database
    .selectFrom('service_task')
    .leftJoin('task', 'task.id', 'service_task.task_id')
    .select([
      'service_task.task_id as id',
      'service_task.revision_id as revision',
      'service_task.pilot',
      'service_task.why',
      'service_task.healthy_at as healthyAt',
      'task.desired_status as desiredStatus',
      'task.last_status as lastStatus',
      'task.health',
      'task.host_id as hostId',
      'task.created_at as createdAt',
      'task.started_at as startedAt',
      'task.stopped_at as stoppedAt',
      'task.stop_code as stopCode',
      'task.stopped_reason as stoppedReason',
      'task.protected_until as protectedUntil',
    ])
    .where('service_task.service_id', '=', serviceId)
    .orderBy('task.created_at')
    .orderBy('service_task.task_id')
    .execute();
  const tasks: ServiceTask[] = [];
  const forgotten: string[] = [];
  for (const { id, revision, pilot, desiredStatus, lastStatus, health, createdAt, ...row } of rows) {
    if (desiredStatus === null || lastStatus === null || health === null || createdAt === null) forgotten.push(id);
    else {
      tasks.push({
        id,
        revision,
        isPilot: pilot === 1,
        desiredStatus,
        lastStatus: lastStatus as TaskStatus,
        health: health as HealthStatus,
        createdAt,
        ...present({ ...row, why: row.why as StopCause | null, stopCode: row.stopCode as StopCode | null }),
      });
    }
  }
  await readSights(database, revisions, tasks);
  const deployment = await currentDeployment(database, serviceId);
  const cluster = await clusterById(database, service.clusterId);
  return {
    service,
    cluster,
    revisions,
    checked: await readChecked(database, revisions),
    tasks,
    forgotten,
    taskSets: service.controller === 'EXTERNAL' ? await readTaskSets(database, serviceId) : [],
    hosts: service.schedulingStrategy === 'DAEMON' ? await openHosts(database, cluster, allHosts) : [],
    ...(deployment === undefined ? {} : { deployment }),
  };
}

/** The reports of pilots: only they are long, and only while their revision waits for digests. */
async function readSights(
  database: Kysely<OrchestratorTables>,
  revisions: RevisionRecord[],
  tasks: ServiceTask[],
): Promise<void> {
  const waiting = new Set(revisions.filter(({ resolution }) => resolution === 'PENDING').map(({ id }) => id));
  for (const task of tasks) {
    if (!waiting.has(task.revision)) continue;
    const row = await database.selectFrom('task').select('sight').where('id', '=', task.id).executeTakeFirst();
    if (row !== undefined) task.sight = JSON.parse(row.sight) as TaskSight;
  }
}

async function readChecked(database: Kysely<OrchestratorTables>, revisions: RevisionRecord[]): Promise<Set<string>> {
  const definitions = [...new Set(revisions.map(({ taskDefinitionId }) => taskDefinitionId))];
  if (definitions.length === 0) return new Set();
  const rows = await database.selectFrom('task_definition').select(['id', 'document']).where('id', 'in', definitions).execute();
  const checked = new Set(
    rows
      .filter(({ document }) =>
        (JSON.parse(document) as TaskDefinitionDocument).containerDefinitions.some(
          ({ essential, healthCheck }) => (essential ?? true) && healthCheck !== undefined,
        ),
      )
      .map(({ id }) => id),
  );
  return new Set(revisions.filter(({ taskDefinitionId }) => checked.has(taskDefinitionId)).map(({ id }) => id));
}

async function readTaskSets(database: Kysely<OrchestratorTables>, serviceId: number): Promise<ServiceView['taskSets']> {
  const rows = await database
    .selectFrom('task_set')
    .select(['id', 'status', 'scale', 'stability'])
    .where('service_id', '=', serviceId)
    .orderBy('id')
    .execute();
  return rows.map((row) => ({ ...row, status: row.status as 'PRIMARY' | 'ACTIVE' | 'DRAINING' }));
}

async function openHosts(database: Kysely<OrchestratorTables>, cluster: Cluster, allHosts: string[]): Promise<string[]> {
  const rows = await database
    .selectFrom('container_instance')
    .select('host_id')
    .where('cluster_id', '=', cluster.id)
    .where('status', '!=', 'ACTIVE')
    .execute();
  const closed = new Set(rows.map(({ host_id }) => host_id));
  return allHosts.filter((host) => !closed.has(host));
}
