import { createHash } from 'node:crypto';
import { renameSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { ContainerError } from '../../../core/container-error.ts';
import { digestAlgorithm, digestHex, isDigest, type Digest } from '../../../core/digest.ts';
import type { IdSource } from '../../../core/ids.ts';
import type { Logger } from '../../../core/logger.ts';
import { TarError } from '../../../core/tar-entry.ts';
import { run } from './run.ts';
import { createUnpacker } from './unpack.ts';
import type { WrittenLayer } from './write-layer.ts';

/** Unpacked layers, each once, by the digest of its archive (`diffID`). */
export interface LayerStore {
  /** Folder of a layer's files. */
  pathOf(diffId: Digest): string;
  /** What is known of a layer; `undefined` when it is not there. */
  find(diffId: Digest): Promise<WrittenLayer | undefined>;
  /**
   * Verifies the bytes against digest and size, unpacks them, verifies the archive against `diffId`, and only then shows the
   * layer. Raises `CannotPullContainerError` for a layer that is not what it says.
   */
  add(diffId: Digest, compressed: { digest: Digest; size: number; bytes: AsyncIterable<Uint8Array> }): Promise<void>;
  /** Bytes of each layer that may be removed: one that is not on the disk yet may not. */
  sizes(): Map<Digest, number>;
  /** They are gone for everybody when this returns; the promise is kept when their files are, too. No container has them. */
  remove(diffIds: Digest[]): Promise<void>;
  close(): Promise<void>;
}

/** 10 GiB. */
const LARGEST_LAYER = 10 * 1024 ** 3;

export interface LayerStoreOptions {
  folder: string;
  ids: IdSource;
  log: Logger;
  /** Of the machine's current run: what was not flushed before a crash of the machine is not trusted after it. */
  bootId: string;
}

/** Opens the store; what a crash left half done is removed. */
export async function openLayerStore({ folder, ids, log, bootId }: LayerStoreOptions): Promise<LayerStore> {
  const layers = `${folder}/layers`;
  const incoming = `${folder}/incoming`;
  await fs.rm(incoming, { recursive: true, force: true });
  await fs.mkdir(incoming, { recursive: true, mode: 0o700 });
  await fs.mkdir(layers, { recursive: true, mode: 0o700 });
  const unpacker = createUnpacker();
  const known = new Map<Digest, WrittenLayer>();
  const adding = new Map<Digest, Promise<void>>();
  const flushing = new Set<Digest>();
  const nameOf = (diffId: Digest): string => `${digestAlgorithm(diffId)}-${digestHex(diffId)}`;
  for (const name of await fs.readdir(layers)) await open(name);

  async function open(name: string): Promise<void> {
    const diffId = name.replace('-', ':');
    const record = await readRecord(`${layers}/${name}/layer.json`);
    if (isDigest(diffId) && record !== undefined && (record.isFlushed || record.bootId === bootId)) {
      known.set(diffId, record.layer);
      if (!record.isFlushed) flushLater(diffId);
      return;
    }
    log.warn('a layer that may not have reached the disk before the machine stopped is removed, and will be pulled again', {
      layer: diffId,
    });
    await fs.rm(`${layers}/${name}`, { recursive: true, force: true });
  }

  /** Flushing takes long and nobody has to wait for it: until it is done, the layer is good for this run of the machine only. */
  function flushLater(diffId: Digest): void {
    const path = `${layers}/${nameOf(diffId)}`;
    const layer = known.get(diffId) as WrittenLayer;
    flushing.add(diffId);
    void run('sync', ['-f', path])
      .then(() => writeRecord(path, { layer, bootId, isFlushed: true }))
      .catch((error: unknown) => log.warn('a layer could not be flushed to the disk', { layer: diffId, error: String(error) }))
      .finally(() => flushing.delete(diffId));
  }

  async function add(
    diffId: Digest,
    { digest, size, bytes }: { digest: Digest; size: number; bytes: AsyncIterable<Uint8Array> },
  ): Promise<void> {
    const work = `${incoming}/${ids.uuid()}`;
    await fs.mkdir(work, { mode: 0o700 });
    try {
      await download(`${work}/compressed`, digest, size, bytes);
      for (const name of ['layer', 'layer/files', 'scratch']) await fs.mkdir(`${work}/${name}`, { mode: 0o700 });
      // The root of an image that does not speak of its root folder is for everybody to read.
      await fs.chmod(`${work}/layer/files`, 0o755);
      const layer = await unpacker.unpack({
        path: `${work}/compressed`,
        root: `${work}/layer/files`,
        scratch: `${work}/scratch`,
        diffId,
      });
      if (layer.droppedAttributes > 0)
        log.warn('extended attributes of files in a layer were not kept', { layer: diffId, files: layer.droppedAttributes });
      await writeRecord(`${work}/layer`, { layer, bootId, isFlushed: false });
      await fs.rename(`${work}/layer`, `${layers}/${nameOf(diffId)}`);
      known.set(diffId, layer);
      flushLater(diffId);
    } catch (error) {
      if (error instanceof TarError)
        throw new ContainerError('CannotPullContainerError', `failed to unpack layer ${digest}: ${error.message}`, {
          cause: error,
        });
      throw error;
    } finally {
      await fs.rm(work, { recursive: true, force: true });
    }
  }

  return {
    pathOf: (diffId) => `${layers}/${nameOf(diffId)}/files`,
    find: (diffId) => Promise.resolve(known.get(diffId)),
    async add(diffId, compressed) {
      if (known.has(diffId)) return;
      let waiting = adding.get(diffId);
      if (waiting === undefined) {
        waiting = add(diffId, compressed).finally(() => adding.delete(diffId));
        adding.set(diffId, waiting);
      }
      await waiting;
    },
    sizes: () => new Map([...known].filter(([diffId]) => !flushing.has(diffId)).map(([diffId, { bytes }]) => [diffId, bytes])),
    async remove(diffIds) {
      const doomed: string[] = [];
      for (const diffId of diffIds) {
        const path = `${incoming}/${ids.uuid()}`;
        // A layer that is pulled again meanwhile finds its place free; what a crash leaves there goes with the next start.
        renameSync(`${layers}/${nameOf(diffId)}`, path);
        known.delete(diffId);
        doomed.push(path);
      }
      for (const path of doomed) await fs.rm(path, { recursive: true, force: true });
    },
    close: () => unpacker.close(),
  };
}

async function download(path: string, digest: Digest, size: number, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const fail = (reason: string): never => {
    throw new ContainerError('CannotPullContainerError', `layer ${digest}: ${reason}`, { passing: true });
  };
  if (size > LARGEST_LAYER)
    throw new ContainerError('CannotPullContainerError', `layer ${digest} has ${size} bytes; ${LARGEST_LAYER} is the most`);
  const hash = createHash(digestAlgorithm(digest));
  const file = await fs.open(path, 'wx', 0o600);
  try {
    let received = 0;
    for await (const chunk of bytes) {
      received += chunk.length;
      if (received > size) fail(`more bytes came than the ${size} of its descriptor`);
      hash.update(chunk);
      for (let written = 0; written < chunk.length;) written += (await file.write(chunk, written)).bytesWritten;
    }
    if (received < size) fail(`only ${received} of ${size} bytes came`);
    const computed = hash.digest('hex');
    if (computed !== digestHex(digest)) fail(`what came has the digest ${digestAlgorithm(digest)}:${computed}`);
  } finally {
    await file.close();
  }
}

interface LayerRecord {
  layer: WrittenLayer;
  bootId: string;
  isFlushed: boolean;
}

async function writeRecord(folder: string, record: LayerRecord): Promise<void> {
  await fs.writeFile(`${folder}/layer.json.new`, JSON.stringify(record), { mode: 0o600, flush: record.isFlushed });
  await fs.rename(`${folder}/layer.json.new`, `${folder}/layer.json`);
}

/** Our own writing, in a folder that is ours alone; `undefined` when it was never finished. */
async function readRecord(path: string): Promise<LayerRecord | undefined> {
  try {
    return JSON.parse(await fs.readFile(path, 'utf8')) as LayerRecord;
  } catch {
    return undefined;
  }
}
