import { isFault } from '../core/fault.ts';
import { parseReference, type Reference } from '../core/reference.ts';
import { takeHold, releaseHolds } from '../registry/holds.ts';
import { toRepository } from '../registry/repository-rows.ts';
import type { OrchestratorContext, OrchestratorTransaction } from './context.ts';
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
  revision: string,
  images: RevisionImage[],
): Promise<{ held: number; missing: string[] }> {
  let held = 0;
  const missing: string[] = [];
  for (const { image, digest, containerName } of images) {
    const reference = readReference(image);
    const place = reference === undefined ? undefined : context.ownRegistry?.(reference.host);
    if (digest === undefined || reference === undefined || place === undefined) continue;
    const row = await transaction
      .selectFrom('repository')
      .selectAll()
      .where('account', '=', place.account)
      .where('region', '=', place.region)
      .where('name', '=', reference.path)
      .executeTakeFirst();
    if (row === undefined) {
      missing.push(`${reference.host}/${reference.path}@${digest}`);
      continue;
    }
    const repository = toRepository(row);
    try {
      await takeHold(
        transaction,
        context,
        { ...place, principal: service.arn },
        repository,
        { digest, kind: HOLD_KIND, holder: revisionArn(service, revision), note: `container ${containerName} of service ${service.name}` },
      );
      held += 1;
    } catch (error) {
      // It says so before it has written anything, so the transaction can go on.
      if (!isFault(error, 'image-unknown')) throw error;
      missing.push(`${reference.host}/${reference.path}@${digest}`);
    }
  }
  return { held, missing };
}

export async function releaseRevision(transaction: OrchestratorTransaction, service: ServiceRecord, revision: string): Promise<void> {
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

export function readReference(image: string): Reference | undefined {
  try {
    return parseReference(image);
  } catch (error) {
    if (isFault(error, 'reference-invalid')) return undefined;
    throw error;
  }
}

