import { releaseHolds } from '../registry/holds.ts';
import { taskArn } from './arn.ts';
import { clusterById } from './cluster-rows.ts';
import type { OrchestratorContext, OrchestratorTransaction } from './context.ts';
import { holdImage } from './image-holds.ts';
import type { TaskContainer, TaskRow } from './task-rows.ts';

/** Holds of single tasks in the registry; the holder is the task's ARN. */
export const TASK_HOLD_KIND = 'task';

/**
 * Keeps what a task runs from being deleted for as long as it runs, in the transaction that writes what was seen of it. A
 * service's task that was started by a digest needs none: its revision holds that.
 */
export async function followTaskHolds(
  transaction: OrchestratorTransaction,
  context: Pick<OrchestratorContext, 'clock' | 'ids' | 'ownRegistry'>,
  { before, after }: { before: TaskRow; after: TaskRow },
): Promise<void> {
  if (context.ownRegistry === undefined || before.lastStatus === 'STOPPED') return;
  const own = after.document.containers.filter((container) => needsHold(after, container));
  if (own.length === 0) return;
  const holder = async (): Promise<string> => {
    const cluster = await clusterById(transaction, after.clusterId);
    return taskArn(cluster, cluster.name, after.id);
  };
  if (after.lastStatus === 'STOPPED') {
    if (own.some(({ name }) => reportedDigest(before, name) !== undefined))
      await releaseHolds(transaction, { kind: TASK_HOLD_KIND, holder: await holder() });
    return;
  }
  for (const { name, written } of own) {
    const digest = reportedDigest(after, name);
    if (digest === undefined || digest === reportedDigest(before, name)) continue;
    const arn = await holder();
    // One that was gone before has been unpacked here, or its task will say that it could not be pulled.
    await holdImage(transaction, context, {
      image: written,
      digest,
      kind: TASK_HOLD_KIND,
      holder: arn,
      note: `container ${name} of a task of ${after.group}`,
      principal: arn,
      since: after.createdAt,
    });
  }
}

function needsHold({ serviceId }: TaskRow, { digest }: TaskContainer): boolean {
  return serviceId === undefined || digest === undefined;
}

function reportedDigest({ sight }: TaskRow, container: string) {
  return sight.containers.find(({ name }) => name === container)?.imageDigest;
}
