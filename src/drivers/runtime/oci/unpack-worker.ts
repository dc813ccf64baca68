import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { TarError } from '../../../core/tar-entry.ts';
import { readTar } from '../../../core/tar-reader.ts';
import { inflate } from './inflate.ts';
import { writeLayer, type WrittenLayer } from './write-layer.ts';

export interface UnpackJob {
  /** The layer as it came, already known to have the digest and size of its descriptor. */
  path: string;
  /** A fresh folder for the files, and a fresh one for what is needed on the way. */
  root: string;
  scratch: string;
  /** Digest of the archive, as the image's config has it. */
  diffId: string;
}

export type UnpackAnswer = { layer: WrittenLayer } | { message: string; isLayerAtFault: boolean; code: string | undefined };

parentPort?.on('message', (job: UnpackJob) => {
  void unpack(job).then(
    (layer) => parentPort?.postMessage({ layer } satisfies UnpackAnswer),
    (error: unknown) =>
      parentPort?.postMessage({
        message: error instanceof Error ? error.message : String(error),
        isLayerAtFault: error instanceof TarError,
        code: error instanceof Error && 'code' in error ? String(error.code) : undefined,
      } satisfies UnpackAnswer),
  );
});

async function unpack({ path, root, scratch, diffId }: UnpackJob): Promise<WrittenLayer> {
  const file = fs.openSync(path, 'r');
  const start = Buffer.alloc(4);
  const read = fs.readSync(file, start, 0, 4, 0);
  const { size } = fs.fstatSync(file);
  fs.closeSync(file);
  const hash = createHash(diffId.startsWith('sha512:') ? 'sha512' : 'sha256');
  const archive = inflate(path, { size, start: start.subarray(0, read) });
  async function* hashed(): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of archive) {
      hash.update(chunk);
      yield chunk;
    }
  }
  const layer = await writeLayer(readTar(hashed()), root, scratch);
  const computed = `${diffId.slice(0, diffId.indexOf(':'))}:${hash.digest('hex')}`;
  if (computed !== diffId) throw new TarError(`the layer's archive is ${computed}, and the image's config says ${diffId}`);
  return layer;
}
