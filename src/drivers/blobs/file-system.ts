import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { DigestAlgorithm } from '../../core/digest.ts';
import { createHashWorkers } from './hash-workers.ts';

/**
 * Every call that the blob store makes to the operating system, one method a step, so that a test can count the steps,
 * stop the world at any of them, answer with an error, or lose what was never flushed. Errors carry Node's `code`.
 */
export interface FileSystem {
  /** Opens an existing file for reading. */
  openToRead(path: string): Promise<OpenFile>;
  /** Opens an existing file for reading and writing. */
  openToWrite(path: string): Promise<OpenFile>;
  /** Makes a new empty file; `EEXIST` when there is one. */
  create(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Makes one directory; gives false when it was there. */
  makeDirectory(path: string): Promise<boolean>;
  /** Flushes a directory's entries to the disk. */
  syncDirectory(path: string): Promise<void>;
  /** Names in a directory; none when it is not there. */
  names(path: string): Promise<string[]>;
  stat(path: string): Promise<FileState>;
  room(path: string): Promise<{ free: number; total: number }>;
  /** Hash, in hex, of the first `length` bytes (all when absent), without holding up the event loop. Fails with `ESHORT` when there are fewer. */
  hash(path: string, algorithm: DigestAlgorithm, length?: number): Promise<string>;
  close(): Promise<void>;
}

export interface OpenFile {
  /** Writes all of `buffers` from `position` on, short writes continued. */
  write(buffers: Uint8Array[], position: number): Promise<void>;
  read(into: Uint8Array, position: number): Promise<number>;
  truncate(bytes: number): Promise<void>;
  /** Flushes data and the length to the disk. */
  datasync(): Promise<void>;
  stat(): Promise<FileState>;
  close(): Promise<void>;
}

export interface FileState {
  bytes: number;
  /** Milliseconds since the epoch. */
  modifiedAt: number;
  /** Changes with every write to the file, and from file to file. */
  stamp: string;
}

/** Files up to this size are hashed where they are; beyond it a worker thread's start is cheaper than the time it saves. */
const HASH_INLINE_BYTES = 1024 * 1024;

/** The machine's own file system. */
export function createNodeFileSystem(): FileSystem {
  const workers = createHashWorkers();
  return {
    openToRead: async (path) => wrap(await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW)),
    openToWrite: async (path) => wrap(await fs.open(path, constants.O_RDWR | constants.O_NOFOLLOW), path),
    async create(path) {
      const handle = await fs.open(path, 'wx', 0o600);
      await handle.close();
    },
    rename: (from, to) => fs.rename(from, to),
    unlink: (path) => fs.unlink(path),
    async makeDirectory(path) {
      try {
        await fs.mkdir(path, 0o700);
        return true;
      } catch (error) {
        if (errorCode(error) === 'EEXIST') return false;
        throw error;
      }
    },
    async syncDirectory(path) {
      const handle = await fs.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
    async names(path) {
      try {
        return await fs.readdir(path);
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return [];
        throw error;
      }
    },
    stat: async (path) => toState(await fs.lstat(path, { bigint: true })),
    async room(path) {
      const state = await fs.statfs(path);
      return { free: state.bavail * state.bsize, total: state.blocks * state.bsize };
    },
    async hash(path, algorithm, length) {
      const handle = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        const bytes = length ?? (await handle.stat()).size;
        if (bytes > HASH_INLINE_BYTES) return await workers.hash(path, algorithm, length);
        const buffer = new Uint8Array(bytes);
        let filled = 0;
        while (filled < bytes) {
          const { bytesRead } = await handle.read(buffer, filled, bytes - filled, filled);
          if (bytesRead === 0) throw Object.assign(new Error(`${path} has ${filled} bytes, not ${bytes}`), { code: 'ESHORT' });
          filled += bytesRead;
        }
        return createHash(algorithm).update(buffer).digest('hex');
      } finally {
        await handle.close();
      }
    },
    close: () => workers.close(),
  };
}

/** The `code` of an error from the operating system. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** writev takes at most IOV_MAX buffers. */
const BUFFERS_A_WRITE = 1024;
/** Bytes from here on go past the page cache. What is pulled most is smaller, and stays in memory from its push on. */
const DIRECT_FROM = 16 * 1024 * 1024;
/** Below it the disk's answer takes longer than the copy that is saved. */
const DIRECT_SMALLEST = 256 * 1024;
/** What the strictest disks ask the place, the length and the memory of such a write to be a multiple of. */
const DIRECT_UNIT = 4096;

/** `path` only for a file that is written. */
function wrap(handle: fs.FileHandle, path?: string): OpenFile {
  /** The same file, past the page cache; `none` where that cannot be had. */
  let direct: fs.FileHandle | 'none' | undefined;

  async function openDirect(): Promise<fs.FileHandle | 'none'> {
    if (path === undefined || constants.O_DIRECT === undefined) return 'none';
    try {
      const other = await fs.open(path, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_DIRECT);
      // Another file may have come to that name.
      if ((await other.stat({ bigint: true })).ino === (await handle.stat({ bigint: true })).ino) return other;
      await other.close();
    } catch (error) {
      // Not every file system knows it, and a file that was discarded meanwhile has no name.
      if (!['EINVAL', 'ENOENT', 'EMFILE', 'ENFILE'].includes(errorCode(error) ?? '')) throw error;
    }
    return 'none';
  }

  /**
   * The page cache costs a large blob a copy and a fresh page for every 4 KiB, drives out what is pulled often, and leaves
   * all the work to the last flush, which the client waits for.
   */
  async function writeSome(buffers: Uint8Array[], at: number): Promise<number> {
    const parts = direct === 'none' || at < DIRECT_FROM ? [] : directParts(buffers, at);
    if (parts.length > 0) {
      direct ??= await openDirect();
      if (direct !== 'none') {
        try {
          return (await direct.writev(parts, at)).bytesWritten;
        } catch (error) {
          // The device wants something else of the memory.
          if (errorCode(error) !== 'EINVAL') throw error;
          await direct.close();
          direct = 'none';
        }
      }
    }
    return (await handle.writev(buffers, at)).bytesWritten;
  }

  return {
    async write(buffers, position) {
      let queue = buffers;
      let at = position;
      while (queue.length > 0) {
        const bytesWritten = await writeSome(queue.slice(0, BUFFERS_A_WRITE), at);
        at += bytesWritten;
        queue = drop(queue, bytesWritten);
      }
    },
    read: async (into, position) => (await handle.read(into, 0, into.length, position)).bytesRead,
    truncate: (bytes) => handle.truncate(bytes),
    datasync: () => handle.datasync(),
    stat: async () => toState(await handle.stat({ bigint: true })),
    async close() {
      try {
        if (typeof direct === 'object') await direct.close();
      } finally {
        await handle.close();
      }
    },
  };
}

/** The first of `buffers`, as many as can go past the page cache. */
function directParts(buffers: Uint8Array[], at: number): Uint8Array[] {
  const isWhole = (count: number): boolean => count % DIRECT_UNIT === 0;
  if (!isWhole(at)) return [];
  const end = buffers.findIndex(({ byteOffset, length }) => !isWhole(byteOffset) || !isWhole(length) || length < DIRECT_SMALLEST);
  return end < 0 ? buffers : buffers.slice(0, end);
}

/** What is left of `buffers` after its first `bytes`. */
function drop(buffers: Uint8Array[], bytes: number): Uint8Array[] {
  let left = bytes;
  for (const [index, buffer] of buffers.entries()) {
    if (left < buffer.length) return [buffer.subarray(left), ...buffers.slice(index + 1)];
    left -= buffer.length;
  }
  return [];
}

function toState(stat: { ino: bigint; size: bigint; ctimeNs: bigint; mtimeMs: bigint }): FileState {
  return { bytes: Number(stat.size), modifiedAt: Number(stat.mtimeMs), stamp: `${stat.ino}:${stat.size}:${stat.ctimeNs}` };
}
