import type { OrchestratorTransaction } from './context.ts';
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
      await transaction
        .updateTable('task')
        .set({
          desired_status: after.desiredStatus,
          last_status: after.lastStatus,
          health: after.health,
          version: after.version,
          pull_started_at: after.pullStartedAt ?? null,
          pull_stopped_at: after.pullStoppedAt ?? null,
          started_at: after.startedAt ?? null,
          stopping_at: after.stoppingAt ?? null,
          execution_stopped_at: after.executionStoppedAt ?? null,
          stopped_at: after.stoppedAt ?? null,
          stop_code: after.stopCode ?? null,
          stopped_reason: after.stoppedReason ?? null,
          protected_until: after.protectedUntil ?? null,
          sight: JSON.stringify(after.sight),
        })
        .where('id', '=', after.id)
        .execute();
      changes.push({ before, after });
    }
  }
  return changes;
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
