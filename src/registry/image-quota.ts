import { Fault } from '../core/fault.ts';
import { createLruCache } from '../core/lru-cache.ts';
import type { RegistryTransaction } from './context.ts';

/** Counted anew after so many pushes, so that other servers on the same database are noticed, too. */
const RECOUNT_AFTER = 1_000;

export interface ImageQuota {
  /** Raises `limit-exceeded` when the repository is full. Call it once for each image that is going to be stored. */
  take(transaction: RegistryTransaction, repositoryId: number): Promise<void>;
}

/**
 * Knows of each repository how many images surely still fit, and counts only when that is used up: a push does not get
 * slower with the images that are there. Deleting makes more room than is known of; that is found at the next count.
 */
export function createImageQuota(limit: number): ImageQuota {
  const room = createLruCache<number, number>(10_000);
  return {
    async take(transaction, repositoryId) {
      const known = room.get(repositoryId) ?? 0;
      if (known > 0) {
        room.set(repositoryId, known - 1);
        return;
      }
      // Archived images do not count; telling them apart costs more, so only where it matters.
      const left =
        Math.max(0, limit - (await count(transaction, repositoryId, 'any'))) ||
        limit - (await count(transaction, repositoryId, 'standard'));
      if (left <= 0) {
        room.delete(repositoryId);
        throw new Fault('limit-exceeded', { what: 'images per repository', limit });
      }
      room.set(repositoryId, Math.min(left, RECOUNT_AFTER) - 1);
    },
  };
}

async function count(transaction: RegistryTransaction, repositoryId: number, storageClass: 'any' | 'standard'): Promise<number> {
  let query = transaction
    .selectFrom('manifest')
    .select((builder) => builder.fn.countAll<number>().as('count'))
    .where('repository_id', '=', repositoryId);
  if (storageClass === 'standard') query = query.where('storage_class', '=', 'standard');
  return Number((await query.executeTakeFirstOrThrow()).count);
}
