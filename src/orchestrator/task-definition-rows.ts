import type { TaskDefinition } from '@aws-sdk/client-ecs';
import type { Kysely, Selectable } from 'kysely';
import type { Place } from '../core/place.ts';
import { nameOf, taskDefinitionArn } from './arn.ts';
import { clientException, invalidParameter } from './ecs-faults.ts';
import type { Given } from './model.ts';
import type { OrchestratorTables } from './context.ts';
import type { TaskTables } from './schema.ts';

type Outside =
  | 'taskDefinitionArn'
  | 'family'
  | 'revision'
  | 'status'
  | 'registeredAt'
  | 'deregisteredAt'
  | 'deleteRequestedAt'
  | 'registeredBy';
export type ContainerDefinition = NonNullable<Given<TaskDefinition>['containerDefinitions']>[number] & {
  name: string;
  image: string;
};

/** What `task_definition.document` holds: as registered, with the defaults that ECS fills in. */
export type TaskDefinitionDocument = Omit<Given<TaskDefinition>, Outside | 'containerDefinitions'> & {
  containerDefinitions: ContainerDefinition[];
};

export interface TaskDefinitionRecord extends Place {
  readonly id: number;
  readonly family: string;
  readonly revision: number;
  readonly arn: string;
  readonly status: 'ACTIVE' | 'INACTIVE' | 'DELETE_IN_PROGRESS';
  readonly document: TaskDefinitionDocument;
  readonly registeredAt: number;
  readonly registeredBy: string;
  readonly deregisteredAt?: number;
  readonly deleteRequestedAt?: number;
}

export function toTaskDefinition(row: Selectable<TaskTables['task_definition']>): TaskDefinitionRecord {
  return {
    id: row.id,
    account: row.account,
    region: row.region,
    family: row.family,
    revision: row.revision,
    arn: taskDefinitionArn(row, row.family, row.revision),
    status: row.status as TaskDefinitionRecord['status'],
    document: JSON.parse(row.document) as TaskDefinitionDocument,
    registeredAt: row.registered_at,
    registeredBy: row.registered_by,
    ...(row.deregistered_at === null ? {} : { deregisteredAt: row.deregistered_at }),
    ...(row.delete_requested_at === null ? {} : { deleteRequestedAt: row.delete_requested_at }),
  };
}

/** `family`, `family:revision`, or the ARN of one, taken apart. Raises `ecs` for a revision that is no number. */
export function readTaskDefinitionName(place: Place, identifier: string): { family: string; revision?: number } | undefined {
  const name = nameOf(place, 'task-definition', identifier);
  if (name === undefined) return undefined;
  const colon = name.indexOf(':');
  if (colon < 0) return { family: name };
  const text = name.slice(colon + 1);
  if (!/^[0-9]{1,9}$/.test(text)) throw invalidParameter(`Invalid revision number. Number: ${text.slice(0, 100)}`);
  return { family: name.slice(0, colon), revision: Number(text) };
}

/** The revision that is named, or the newest active one of a family; undefined when there is none. */
export async function findTaskDefinition(
  database: Kysely<OrchestratorTables>,
  place: Place,
  identifier: string,
): Promise<TaskDefinitionRecord | undefined> {
  const name = readTaskDefinitionName(place, identifier);
  if (name === undefined) return undefined;
  let query = database
    .selectFrom('task_definition')
    .selectAll()
    .where('account', '=', place.account)
    .where('region', '=', place.region)
    .where('family', '=', name.family);
  query =
    name.revision === undefined
      ? query.where('status', '=', 'ACTIVE').orderBy('revision', 'desc').limit(1)
      : query.where('revision', '=', name.revision);
  const row = await query.executeTakeFirst();
  return row === undefined ? undefined : toTaskDefinition(row);
}

/** One that new tasks, services and updates may use. Raises `ecs`. */
export async function getUsableTaskDefinition(
  database: Kysely<OrchestratorTables>,
  place: Place,
  identifier: string,
): Promise<TaskDefinitionRecord> {
  const found = await findTaskDefinition(database, place, identifier);
  if (found === undefined) throw clientException('TaskDefinition not found.');
  if (found.status !== 'ACTIVE') throw clientException('TaskDefinition is inactive');
  return found;
}

/** By its number, whatever its status: running services go on with it. */
export async function taskDefinitionById(database: Kysely<OrchestratorTables>, id: number): Promise<TaskDefinitionRecord> {
  return toTaskDefinition(
    await database.selectFrom('task_definition').selectAll().where('id', '=', id).executeTakeFirstOrThrow(),
  );
}
