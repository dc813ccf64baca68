import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { BlobContent } from '../client/push.ts';
import type { Digest } from '../core/digest.ts';

/** How much of a file is read at once; larger pieces cost memory and save nothing more. */
export const READ_BYTES = 512 * 1024;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A folder for what has to be on disk before it can be sent; it ends with `close`. */
export interface Scratch {
  path(name: string): string;
  close(): Promise<void>;
}

export async function openScratch(env: Record<string, string | undefined>): Promise<Scratch> {
  const folder = await mkdtemp(join(env['TMPDIR'] || tmpdir(), 'holdfast-push-'));
  // A layer that was packed may be large: who interrupts a push must not find it later.
  const abandon = (signal: NodeJS.Signals): void => {
    rmSync(folder, { recursive: true, force: true });
    process.kill(process.pid, signal);
  };
  for (const signal of SIGNALS) process.once(signal, abandon);
  return {
    path: (name) => join(folder, name),
    async close() {
      for (const signal of SIGNALS) process.off(signal, abandon);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Passes chunks on, and counts and hashes them. */
export async function* hashing(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  hash: Hash,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    hash.update(chunk);
    onBytes(chunk.length);
    yield chunk;
  }
}

/**
 * Packs a tar stream into a gzip layer on disk, as registries keep layers: a digest is needed before it can be sent. The
 * same stream gives the same layer, with one version of zlib. `diffId` is the digest of the stream itself.
 */
export async function packLayer(
  tar: AsyncIterable<Uint8Array>,
  path: string,
  onBytes: (count: number) => void,
): Promise<BlobContent & { diffId: Digest }> {
  const inner = createHash('sha256');
  const outer = createHash('sha256');
  let bytes = 0;
  await pipeline(
    hashing(tar, inner, onBytes),
    createGzip(),
    (packed: AsyncIterable<Uint8Array>) => hashing(packed, outer, (count) => (bytes += count)),
    createWriteStream(path),
  );
  return {
    digest: `sha256:${outer.digest('hex')}` as Digest,
    diffId: `sha256:${inner.digest('hex')}` as Digest,
    bytes,
    open: () => createReadStream(path, { highWaterMark: READ_BYTES }),
  };
}
