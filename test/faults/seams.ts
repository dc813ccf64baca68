import type { Transaction } from 'kysely';
import type { MetaStore } from '../../src/core/meta-store.ts';
import type { FileSystem, OpenFile } from '../../src/drivers/blobs/file-system.ts';

/**
 * Called before each step that the server takes towards its disk; may wait, throw, or end the world. `tear` does the
 * step's first half only, where it has halves.
 */
export type Step = (name: string, tear?: () => Promise<void>) => Promise<void> | void;

/** Steps that change nothing: to die before or after one is the same. */
export const READING: ReadonlySet<string> = new Set(['names', 'stat', 'stat file', 'read', 'open to read', 'hash']);

/** A file system whose every call is announced first. */
export function stepFiles(inner: FileSystem, step: Step): FileSystem {
  const open = async (file: OpenFile): Promise<OpenFile> => ({
    async write(buffers, position) {
      await step('write', () => file.write(firstHalf(buffers), position));
      await file.write(buffers, position);
    },
    async read(into, position) {
      await step('read');
      return file.read(into, position);
    },
    async truncate(bytes) {
      await step('truncate');
      await file.truncate(bytes);
    },
    async datasync() {
      await step('datasync');
      await file.datasync();
    },
    async stat() {
      await step('stat file');
      return file.stat();
    },
    async close() {
      await step('close');
      await file.close();
    },
  });
  return {
    async openToRead(path) {
      await step('open to read');
      return open(await inner.openToRead(path));
    },
    async openToWrite(path) {
      await step('open to write');
      return open(await inner.openToWrite(path));
    },
    async create(path) {
      await step('create');
      await inner.create(path);
    },
    async rename(from, to) {
      await step('rename');
      await inner.rename(from, to);
    },
    async unlink(path) {
      await step('unlink');
      await inner.unlink(path);
    },
    async makeDirectory(path) {
      await step('make directory');
      return inner.makeDirectory(path);
    },
    async syncDirectory(path) {
      await step('sync directory');
      await inner.syncDirectory(path);
    },
    async names(path) {
      await step('names');
      return inner.names(path);
    },
    async stat(path) {
      await step('stat');
      return inner.stat(path);
    },
    room: (path) => inner.room(path),
    async hash(path, algorithm, length) {
      await step('hash');
      return inner.hash(path, algorithm, length);
    },
    close: () => inner.close(),
  };
}

/** A database whose transactions announce their begin, their commit, and that they are committed. */
export function stepMeta<Tables, Meta extends MetaStore<Tables>>(inner: Meta & MetaStore<Tables>, step: Step): Meta {
  return {
    ...inner,
    async transact<T>(work: (transaction: Transaction<Tables>) => Promise<T>): Promise<T> {
      await step('begin');
      const result = await inner.transact(async (transaction) => {
        const value = await work(transaction);
        await step('commit');
        return value;
      });
      await step('committed');
      return result;
    },
  };
}

function firstHalf(buffers: Uint8Array[]): Uint8Array[] {
  const all = Buffer.concat(buffers);
  return [all.subarray(0, Math.floor(all.length / 2))];
}
