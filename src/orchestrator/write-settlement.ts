import type { OrchestratorContext, OrchestratorTransaction } from './context.ts';
import type { Settlement } from './decide-service.ts';
import { holdImages, releaseOldRevisions, releaseService } from './revision-holds.ts';
import { addEvent, eventText, wasSaid } from './service-events.ts';
import type { RevisionDocument, RevisionRecord } from './service-rows.ts';
import type { ServiceView } from './service-view.ts';
import { stopCurrent } from './start-deployment.ts';
import type { SteadyTime } from './steady-time.ts';

/**
 * Writes what has come about. A pilot's digests are written with their holds; where one of them cannot be held, because
 * the image was deleted meanwhile, they are not written at all: gives the settlement without them, an attempt spent, and
 * the pilot that must go.
 */
export async function writeSettlement(
  transaction: OrchestratorTransaction,
  context: OrchestratorContext,
  view: ServiceView,
  settlement: Settlement,
  steady: Pick<SteadyTime, 'toWall'>,
): Promise<{ settlement: Settlement; unheld?: string }> {
  const { service } = view;
  const now = context.clock.now();
  let written = settlement;
  let unheld: string | undefined;

  const stopped = [...settlement.ended.map(({ id }) => id), ...view.forgotten];
  if (stopped.length > 0) await transaction.deleteFrom('service_task').where('task_id', 'in', stopped).execute();
  if (settlement.healthy.length > 0) {
    await transaction.updateTable('service_task').set({ healthy_at: now }).where('task_id', 'in', settlement.healthy).execute();
  }
  for (const { stopCode, stoppedReason = '' } of settlement.ended) {
    if (stopCode !== 'TaskFailedToStart') continue;
    const text = eventText.unplaced(stoppedReason.endsWith('.') ? stoppedReason : `${stoppedReason}.`);
    if (!(await wasSaid(transaction, service, text, now))) await addEvent(transaction, context, service, text);
  }
  if (settlement.captured !== undefined) {
    const { revision, pilot, images } = settlement.captured;
    const failure = await recordDigests(transaction, context, view, revision, images);
    if (failure !== undefined) {
      const before = view.revisions.find(({ id }) => id === revision);
      const tally = settlement.tallies.get(revision) ?? before?.tally;
      const tallies = new Map(settlement.tallies);
      // A pilot that lives is counted when it has been stopped.
      if (settlement.ended.some(({ id }) => id === pilot) && tally !== undefined) {
        tallies.set(revision, { ...tally, resolveAttempts: tally.resolveAttempts + 1 });
      } else {
        unheld = pilot;
      }
      const { captured: _captured, ...rest } = settlement;
      written = { ...rest, tallies };
    }
  }
  for (const [revision, { lastFailureAt, ...tally }] of written.tallies) {
    const at = lastFailureAt === undefined ? {} : { lastFailureAt: Math.round(steady.toWall(lastFailureAt)) };
    await writeTally(transaction, revision, { ...tally, ...at }, now);
  }
  if (settlement.gone.length > 0) {
    await transaction
      .updateTable('service_revision')
      .set({ role: 'GONE', updated_at: now })
      .where('id', 'in', settlement.gone)
      .execute();
    await releaseOldRevisions(transaction, service, context.settings.keptRevisions);
  }
  for (const { id, stability } of settlement.turned) {
    await transaction
      .updateTable('task_set')
      .set({ stability, stability_at: now, updated_at: now })
      .where('id', '=', id)
      .execute();
  }
  for (const id of settlement.emptyTaskSets) {
    await transaction.deleteFrom('task_set').where('id', '=', id).execute();
    await transaction.updateTable('service_revision').set({ role: 'GONE', updated_at: now }).where('id', '=', id).execute();
  }
  if (settlement.emptyTaskSets.length > 0) await releaseOldRevisions(transaction, service, 0);
  if (settlement.isEmpty) {
    await stopCurrent(transaction, service, now, 'Service deployment stopped because the service was deleted.');
    await releaseService(transaction, service);
    await transaction.updateTable('service').set({ status: 'INACTIVE' }).where('id', '=', service.id).execute();
    await transaction.deleteFrom('service_deployment').where('service_id', '=', service.id).execute();
    await transaction.deleteFrom('task_set').where('service_id', '=', service.id).execute();
    await transaction.deleteFrom('service_revision').where('service_id', '=', service.id).execute();
  }
  return { settlement: written, ...(unheld === undefined ? {} : { unheld }) };
}

/**
 * Writes a revision's digests with the holds on them; all of it or nothing. Gives the reason when they cannot be held,
 * and has then told it as an event.
 */
export async function recordDigests(
  transaction: OrchestratorTransaction,
  context: OrchestratorContext,
  { service, revisions }: Pick<ServiceView, 'service' | 'revisions'>,
  revisionId: string,
  images: RevisionDocument['images'],
): Promise<string | undefined> {
  const revision = revisions.find(({ id }) => id === revisionId);
  // First writer wins.
  if (revision?.resolution !== 'PENDING') return undefined;
  const { held, missing } = await holdImages(transaction, context, service, revision, images);
  // An image that is written with its digest says itself that it is not there.
  const lost = missing.filter(
    (name) => !revision.document.images.some(({ digest }) => digest !== undefined && name.includes(digest)),
  );
  if (lost.length > 0) {
    const reason = `${lost.join(', ')} is not in the registry any more.`;
    await addEvent(transaction, context, service, eventText.unresolved(revisionId, reason));
    return reason;
  }
  const document: RevisionDocument = { ...revision.document, images };
  await transaction
    .updateTable('service_revision')
    .set({ resolution: 'RESOLVED', document: JSON.stringify(document), held: held > 0 ? 1 : 0, updated_at: context.clock.now() })
    .where('id', '=', revisionId)
    .execute();
  return undefined;
}

export async function writeTally(
  transaction: OrchestratorTransaction,
  revision: string,
  { failures, failedStarts, resolveAttempts, lastFailureAt }: RevisionRecord['tally'],
  now: number,
): Promise<void> {
  await transaction
    .updateTable('service_revision')
    .set({
      failures,
      failed_starts: failedStarts,
      resolve_attempts: resolveAttempts,
      last_failure_at: lastFailureAt ?? null,
      updated_at: now,
    })
    .where('id', '=', revision)
    .execute();
}
