import type { OrchestratorTransaction } from './context.ts';
import { isStrict } from './revision-images.ts';
import { holdImages, releaseOldRevisions } from './revision-holds.ts';
import { addEvent, eventText } from './service-events.ts';
import { endMonitoring } from './breaker-monitor.ts';
import { deploymentId, type RevisionRecord } from './service-rows.ts';
import { goBackTo, rollbackTarget, updateDeployment } from './start-deployment.ts';
import { revisionOf, unsettled, type StepOf, type Work } from './step-work.ts';

/** Three attempts at learning the digests have failed: by tag where that was not ruled out, else not at all. */
export async function giveUpResolution(work: Work, { revision: id }: StepOf<'give-up-resolution'>): Promise<void> {
  const { transaction, context, view, effects } = work;
  const revision = revisionOf(work, id);
  if (revision.resolveBy === 'registry' || isStrict(revision.document.images)) {
    // What a tag says by now is not what was deployed: better no deployment than that.
    await failDeployment(work, revision, {
      rollback: false,
      event: 'its image tags could not be resolved to digests.',
      rolloutReason: `ECS deployment ${deploymentId(id)} failed: its image tags could not be resolved to digests.`,
      back: (target) => `ECS deployment ${deploymentId(id)} failed: rolling back to deploymentId ${deploymentId(target)}.`,
      statusReason: 'Service deployment rolled back because image tags could not be resolved to digests.',
      stoppedReason: 'Service deployment stopped because image tags could not be resolved to digests.',
    });
    return;
  }
  await transaction
    .updateTable('service_revision')
    .set({ resolution: 'GAVE_UP', updated_at: context.clock.now() })
    .where('id', '=', id)
    .execute();
  await addEvent(transaction, context, view.service, eventText.byTag(id));
  effects.again = true;
}

/** All of the deployment's tasks are healthy and none is of another. */
export async function complete(work: Work, { revision: id }: StepOf<'complete'>): Promise<void> {
  const { transaction, context, view, effects } = work;
  const { service, deployment } = view;
  const now = context.clock.now();
  const revision = revisionOf(work, id);
  // Once more: what was not there when the revision was made may have come since.
  const { held } = await holdImages(transaction, context, service, revision, revision.document.images);
  await transaction
    .updateTable('service_revision')
    .set({
      rollout: 'COMPLETED',
      rollout_reason: `ECS deployment ${deploymentId(id)} completed.`,
      completed_at: await afterAllOthers(transaction, service.id, now),
      updated_at: now,
      held: held > 0 ? 1 : 0,
    })
    .where('id', '=', id)
    .execute();
  if (deployment !== undefined) {
    const rolledBack = deployment.targetRevision !== id;
    await updateDeployment(
      transaction,
      deployment,
      now,
      {
        status: rolledBack ? 'ROLLBACK_SUCCESSFUL' : 'SUCCESSFUL',
        finished_at: now,
        stage: 'CLEAN_UP',
        started_at: deployment.startedAt ?? now,
      },
      endMonitoring(service, deployment.document, revision.tally.failures),
    );
  }
  await releaseOldRevisions(transaction, service, context.settings.keptRevisions);
  await addEvent(transaction, context, service, eventText.completed(id));
  const { impaired: _impaired, ...conditions } = unsettled(work.conditions);
  work.conditions = conditions;
  effects.again = true;
}

/** The order in which revisions were completed is the order of going back, also when the clock was set back meanwhile. */
async function afterAllOthers(transaction: OrchestratorTransaction, serviceId: number, now: number): Promise<number> {
  const row = await transaction
    .selectFrom('service_revision')
    .select(({ fn }) => fn.max('completed_at').as('last'))
    .where('service_id', '=', serviceId)
    .executeTakeFirst();
  return Math.max(now, Number(row?.last ?? 0) + 1);
}

interface FailureWords {
  rollback: boolean;
  event: string;
  rolloutReason: string;
  back(target: string): string;
  statusReason: string;
  stoppedReason: string;
}

/** Ends the deployment, and goes back to the last successful revision if that is wanted and there is one. */
export async function failDeployment(work: Work, revision: RevisionRecord, words: FailureWords): Promise<void> {
  const { transaction, context, view, effects } = work;
  const { service, deployment } = view;
  const now = context.clock.now();
  await transaction
    .updateTable('service_revision')
    .set({ rollout: 'FAILED', rollout_reason: words.rolloutReason, updated_at: now })
    .where('id', '=', revision.id)
    .execute();
  await addEvent(transaction, context, service, eventText.failed(revision.id, words.event));
  // A roll-back that fails is the end: going back and forth helps nobody.
  const isRollback = deployment !== undefined && deployment.targetRevision !== revision.id;
  const target = words.rollback && !isRollback ? await rollbackTarget(transaction, service.id, revision.id) : undefined;
  if (target !== undefined) await goBackTo(transaction, context, service, target, words.back(target.id));
  if (deployment !== undefined) {
    const document = {
      ...endMonitoring(service, deployment.document, revision.tally.failures, true),
      ...(target === undefined ? {} : { rollback: { reason: words.statusReason, startedAt: now, revision: target.id } }),
    };
    const change =
      target !== undefined
        ? { status: 'ROLLBACK_IN_PROGRESS', status_reason: words.statusReason }
        : {
            status: isRollback ? 'ROLLBACK_FAILED' : 'STOPPED',
            status_reason: words.stoppedReason,
            finished_at: now,
            stopped_at: now,
          };
    await updateDeployment(transaction, deployment, now, { started_at: deployment.startedAt ?? now, ...change }, document);
  }
  const { impaired: _impaired, ...conditions } = unsettled(work.conditions);
  work.conditions = conditions;
  effects.again = true;
}
