import type { Digest } from '../core/digest.ts';

/** Runs `work` when nobody else in this process works on the blob; in order of asking. */
export type BlobLocks = <T>(digest: Digest, work: () => Promise<T>) => Promise<T>;

/**
 * One lock a digest. The blob store does not order `publish` and `remove` of one digest, and bytes and row change one
 * after the other: whoever changes either holds the lock for as long as the two may disagree.
 */
export function createBlobLocks(): BlobLocks {
  const tails = new Map<Digest, Promise<void>>();
  return async (digest, work) => {
    const before = tails.get(digest);
    const done = Promise.withResolvers<void>();
    tails.set(digest, done.promise);
    await before;
    try {
      return await work();
    } finally {
      if (tails.get(digest) === done.promise) tails.delete(digest);
      done.resolve();
    }
  };
}
