import { constants } from 'node:fs';
import { open, readdir, readFile, realpath, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { EntryKind, FileReplacer, FileSystem } from '../pinner/ports.ts';

/** The machine's files. */
export const machineFiles: FileSystem = {
  async readDirectory(path) {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  },
  readFile: (path) => readFile(path),
  async stat(path) {
    try {
      const status = await stat(path);
      return { kind: kindOf(status), size: status.size, mode: status.mode & 0o7777 };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
      throw error;
    }
  },
  realPath: (path) => realpath(path),
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
  const swept = new Map<string, Promise<void>>();
  return {
    async stage(path, bytes) {
      const target = await realpath(path);
      const folder = dirname(target);
      const sweeping = swept.get(folder) ?? sweep(folder, processId);
      swept.set(folder, sweeping);
      await sweeping;
      const status = await stat(target);
      const temporary = join(folder, `.holdfast-pin.${processId}.${++count}.tmp`);
      const file = await open(temporary, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
      try {
        await file.writeFile(bytes);
        await keepOwner(file, status);
        // After the owner, because changing that one clears bits of the mode.
        await file.chmod(status.mode & 0o7777);
      } catch (error) {
        await file.close();
        await unlink(temporary);
        throw error;
      }
      await file.close();
      return {
        async commit(expected) {
          const now = await readFile(target);
          if (Buffer.compare(now, expected) !== 0) {
            await unlink(temporary);
            return 'changed';
          }
          await rename(temporary, target);
          return 'replaced';
        },
        discard: () => unlink(temporary),
      };
    },
  };
}

async function keepOwner(file: { chown(uid: number, gid: number): Promise<void> }, status: { uid: number; gid: number }): Promise<void> {
  try {
    await file.chown(status.uid, status.gid);
  } catch (error) {
    // Whoever may write the folder but does not own the file becomes its owner, as with every editor that renames.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
}

/** Removes what a killed run has left behind. */
async function sweep(folder: string, processId: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const owner = Number(TEMPORARY.exec(name)?.[1] ?? processId);
    if (owner !== processId && !isAlive(owner)) await unlink(join(folder, name));
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
