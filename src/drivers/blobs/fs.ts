import { join } from 'node:path';
import { digestAlgorithm, digestHex, isDigest, type Digest, type DigestAlgorithm } from '../../core/digest.ts';
import { Fault } from '../../core/fault.ts';
import type { Logger } from '../../core/logger.ts';
import { createTurnstile } from '../../core/turnstile.ts';
import type { BlobReader, BlobStore } from '../../registry/ports.ts';
import { createNodeFileSystem, errorCode, type FileSystem, type OpenFile } from './file-system.ts';
import { createGrowingHash, type GrowingHash } from './growing-hash.ts';
import { createHashThreads } from './hash-threads.ts';
import { createSlabs } from './slabs.ts';
import { writeChunks } from './write-chunks.ts';

export interface FileBlobsOptions {
  /** Folder of the store; made when it is not there. Everything in it is on one file system. */
  root: string;
  log: Logger;
  /** The machine's own when absent. */
  fileSystem?: FileSystem;
  /** Called once, when a flush has failed and the store has turned read-only for good. */
  onFatal?: (reason: string) => void;
}

/** Write-out begins this early, so that the last flush, which the client waits for, is short. */
const EARLY_SYNC_BYTES = 32 * 1024 * 1024;
/** Flushes at one time: each holds a thread of libuv's pool, which reads need, too. */
const SYNCS = 2;

const UPLOAD_ID = /^[A-Za-z0-9-]{1,64}$/;

/** What one process knows of a staging file that it wrote from the first byte on. */
interface LiveUpload {
  algorithm: DigestAlgorithm;
  bytes: number;
  hash: GrowingHash;
  /** Bytes written since its last early flush began. */
  unsynced: number;
}

/**
 * Blobs in a folder:
 *
 *     blobs/<algorithm>/<first 2 hex>/<hex>     whole and flushed, or not there
 *     uploads/<upload id>                       staging files
 *     quarantine/<algorithm>-<hex>              corrupt blobs, for a person to look at
 *
 * Raises `storage-full` (no room, over quota), `storage-failed` (the device refuses, or has once failed to flush) and
 * `throttled` (too many files are open).
 */
export async function openFileBlobs(options: FileBlobsOptions): Promise<BlobStore> {
  const { root, log } = options;
  const files = options.fileSystem ?? createNodeFileSystem();
  const uploads = join(root, 'uploads');
  const quarantineFolder = join(root, 'quarantine');
  /** Directories that are there and whose own entry is flushed. */
  const flushed = new Set<string>();
  const live = new Map<string, LiveUpload>();
  const background = new Set<Promise<unknown>>();
  const syncTurns = createTurnstile(SYNCS);
  const slabs = createSlabs();
  const threads = createHashThreads();
  let failed: string | undefined;

  const blobFolder = (digest: Digest) => join(root, 'blobs', digestAlgorithm(digest), digestHex(digest).slice(0, 2));
  const blobPath = (digest: Digest) => join(blobFolder(digest), digestHex(digest));
  const uploadPath = (uploadId: string) => {
    if (!UPLOAD_ID.test(uploadId)) throw new Error(`not an upload id: ${JSON.stringify(uploadId)}`);
    return join(uploads, uploadId);
  };

  /** Runs one flush. After a failure the kernel may have dropped the pages: asking again would get a false "OK". */
  async function sync(flush: () => Promise<void>, what: string): Promise<void> {
    await syncTurns.pass(async () => {
      if (failed !== undefined) throw new Fault('storage-failed', { reason: failed });
      try {
        await flush();
      } catch (error) {
        refuseForNow(error);
        const first = failed === undefined;
        failed = `flushing ${what} failed (${errorCode(error) ?? 'unknown error'}); nothing more is written until the server is restarted on a sound disk`;
        if (first) {
          log.error('blob store is read-only: a flush failed', { what, error: String(error) });
          options.onFatal?.(failed);
        }
        throw new Fault('storage-failed', { reason: failed }, { cause: error });
      }
    });
  }

  async function writing<T>(work: () => Promise<T>): Promise<T> {
    if (failed !== undefined) throw new Fault('storage-failed', { reason: failed });
    try {
      return await work();
    } catch (error) {
      refuseForNow(error);
      const code = errorCode(error);
      if (code === 'ENOSPC' || code === 'EDQUOT') throw new Fault('storage-full', {}, { cause: error });
      if (code === 'EIO' || code === 'EROFS')
        throw new Fault('storage-failed', { reason: `the disk refuses to write (${code})` }, { cause: error });
      throw error;
    }
  }

  /** Makes `path` below `root`, and flushes each new directory's entry in its parent. */
  async function ensureDirectory(path: string): Promise<void> {
    if (flushed.has(path)) return;
    const parent = join(path, '..');
    if (path !== root) await ensureDirectory(parent);
    await files.makeDirectory(path);
    // Also when it was there: an earlier process may have died between making and flushing it.
    if (path !== root) await sync(() => files.syncDirectory(parent), parent);
    flushed.add(path);
  }

  function inBackground(work: Promise<unknown>): void {
    const done = work
      .catch((error: unknown) => log.debug('background work of the blob store failed', { error: String(error) }))
      .finally(() => background.delete(done));
    background.add(done);
  }

  function forget(uploadId: string): void {
    live.get(uploadId)?.hash.free();
    live.delete(uploadId);
  }

  async function openUpload(uploadId: string): Promise<OpenFile | undefined> {
    return orAbsent(() => files.openToWrite(uploadPath(uploadId)));
  }

  await writing(async () => {
    await ensureDirectory(uploads);
    await ensureDirectory(quarantineFolder);
    for (const algorithm of ['sha256', 'sha512']) await ensureDirectory(join(root, 'blobs', algorithm));
  });

  return {
    createUpload: (uploadId, algorithm = 'sha256') =>
      writing(async () => {
        await files.create(uploadPath(uploadId));
        live.set(uploadId, { algorithm, bytes: 0, hash: createGrowingHash(algorithm, threads), unsynced: 0 });
      }),

    append: (uploadId, offset, source, limit) =>
      writing(async () => {
        const file = await openUpload(uploadId);
        if (file === undefined) return undefined;
        const known = live.get(uploadId);
        const state = known?.bytes === offset ? known : undefined;
        if (state === undefined) forget(uploadId);
        const hash = state?.hash.copy();
        let isKept = false;
        let earlySync: Promise<unknown> | undefined;
        let unsynced = state?.unsynced ?? 0;
        try {
          const { bytes } = await file.stat();
          if (bytes < offset) return undefined;
          if (bytes > offset) await file.truncate(offset);
          const length = await writeChunks({
            file,
            position: offset,
            source,
            limit,
            hash,
            slabs,
            written(count) {
              unsynced += count;
              if (unsynced < EARLY_SYNC_BYTES || earlySync !== undefined || failed !== undefined) return;
              unsynced = 0;
              earlySync = sync(() => file.datasync(), 'a staging file').then(
                () => (earlySync = undefined),
                () => undefined,
              );
            },
          }).catch(async (error: unknown) => {
            await file.truncate(offset);
            throw error;
          });
          // Discarded while the bytes came in, it is gone already.
          if (state !== undefined && hash !== undefined && live.get(uploadId) === state) {
            forget(uploadId);
            live.set(uploadId, { algorithm: state.algorithm, bytes: offset + length, hash, unsynced });
            isKept = true;
          }
          return offset + length;
        } finally {
          if (!isKept) hash?.free();
          const close = () => file.close();
          if (earlySync === undefined) await close();
          else inBackground(earlySync.then(close));
        }
      }),

    async uploadDigest(uploadId, size, algorithm) {
      const known = live.get(uploadId);
      const grown = known?.bytes === size && known.algorithm === algorithm ? await known.hash.digest() : undefined;
      const hex = grown ?? (await orAbsent(() => files.hash(uploadPath(uploadId), algorithm, size)));
      return hex === undefined ? undefined : (`${algorithm}:${hex}` as Digest);
    },

    publish: (uploadId, digest) =>
      writing(async () => {
        const file = await files.openToWrite(uploadPath(uploadId));
        try {
          await sync(() => file.datasync(), 'a staging file');
        } finally {
          await file.close();
        }
        await ensureDirectory(blobFolder(digest));
        await files.rename(uploadPath(uploadId), blobPath(digest));
        forget(uploadId);
        await sync(() => files.syncDirectory(blobFolder(digest)), blobFolder(digest));
        return (await files.stat(blobPath(digest))).stamp;
      }),

    confirm: (digest) =>
      writing(async () => {
        const state = await orAbsent(() => files.stat(blobPath(digest)));
        if (state === undefined) return undefined;
        await ensureDirectory(blobFolder(digest));
        await sync(() => files.syncDirectory(blobFolder(digest)), blobFolder(digest));
        return state.stamp;
      }),

    async discardUpload(uploadId) {
      forget(uploadId);
      await orAbsent(() => files.unlink(uploadPath(uploadId)));
    },

    async *listUploads() {
      for (const uploadId of await files.names(uploads)) {
        if (!UPLOAD_ID.test(uploadId)) continue;
        const state = await orAbsent(() => files.stat(join(uploads, uploadId)));
        if (state !== undefined) yield { uploadId, modifiedAt: state.modifiedAt };
      }
    },

    async open(digest): Promise<BlobReader | undefined> {
      const file = await orAbsent(() => files.openToRead(blobPath(digest)));
      if (file === undefined) return undefined;
      try {
        const { bytes, stamp } = await file.stat();
        return { bytes, stamp, read: file.read, close: file.close };
      } catch (error) {
        await file.close();
        throw error;
      }
    },

    async rehash(digest) {
      const hex = await orAbsent(() => files.hash(blobPath(digest), digestAlgorithm(digest)));
      return hex === undefined ? undefined : (`${digestAlgorithm(digest)}:${hex}` as Digest);
    },

    quarantine: (digest) =>
      writing(async () => {
        const moved = await orAbsent(async () => {
          await files.rename(blobPath(digest), join(quarantineFolder, `${digestAlgorithm(digest)}-${digestHex(digest)}`));
          return true;
        });
        if (moved === true) await sync(() => files.syncDirectory(quarantineFolder), quarantineFolder);
      }),

    // Not through `writing`: room can be made on a full disk, and on a read-only store nothing depends on it.
    async remove(digest) {
      const bytes = await orAbsent(async () => {
        const state = await files.stat(blobPath(digest));
        await files.unlink(blobPath(digest));
        return state.bytes;
      });
      return bytes ?? 0;
    },

    async *list() {
      for (const algorithm of ['sha256', 'sha512']) {
        for (const folder of await files.names(join(root, 'blobs', algorithm))) {
          if (!/^[a-f0-9]{2}$/.test(folder)) continue;
          for (const name of await files.names(join(root, 'blobs', algorithm, folder))) {
            const digest = `${algorithm}:${name}`;
            // What a person put there is not ours to list, nor to collect.
            if (!isDigest(digest) || !name.startsWith(folder)) continue;
            const state = await orAbsent(() => files.stat(blobPath(digest)));
            if (state !== undefined) yield { digest, bytes: state.bytes, modifiedAt: state.modifiedAt };
          }
        }
      }
    },

    room: () => files.room(root),

    async close() {
      await Promise.all(background);
      await threads.close();
      await files.close();
    },
  };
}

/** `undefined` when the file is not there, or has fewer bytes than were asked for. */
async function orAbsent<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    refuseForNow(error);
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ESHORT') return undefined;
    throw error;
  }
}

/** Raises `throttled` where the process has as many files open as it may: nothing was done, and a moment later it can be. */
function refuseForNow(error: unknown): void {
  const code = errorCode(error);
  if (code === 'EMFILE' || code === 'ENFILE') throw new Fault('throttled', { retryAfterSeconds: 1 }, { cause: error });
}
