import { Fault } from '../../core/fault.ts';
import type { OpenFile } from './file-system.ts';
import type { GrowingHash } from './growing-hash.ts';
import { SMALLEST_SLAB, type Slabs } from './slabs.ts';

/** How chunks travel to the disk. */
export interface WriteChunks {
  file: OpenFile;
  /** Where the first byte goes. */
  position: number;
  source: AsyncIterable<Uint8Array>;
  /** More bytes than this raise `blob-too-large`. */
  limit: number;
  /** Takes every byte in order; absent when nobody wants a hash. */
  hash: GrowingHash | undefined;
  slabs: Slabs;
  /** Told after each write how many bytes it added. */
  written(bytes: number): void;
}

/** Full slabs that may wait for the disk and the hash, while the next one fills. */
const UNDER_WAY = 3;

/**
 * Writes `source` and gives the count of its bytes. Chunks are collected in slabs; while full ones are written and hashed,
 * each by a thread of its own, the next is filled. A chunk is copied before the source is asked for another.
 */
export async function writeChunks(options: WriteChunks): Promise<number> {
  const { file, source, limit, hash, slabs } = options;
  let total = 0;
  let position = options.position;
  let slab: Buffer | undefined;
  let filled = 0;
  let writing = Promise.resolve();
  const underWay: Promise<void>[] = [];
  // Seen with the next slab or at the end: the write runs while nobody waits for it.
  let failure: { error: unknown } | undefined;

  const finish = async (full: Buffer, bytes: number, at: number, hashed: Promise<void> | undefined): Promise<void> => {
    const before = writing;
    writing = before.then(async () => {
      if (failure !== undefined) return;
      try {
        await file.write([full.subarray(0, bytes)], at);
        options.written(bytes);
      } catch (error) {
        failure = { error };
      }
    });
    await Promise.all([writing, hashed]);
    slabs.give(full);
  };

  const flush = async (): Promise<void> => {
    if (slab === undefined || filled === 0) return;
    if (underWay.length >= (slab.length > SMALLEST_SLAB ? UNDER_WAY : 1)) await underWay.shift();
    if (failure !== undefined) throw failure.error;
    const [full, bytes, at] = [slab, filled, position];
    slab = undefined;
    filled = 0;
    position += bytes;
    underWay.push(finish(full, bytes, at, hash?.update(full.subarray(0, bytes))));
  };

  try {
    for await (const chunk of source) {
      total += chunk.length;
      if (total > limit) throw new Fault('blob-too-large', { limit });
      for (let from = 0; from < chunk.length;) {
        slab ??= slabs.take();
        const part =
          from === 0 && chunk.length <= slab.length - filled ? chunk : chunk.subarray(from, from + slab.length - filled);
        // Not `set`: into shared memory that copies word by word, three times slower.
        slab.fill(part, filled, filled + part.length);
        filled += part.length;
        from += part.length;
        if (filled === slab.length) await flush();
      }
    }
    await flush();
  } finally {
    // Nothing may still be writing when the caller cuts the file back, nor be read when a slab is lent again.
    await Promise.all(underWay);
    if (slab !== undefined) slabs.give(slab);
  }
  if (failure !== undefined) throw failure.error;
  return total;
}
