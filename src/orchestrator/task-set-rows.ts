import type { Kysely, Selectable } from 'kysely';
import { ecsArn } from './arn.ts';
import type { OrchestratorTables } from './context.ts';
import { ecsFault } from './ecs-faults.ts';
import type { ServiceTables } from './schema-services.ts';
import type { ServiceRecord } from './service-rows.ts';

/** What `task_set.document` holds. */
export interface TaskSetDocument {
  launchType: ServiceRecord['launchType'];
  externalId?: string;
  startedBy?: string;
  clientToken?: string;
}

export interface TaskSetRecord {
  readonly id: string;
  readonly serviceId: number;
  readonly status: 'PRIMARY' | 'ACTIVE' | 'DRAINING';
  /** Percent. */
  readonly scale: number;
  readonly stability: 'STEADY_STATE' | 'STABILIZING';
  readonly stabilityAt: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly document: TaskSetDocument;
}

export function toTaskSet(row: Selectable<ServiceTables['task_set']>): TaskSetRecord {
  return {
    id: row.id,
    serviceId: row.service_id,
    status: row.status as TaskSetRecord['status'],
    scale: row.scale,
    stability: row.stability as TaskSetRecord['stability'],
    stabilityAt: row.stability_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    document: JSON.parse(row.document) as TaskSetDocument,
  };
}

export function taskSetArn(service: ServiceRecord, id: string): string {
  return ecsArn(service, `task-set/${service.clusterName}/${service.name}/ecs-svc/${id}`);
}

/** The digits of a task set's short id or ARN. */
export function taskSetIdOf(service: ServiceRecord, idOrArn: string): string | undefined {
  const digits = /ecs-svc\/([0-9]{1,19})$/.exec(idOrArn)?.[1];
  if (digits === undefined) return undefined;
  return idOrArn === `ecs-svc/${digits}` || idOrArn === taskSetArn(service, digits) ? digits : undefined;
}

/** Raises `ecs` (TaskSetNotFoundException). */
export async function getTaskSet(
  database: Kysely<OrchestratorTables>,
  service: ServiceRecord,
  idOrArn: string,
): Promise<TaskSetRecord> {
  const id = taskSetIdOf(service, idOrArn);
  const row =
    id === undefined
      ? undefined
      : await database
          .selectFrom('task_set')
          .selectAll()
          .where('service_id', '=', service.id)
          .where('id', '=', id)
          .executeTakeFirst();
  if (row === undefined) throw ecsFault('TaskSetNotFoundException', 'The specified task set does not exist.');
  return toTaskSet(row);
}
