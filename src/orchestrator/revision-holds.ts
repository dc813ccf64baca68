import { releaseHolds } from '../registry/holds.ts';
import type { OrchestratorContext, OrchestratorTransaction } from './context.ts';
import { holdImage } from './image-holds.ts';
import { revisionArn, type RevisionImage, type ServiceRecord } from './service-rows.ts';

/** Holds of service revisions in the registry; the holder is the revision's ARN, which says the service's name. */
export const HOLD_KIND = 'service-revision';

/**
 * Takes a hold on each digest of the revision that lives in our own registry, in the transaction that writes them down.
 * Gives the images that are not there (any more): they cannot be held, nor pulled. Images of other registries are theirs.
 */
export async function holdImages(
  transaction: OrchestratorTransaction,
  context: Pick<OrchestratorContext, 'clock' | 'ids' | 'ownRegistry'>,
  service: ServiceRecord,
  revision: { id: string; createdAt: number },
  images: RevisionImage[],
): Promise<{ held: number; missing: string[] }> {
  let held = 0;
  const missing: string[] = [];
  for (const { image, digest, containerName } of images) {
    if (digest === undefined) continue;
    const outcome = await holdImage(transaction, context, {
      image,
      digest,
      kind: HOLD_KIND,
      holder: revisionArn(service, revision.id),
      note: `container ${containerName} of service ${service.name}`,
      principal: service.arn,
      since: revision.createdAt,
    });
    if (outcome === 'held') held += 1;
    if (outcome === 'missing') missing.push(`${image} (${digest})`);
  }
  return { held, missing };
}

export async function releaseRevision(
  transaction: OrchestratorTransaction,
  service: ServiceRecord,
  revision: string,
): Promise<void> {
  await releaseHolds(transaction, { kind: HOLD_KIND, holder: revisionArn(service, revision) });
  await transaction.updateTable('service_revision').set({ held: 0 }).where('id', '=', revision).execute();
}

/**
 * Lets go of the images of revisions that neither run nor can be gone back to: those that are GONE and not among the
 * last successful ones.
 */
export async function releaseOldRevisions(
  transaction: OrchestratorTransaction,
  service: ServiceRecord,
  keptRevisions: number,
): Promise<void> {
  const kept = await transaction
    .selectFrom('service_revision')
    .select('id')
    .where('service_id', '=', service.id)
    .where('completed_at', 'is not', null)
    .orderBy('completed_at', 'desc')
    .orderBy('id', 'desc')
    .limit(keptRevisions)
    .execute();
  const held = await transaction
    .selectFrom('service_revision')
    .select('id')
    .where('service_id', '=', service.id)
    .where('role', '=', 'GONE')
    .where('held', '=', 1)
    .execute();
  const keep = new Set(kept.map(({ id }) => id));
  for (const { id } of held) if (!keep.has(id)) await releaseRevision(transaction, service, id);
}

/** All of a service's, when it goes. */
export async function releaseService(transaction: OrchestratorTransaction, service: ServiceRecord): Promise<void> {
  const held = await transaction
    .selectFrom('service_revision')
    .select('id')
    .where('service_id', '=', service.id)
    .where('held', '=', 1)
    .execute();
  for (const { id } of held) await releaseRevision(transaction, service, id);
}
