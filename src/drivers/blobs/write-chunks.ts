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
  let room = 0;
  let waiting: Buffer[] = [];
  let written = options.position;
  let writing = Promise.resolve();
  const underWay: Promise<void>[] = [];
  // Seen with the next slab or at the end: the write runs while nobody waits for it.
  let failure: { error: unknown } | undefined;

  /** What has become full while the disk was busy goes to it in one call. */
  const write = async (): Promise<void> => {
    if (waiting.length === 0 || failure !== undefined) return;
    const parts = waiting;
    waiting = [];
    try {
      await file.write(parts, written);
      const bytes = parts.reduce((sum, part) => sum + part.length, 0);
      written += bytes;
      options.written(bytes);
    } catch (error) {
      failure = { error };
    }
  };

  const finish = async (full: Buffer, part: Buffer, hashed: Promise<void> | undefined): Promise<void> => {
    waiting.push(part);
    writing = writing.then(write);
    await Promise.all([writing, hashed]);
    slabs.give(full);
  };

  const flush = async (): Promise<void> => {
    if (slab === undefined || filled === 0) return;
    if (underWay.length >= (slab.length > SMALLEST_SLAB ? UNDER_WAY : 1)) await underWay.shift();
    if (failure !== undefined) throw failure.error;
    const full = slab;
    const part = slab.subarray(0, filled);
    slab = undefined;
    position += filled;
    filled = 0;
    underWay.push(finish(full, part, hash?.update(part)));
  };

  try {
    for await (const chunk of source) {
      total += chunk.length;
      if (total > limit) throw new Fault('blob-too-large', { limit });
      for (let from = 0; from < chunk.length;) {
        if (slab === undefined) {
          slab = slabs.take();
          // The next one begins where a block of the disk does.
          room = slab.length - (position % slab.length);
        }
        const part = from === 0 && chunk.length <= room - filled ? chunk : chunk.subarray(from, from + room - filled);
        // Not `set`: into shared memory that copies word by word, three times slower.
        slab.fill(part, filled, filled + part.length);
        filled += part.length;
        from += part.length;
        if (filled === room) await flush();
      }
    }
    await flush();
  } finally {
    // Nothing may still be writing when the caller cuts the file back. The hash may lag: a slab comes back when it is done.
    await writing;
    if (slab !== undefined) slabs.give(slab);
  }
  if (failure !== undefined) throw failure.error;
  return total;
}
