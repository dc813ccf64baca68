import type { Digest } from '../core/digest.ts';
import { isFault } from '../core/fault.ts';
import { parseReference, type Reference } from '../core/reference.ts';
import { takeHold } from '../registry/holds.ts';
import { toRepository } from '../registry/repository-rows.ts';
import type { OrchestratorContext, OrchestratorTransaction } from './context.ts';

export interface ImageHold {
  /** As it is written. */
  image: string;
  digest: Digest;
  kind: string;
  holder: string;
  note: string;
  principal: string;
}

/**
 * Holds an image that lives in our own registry, inside the caller's transaction. `missing`: it is not there, so it can
 * neither be held nor pulled. `elsewhere`: another registry's, over which we have no say.
 */
export async function holdImage(
  transaction: OrchestratorTransaction,
  context: Pick<OrchestratorContext, 'clock' | 'ids' | 'ownRegistry'>,
  { image, digest, kind, holder, note, principal }: ImageHold,
): Promise<'held' | 'missing' | 'elsewhere'> {
  const reference = readReference(image);
  const place = reference === undefined ? undefined : context.ownRegistry?.(reference.host);
  if (reference === undefined || place === undefined) return 'elsewhere';
  const row = await transaction
    .selectFrom('repository')
    .selectAll()
    .where('account', '=', place.account)
    .where('region', '=', place.region)
    .where('name', '=', reference.path)
    .executeTakeFirst();
  if (row === undefined) return 'missing';
  try {
    await takeHold(transaction, context, { ...place, principal }, toRepository(row), { digest, kind, holder, note });
    return 'held';
  } catch (error) {
    // It says so before it has written anything, so the transaction can go on.
    if (isFault(error, 'image-unknown')) return 'missing';
    throw error;
  }
}

/** Undefined for what is no reference: it cannot be pulled either. */
export function readReference(image: string): Reference | undefined {
  try {
    return parseReference(image);
  } catch (error) {
    if (isFault(error, 'reference-invalid')) return undefined;
    throw error;
  }
}
