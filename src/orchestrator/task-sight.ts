import type { ObservedTask } from './ports.ts';
import { present, type TaskRow } from './task-rows.ts';

/**
 * A task's row after a snapshot of the runtime; undefined when it says nothing new. What somebody asked for is explained by
 * who asked, whatever the containers did then; a stopped task stays as it is. Pure.
 */
export function applySight(row: TaskRow, observed: ObservedTask): TaskRow | undefined {
  if (row.lastStatus === 'STOPPED' || saysNothing(row, observed)) return undefined;
  const isEnding = observed.status === 'STOPPED' || observed.status === 'STOPPING' || observed.status === 'DEACTIVATING';
  const after: TaskRow = {
    ...row,
    lastStatus: observed.status,
    health: observed.health,
    desiredStatus: isEnding ? 'STOPPED' : row.desiredStatus,
    sight: {
      containers: observed.containers,
      ...(observed.networkInterface === undefined ? {} : { networkInterface: observed.networkInterface }),
    },
    ...present({
      pullStartedAt: observed.pullStartedAt,
      pullStoppedAt: observed.pullStoppedAt,
      startedAt: observed.startedAt,
      stoppingAt: row.stoppingAt ?? observed.stoppingAt,
      executionStoppedAt: observed.executionStoppedAt,
      stoppedAt: observed.stoppedAt,
      stopCode: row.stopCode ?? observed.stopCode,
      stoppedReason: row.stoppedReason ?? observed.stoppedReason,
    }),
  };
  return JSON.stringify(after) === JSON.stringify(row) ? undefined : after;
}

/** That it was accepted, which its row says by being there. */
function saysNothing({ lastStatus, sight }: TaskRow, { status, containers }: ObservedTask): boolean {
  return (
    status === 'PENDING' &&
    lastStatus === status &&
    sight.containers.length === 0 &&
    containers.every(
      ({ status: one, imageDigest, reason }) => one === status && imageDigest === undefined && reason === undefined,
    )
  );
}
