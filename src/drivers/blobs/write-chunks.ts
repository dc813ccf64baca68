import type { Hash } from 'node:crypto';
import { Fault } from '../../core/fault.ts';
import type { OpenFile } from './file-system.ts';

/** How chunks travel to the disk. */
export interface WriteChunks {
  file: OpenFile;
  /** Where the first byte goes. */
  position: number;
  source: AsyncIterable<Uint8Array>;
  /** More bytes than this raise `blob-too-large`. */
  limit: number;
  /** Takes every byte in order; absent when nobody wants a hash. */
  hash: Hash | undefined;
  /** Bytes to collect before they are written in one call; asked anew for each. */
  batchBytes(): number;
  /** Told after each write how many bytes it added. */
  written(bytes: number): void;
}

/** A peer that sends a byte at a time must not make us hold a million buffers. */
const BATCH_BUFFERS = 512;

/**
 * Writes `source` and gives the count of its bytes. While one batch is on its way to the disk the next is collected and
 * hashed, so at most two are in memory. The buffers are kept for that long: the source must not use them again.
 */
export async function writeChunks(options: WriteChunks): Promise<number> {
  const { file, source, limit, hash } = options;
  let total = 0;
  let batch: Uint8Array[] = [];
  let batchBytes = 0;
  let position = options.position;
  let writing = Promise.resolve();
  // Seen at the next batch or at the end: the write runs while nobody waits for it.
  let failure: { error: unknown } | undefined;

  const flush = async (): Promise<void> => {
    await writing;
    if (failure !== undefined) throw failure.error;
    const [buffers, bytes, at] = [batch, batchBytes, position];
    batch = [];
    batchBytes = 0;
    position += bytes;
    writing = file.write(buffers, at).then(
      () => options.written(bytes),
      (error: unknown) => {
        failure = { error };
      },
    );
  };

  try {
    for await (const chunk of source) {
      if (chunk.length === 0) continue;
      total += chunk.length;
      if (total > limit) throw new Fault('blob-too-large', { limit });
      hash?.update(chunk);
      batch.push(chunk);
      batchBytes += chunk.length;
      if (batchBytes >= options.batchBytes() || batch.length >= BATCH_BUFFERS) await flush();
    }
    if (batchBytes > 0) await flush();
  } finally {
    // Nothing may still be writing when the caller cuts the file back.
    await writing;
  }
  if (failure !== undefined) throw failure.error;
  return total;
}
