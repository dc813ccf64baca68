import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { digestOf } from '../core/digest.ts';
import type { EntryKind, FileReplacer, FileSystem } from '../pinner/ports.ts';

/**
 * The machine's files. They are read at once, without handing each to a thread and waiting: for thousands of small files
 * that takes a fourth of the time, and a command that reads files has nothing else to do.
 */
export const machineFiles: FileSystem = {
  async readDirectory(path) {
    return readdirSync(path, { withFileTypes: true }).map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  },
  async readFile(path) {
    return readFileSync(path);
  },
  async stat(path) {
    try {
      const status = statSync(path, { throwIfNoEntry: false });
      return status && { kind: kindOf(status), size: status.size, mode: status.mode & 0o7777 };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOTDIR' || code === 'ELOOP') return undefined;
      throw error;
    }
  },
};

interface KindTests {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

function kindOf(entry: KindTests): EntryKind {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  return entry.isSymbolicLink() ? 'link' : 'other';
}

const TEMPORARY = /^\.holdfast-pin\.(\d+)\.\d+\.tmp$/;

/**
 * Stages below a hidden name in the same folder and renames. Nothing is flushed to the disk: the promise is one against a
 * killed process, and a flush for each of thousands of files would cost more than all the rest.
 */
export function createFileReplacer(processId: number): FileReplacer {
  let count = 0;
  const swept = new Set<string>();
  return {
    async stage(path, bytes) {
      let target = path;
      let status = lstatSync(target);
      if (status.isSymbolicLink()) {
        target = realpathSync(path);
        status = statSync(target);
      }
      const folder = dirname(target);
      if (!swept.has(folder)) sweep(folder, processId);
      swept.add(folder);
      const temporary = join(folder, `.holdfast-pin.${processId}.${++count}.tmp`);
      const file = openSync(temporary, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
      try {
        writeFileSync(file, bytes);
        const own = fstatSync(file);
        if (own.uid !== status.uid || own.gid !== status.gid) keepOwner(file, status);
        // After the owner, because changing that one clears bits of the mode.
        fchmodSync(file, status.mode & 0o7777);
      } catch (error) {
        unlinkSync(temporary);
        throw error;
      } finally {
        closeSync(file);
      }
      return {
        async commit(expected) {
          if (digestOf(readFileSync(target)) !== expected) {
            unlinkSync(temporary);
            return 'changed';
          }
          renameSync(temporary, target);
          return 'replaced';
        },
        async discard() {
          unlinkSync(temporary);
        },
      };
    },
  };
}

function keepOwner(file: number, status: { uid: number; gid: number }): void {
  try {
    fchownSync(file, status.uid, status.gid);
  } catch (error) {
    // Whoever may write the folder but does not own the file becomes its owner, as with every editor that renames.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
}

/** Removes what a killed run has left behind. */
function sweep(folder: string, processId: number): void {
  for (const name of readdirSync(folder)) {
    const owner = Number(TEMPORARY.exec(name)?.[1] ?? processId);
    if (owner !== processId && !isAlive(owner)) unlinkSync(join(folder, name));
  }
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
