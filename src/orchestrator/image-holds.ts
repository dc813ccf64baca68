import type { Digest } from '../core/digest.ts';
import { isFault } from '../core/fault.ts';
import { parseReference, type Reference } from '../core/reference.ts';
import { takeHold } from '../registry/holds.ts';
import { reviveImage } from '../registry/image-revive.ts';
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
  /** When whoever holds it began to use it (milliseconds): what was deleted from then on comes back. */
  since: number;
}

/**
 * Holds an image that lives in our own registry, inside the caller's transaction. `missing`: it is not there, so it can
 * neither be held nor pulled; one that was deleted since its holder began to use it is brought back instead.
 * `elsewhere`: another registry's, over which we have no say.
 */
export async function holdImage(
  transaction: OrchestratorTransaction,
  context: Pick<OrchestratorContext, 'clock' | 'ids' | 'ownRegistry'>,
  { image, digest, kind, holder, note, principal, since }: ImageHold,
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
  const repository = toRepository(row);
  const caller = { ...place, principal };
  const take = async (): Promise<boolean> => {
    try {
      await takeHold(transaction, context, caller, repository, { digest, kind, holder, note });
      return true;
    } catch (error) {
      // It says so before it has written anything, so the transaction can go on.
      if (isFault(error, 'image-unknown')) return false;
      throw error;
    }
  };
  // A deletion may come between the look at a tag and the hold: what is about to run is in use, and stays.
  const isHeld =
    (await take()) || ((await reviveImage(transaction, context, caller, repository, { digest, since })) && (await take()));
  return isHeld ? 'held' : 'missing';
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
