import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import type { FileState, FileSystem, OpenFile } from '../../src/drivers/blobs/file-system.ts';

/** What the power supply may tear a file into: each block is the old one, the new one, or zeros. */
const BLOCK = 512;

interface File {
  id: number;
  bytes: Buffer;
  /** As of its last flush. */
  flushed: Buffer;
  writes: number;
  modifiedAt: number;
}

/** A change to names that no flush of a directory has made certain yet. */
interface NameChange {
  from?: string;
  to?: string;
  file?: File;
}

export interface CrashFileSystem extends FileSystem {
  /**
   * The power fails: bytes written since their file's flush may be there, gone or zero, block by block; names changed since
   * their directory's flush may have changed or not. `random` gives numbers from 0 to 1.
   */
  losePower(random: () => number): void;
  /** Changes bytes of a file behind everybody's back, or takes it away. */
  damage(path: string, change: (bytes: Buffer) => Buffer | undefined): void;
  paths(): string[];
}

/** A file system in memory that keeps only what was flushed, as POSIX allows the worst of them to. */
export function createCrashFileSystem({ now }: { now: () => number }): CrashFileSystem {
  let files = new Map<string, File>();
  let certain = new Map<string, File>();
  let pending: NameChange[] = [];
  const folders = new Set<string>();
  let ids = 0;
  let writes = 0;

  const missing = (path: string, code = 'ENOENT') => Object.assign(new Error(`${code}: ${path}`), { code });
  const find = (path: string): File => {
    const file = files.get(path);
    if (file === undefined) throw missing(path);
    return file;
  };
  const stateOf = (file: File): FileState => ({
    bytes: file.bytes.length,
    modifiedAt: file.modifiedAt,
    stamp: `${file.id}:${file.bytes.length}:${file.writes}`,
  });
  const touch = (file: File): void => {
    file.writes = ++writes;
    file.modifiedAt = now();
  };
  const apply = (names: Map<string, File>, { from, to, file }: NameChange): void => {
    if (from !== undefined) names.delete(from);
    if (to !== undefined && file !== undefined) names.set(to, file);
  };
  const change = (step: NameChange): void => {
    apply(files, step);
    pending.push(step);
  };

  function open(path: string): OpenFile {
    const file = find(path);
    return {
      async write(buffers, position) {
        const bytes = Buffer.concat(buffers);
        const grown = Buffer.alloc(Math.max(file.bytes.length, position + bytes.length));
        file.bytes.copy(grown);
        bytes.copy(grown, position);
        file.bytes = grown;
        touch(file);
      },
      async read(into, position) {
        return file.bytes.copy(into, 0, position, position + into.length);
      },
      async truncate(bytes) {
        file.bytes = Buffer.concat([file.bytes.subarray(0, bytes), Buffer.alloc(Math.max(0, bytes - file.bytes.length))]);
        touch(file);
      },
      async datasync() {
        file.flushed = file.bytes;
      },
      stat: async () => stateOf(file),
      async close() {},
    };
  }

  return {
    openToRead: async (path) => open(path),
    openToWrite: async (path) => open(path),
    async create(path) {
      if (files.has(path)) throw missing(path, 'EEXIST');
      if (!folders.has(dirname(path))) throw missing(path);
      const file: File = { id: ++ids, bytes: Buffer.alloc(0), flushed: Buffer.alloc(0), writes: ++writes, modifiedAt: now() };
      change({ to: path, file });
    },
    async rename(from, to) {
      const file = find(from);
      if (!folders.has(dirname(to))) throw missing(to);
      change({ from, to, file });
      // Renaming changes the state of a file, as its change time on a real disk.
      file.writes = ++writes;
    },
    async unlink(path) {
      find(path);
      change({ from: path });
    },
    async makeDirectory(path) {
      if (folders.has(path)) return false;
      folders.add(path);
      return true;
    },
    async syncDirectory(path) {
      const isHere = (name: string | undefined) => name !== undefined && dirname(name) === path;
      for (const step of pending) if (isHere(step.from) || isHere(step.to)) apply(certain, step);
      pending = pending.filter((step) => !isHere(step.from) && !isHere(step.to));
    },
    async names(path) {
      const below = [...files.keys(), ...folders].filter((name) => dirname(name) === path);
      return below.map((name) => name.slice(path.length + 1));
    },
    stat: async (path) => stateOf(find(path)),
    room: async () => ({ free: 1e9, total: 1e9 }),
    async hash(path, algorithm, length) {
      const { bytes } = find(path);
      if (length !== undefined && bytes.length < length) throw missing(path, 'ESHORT');
      return createHash(algorithm).update(bytes.subarray(0, length)).digest('hex');
    },
    async close() {},

    losePower(random) {
      const left = new Map(certain);
      for (const step of pending) if (random() < 0.5) apply(left, step);
      for (const file of new Set(left.values())) {
        if (file.bytes !== file.flushed) file.bytes = tear(file, random);
        file.flushed = file.bytes;
        touch(file);
      }
      files = left;
      certain = new Map(left);
      pending = [];
    },
    damage(path, alter) {
      const file = find(path);
      const bytes = alter(Buffer.from(file.bytes));
      if (bytes === undefined) files.delete(path);
      else {
        file.bytes = bytes;
        touch(file);
      }
    },
    paths: () => [...files.keys()],
  };
}

function tear({ bytes, flushed }: File, random: () => number): Buffer {
  const length =
    random() < 0.5 ? bytes.length : flushed.length + Math.floor(random() * Math.max(0, bytes.length - flushed.length));
  const torn = Buffer.alloc(length);
  for (let at = 0; at < length; at += BLOCK) {
    const chance = random();
    const source = chance < 0.4 ? bytes : chance < 0.8 ? flushed : Buffer.alloc(0);
    if (at < source.length) source.copy(torn, at, at, Math.min(at + BLOCK, length));
  }
  return torn;
}
