import type { Digest } from '../core/digest.ts';

export interface BodyCache {
  get(digest: Digest): Uint8Array | undefined;
  set(digest: Digest, body: Uint8Array): void;
}

/** What an entry costs beside its bytes. */
const OVERHEAD = 500;

/**
 * Bodies of manifests by digest, at most `capacity` bytes of them, those that were read last. The content of a digest
 * never changes, so nothing here gets old; whether it may be served is asked of the database each time.
 */
export function createBodyCache(capacity: number): BodyCache {
  // A Map keeps the order of insertion, so its first key is the one that was not read for the longest time.
  const bodies = new Map<Digest, Uint8Array>();
  let held = 0;
  const drop = (digest: Digest, body: Uint8Array): void => {
    bodies.delete(digest);
    held -= body.length + OVERHEAD;
  };
  return {
    get(digest) {
      const body = bodies.get(digest);
      if (body === undefined) return undefined;
      bodies.delete(digest);
      bodies.set(digest, body);
      return body;
    },
    set(digest, body) {
      const previous = bodies.get(digest);
      if (previous !== undefined) drop(digest, previous);
      // One huge manifest must not push everything else out.
      if (body.length + OVERHEAD > capacity / 8) return;
      bodies.set(digest, body);
      held += body.length + OVERHEAD;
      for (const [oldest, bytes] of bodies) {
        if (held <= capacity) break;
        drop(oldest, bytes);
      }
    },
  };
}
