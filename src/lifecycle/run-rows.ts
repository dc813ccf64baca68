import type { Kysely } from 'kysely';
import type { Digest } from '../core/digest.ts';
import type { Place } from '../core/place.ts';
import type { RepositoryName } from '../core/repository-name.ts';
import type { LifecycleTransaction } from './context.ts';
import type { LifecycleRun } from './lifecycle.ts';
import type { LifecycleTables } from './schema.ts';

/** What of a run is told and not counted. */
export interface RunDetail {
  waits?: string;
  left: { digest: Digest; reason: string }[];
}

export type RunRow = LifecycleTables['lifecycle_run'];

/** Inserts the run, or brings its row up to date. */
export async function writeRun(transaction: LifecycleTransaction, row: RunRow): Promise<void> {
  const { id: _id, ...columns } = row;
  await transaction
    .insertInto('lifecycle_run')
    .values(row)
    .onConflict((conflict) => conflict.column('id').doUpdateSet(columns))
    .execute();
}

/** A run that has waited is answered by the next one. */
export async function forgetWaiting(
  transaction: LifecycleTransaction,
  { account, region, name }: Place & { name: RepositoryName },
): Promise<void> {
  await transaction
    .deleteFrom('lifecycle_run')
    .where('account', '=', account)
    .where('region', '=', region)
    .where('repository', '=', name)
    .where('status', '=', 'waiting')
    .execute();
}

export async function findRun(
  database: Kysely<LifecycleTables>,
  { account, region, name }: Place & { name: RepositoryName },
  id: string,
): Promise<RunRow | undefined> {
  return database
    .selectFrom('lifecycle_run')
    .selectAll()
    .where('id', '=', id)
    .where('account', '=', account)
    .where('region', '=', region)
    .where('repository', '=', name)
    .executeTakeFirst();
}

export function readDetail(row: RunRow): RunDetail {
  return JSON.parse(row.detail) as RunDetail;
}

/** `active`: ids of the runs that this server is doing. */
export function toRun(row: RunRow, active: ReadonlySet<string>): LifecycleRun {
  const { waits, left } = readDetail(row);
  const isLost = row.status === 'running' && !active.has(row.id);
  return {
    id: row.id,
    repository: row.repository as RepositoryName,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    status: isLost ? 'interrupted' : (row.status as LifecycleRun['status']),
    principal: row.principal,
    images: row.images,
    expired: row.expired,
    archived: row.archived,
    held: row.held,
    left,
    ...(waits === undefined ? {} : { waits }),
  };
}
