import { rename, truncate, unlink } from 'node:fs/promises';
import { createNodeFileSystem, type FileSystem, type OpenFile } from '../../src/drivers/blobs/file-system.ts';

/** What happens at a step: a word for the log of steps, and the file. May throw what the operating system would. */
export type Step = (call: string, path: string) => void | Promise<void>;

/** The process has been killed: nothing that it was about to do happens. */
export class Killed extends Error {}

export interface FailingDisk {
  fileSystem: FileSystem;
  /** Takes back what was never flushed, as a power cut may: written bytes, new files, renames. */
  losePower(): Promise<void>;
}

/**
 * The machine's file system with `step` asked before each call that changes something, and a memory of what has been
 * flushed. A file's bytes count as flushed by `datasync` only, names by `syncDirectory` only: the worst that a disk may do.
 */
export function createFailingDisk(step: Step): FailingDisk {
  const real = createNodeFileSystem();
  /** Bytes that are safe, for files with some that are not. */
  const flushed = new Map<string, number>();
  /** Ways to take back names, latest last. */
  let names: { folder: string; undo: () => Promise<void> }[] = [];
  const folderOf = (path: string) => path.slice(0, path.lastIndexOf('/'));

  const file = (open: OpenFile, path: string): OpenFile => ({
    ...open,
    async write(buffers, position) {
      await step('write', path);
      if (!flushed.has(path)) flushed.set(path, (await open.stat()).bytes);
      await open.write(buffers, position);
    },
    async truncate(bytes) {
      await step('truncate', path);
      await open.truncate(bytes);
    },
    async datasync() {
      await step('datasync', path);
      await open.datasync();
      flushed.delete(path);
    },
  });

  return {
    fileSystem: {
      ...real,
      openToWrite: async (path) => file(await real.openToWrite(path), path),
      async create(path) {
        await step('create', path);
        await real.create(path);
        names.push({ folder: folderOf(path), undo: () => unlink(path) });
      },
      async rename(from, to) {
        await step('rename', to);
        await real.rename(from, to);
        const safe = flushed.get(from);
        flushed.delete(from);
        if (safe !== undefined) flushed.set(to, safe);
        names = names.filter((name) => name.folder !== folderOf(from));
        names.push({ folder: folderOf(to), undo: () => rename(to, from) });
      },
      async unlink(path) {
        await step('unlink', path);
        await real.unlink(path);
        flushed.delete(path);
      },
      async makeDirectory(path) {
        await step('makeDirectory', path);
        return real.makeDirectory(path);
      },
      async syncDirectory(path) {
        await step('syncDirectory', path);
        await real.syncDirectory(path);
        names = names.filter((name) => name.folder !== path);
      },
    },
    async losePower() {
      for (const { undo } of names.reverse()) await undo().catch(ignoreMissing);
      for (const [path, bytes] of flushed) await truncate(path, bytes).catch(ignoreMissing);
    },
  };
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
}
