import type { Updateable } from 'kysely';
import type { OrchestratorTransaction } from './context.ts';
import type { TaskTables } from './schema.ts';
import { toTask, type StopCode, type TaskRow } from './task-rows.ts';

/** A task has changed, as its row says now. */
export interface TaskChange {
  before: TaskRow;
  after: TaskRow;
}

const CHUNK = 200;

/** Reads rows, writes what `change` makes of them with a version more, and gives both; undefined leaves a row alone. */
export async function changeRows(
  transaction: OrchestratorTransaction,
  ids: string[],
  change: (row: TaskRow) => TaskRow | undefined,
): Promise<TaskChange[]> {
  const changes: TaskChange[] = [];
  for (let at = 0; at < ids.length; at += CHUNK) {
    const rows = await transaction
      .selectFrom('task')
      .selectAll()
      .where('id', 'in', ids.slice(at, at + CHUNK))
      .execute();
    for (const before of rows.map(toTask)) {
      const changed = change(before);
      if (changed === undefined) continue;
      const after = { ...changed, version: before.version + 1 };
      await transaction.updateTable('task').set(columnsOf(before, after)).where('id', '=', after.id).execute();
      changes.push({ before, after });
    }
  }
  return changes;
}

const COLUMNS = {
  desired_status: 'desiredStatus',
  last_status: 'lastStatus',
  health: 'health',
  version: 'version',
  pull_started_at: 'pullStartedAt',
  pull_stopped_at: 'pullStoppedAt',
  started_at: 'startedAt',
  stopping_at: 'stoppingAt',
  execution_stopped_at: 'executionStoppedAt',
  stopped_at: 'stoppedAt',
  stop_code: 'stopCode',
  stopped_reason: 'stoppedReason',
  protected_until: 'protectedUntil',
} as const satisfies { [column in keyof Updateable<TaskTables['task']>]?: keyof TaskRow };

/** Only what is new: every other column that is named would have its indexes written, too. */
function columnsOf(before: TaskRow, after: TaskRow): Updateable<TaskTables['task']> {
  const changed = Object.entries(COLUMNS).filter(([, member]) => before[member] !== after[member]);
  const sight = JSON.stringify(after.sight);
  return {
    ...Object.fromEntries(changed.map(([column, member]) => [column, after[member] ?? null])),
    ...(after.sight === before.sight || sight === JSON.stringify(before.sight) ? {} : { sight }),
  };
}

/** The row of a task that the runtime has not got, ended; undefined when it has ended already. */
export function endOf(row: TaskRow, now: number, why: { code: StopCode; reason: string }): TaskRow | undefined {
  if (row.lastStatus === 'STOPPED') return undefined;
  return {
    ...row,
    desiredStatus: 'STOPPED',
    lastStatus: 'STOPPED',
    stoppingAt: row.stoppingAt ?? now,
    stoppedAt: now,
    stopCode: row.stopCode ?? why.code,
    stoppedReason: row.stoppedReason ?? why.reason,
    sight: { ...row.sight, containers: row.sight.containers.map((container) => ({ ...container, status: 'STOPPED' })) },
  };
}
