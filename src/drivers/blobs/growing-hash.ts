import { createHash, type Hash } from 'node:crypto';
import type { DigestAlgorithm } from '../../core/digest.ts';
import type { HashThread, HashThreads } from './hash-threads.ts';
import { LARGEST_SLAB } from './slabs.ts';

/** The hash of an upload's bytes so far. */
export interface GrowingHash {
  /** Takes the next bytes, which are in shared memory. They must stay as they are until the promise is settled, if there is one. */
  update(bytes: Uint8Array): Promise<void> | undefined;
  /** A hash of the same bytes that goes its own way from here. */
  copy(): GrowingHash;
  /** In hex; `undefined` when its thread has died and somebody else has to hash the bytes. The hash can grow on. */
  digest(): Promise<string | undefined>;
  /** Lets go of what it holds elsewhere. Every hash and every copy ends with this. */
  free(): void;
}

/**
 * Begins here, since most blobs are small and would only wait for a thread; moves to a thread when the first bytes are a
 * whole slab, because a large blob would take the event loop from everybody else.
 */
export function createGrowingHash(algorithm: DigestAlgorithm, threads: HashThreads): GrowingHash {
  return local(createHash(algorithm), false, algorithm, threads);
}

function local(hash: Hash, hasBytes: boolean, algorithm: DigestAlgorithm, threads: HashThreads): GrowingHash {
  let begun = hasBytes;
  let moved: GrowingHash | undefined;
  return {
    update(bytes) {
      if (!begun && bytes.length === LARGEST_SLAB) {
        const thread = threads.join();
        moved = remote(thread, thread.start(algorithm), threads);
      }
      begun = true;
      if (moved !== undefined) return moved.update(bytes);
      hash.update(bytes);
      return undefined;
    },
    copy: () => moved?.copy() ?? local(hash.copy(), begun, algorithm, threads),
    digest: () => moved?.digest() ?? Promise.resolve(hash.copy().digest('hex')),
    free: () => moved?.free(),
  };
}

function remote(thread: HashThread, key: number, threads: HashThreads): GrowingHash {
  return {
    update: (bytes) => thread.update(key, bytes),
    copy() {
      threads.join(thread);
      return remote(thread, thread.copy(key), threads);
    },
    digest: () => thread.digest(key),
    free() {
      thread.free(key);
      threads.leave(thread);
    },
  };
}
