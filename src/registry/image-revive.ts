import type { Digest } from '../core/digest.ts';
import { isFault } from '../core/fault.ts';
import type { Caller } from '../core/place.ts';
import type { RegistryContext, RegistryTransaction } from './context.ts';
import { activateImage } from './image-archive.ts';
import { restoreWithTags } from './image-restore.ts';
import type { Repository } from './registry.ts';

/**
 * Brings back an image that was deleted or archived at `since` or later, as it was, inside the caller's transaction: somebody
 * had begun to use it before, and could not hold it yet. False when there is no such image, or it cannot come back.
 */
export async function reviveImage(
  transaction: RegistryTransaction,
  { clock }: Pick<RegistryContext, 'clock'>,
  caller: Caller,
  repository: Repository,
  { digest, since }: { digest: Digest; since: number },
): Promise<boolean> {
  const archived = await transaction
    .selectFrom('manifest')
    .select('id')
    .where('repository_id', '=', repository.id)
    .where('digest', '=', digest)
    .where('storage_class', '=', 'archive')
    .where('archived_at', '>=', since)
    .executeTakeFirst();
  const deleted = await transaction
    .selectFrom('deleted_manifest')
    .select('id')
    .where('account', '=', repository.account)
    .where('region', '=', repository.region)
    .where('repository', '=', repository.name)
    .where('digest', '=', digest)
    .where('deleted_at', '>=', since)
    .executeTakeFirst();
  try {
    if (archived !== undefined) await activateImage(transaction, caller, repository, { id: archived.id, digest }, clock.now());
    else if (deleted === undefined) return false;
    else await restoreWithTags(transaction, { clock }, caller, repository, digest);
    return true;
  } catch (error) {
    // Both are found out before anything is written, so the transaction can go on.
    if (isFault(error, 'storage-class-unsupported') || isFault(error, 'children-unknown')) return false;
    throw error;
  }
}
