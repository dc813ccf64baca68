import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { appendFile, mkdtemp, open, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { digestHex, digestOf, type Digest } from '../../core/digest.ts';
import { isFault } from '../../core/fault.ts';
import { silentLogger } from '../../core/logger.ts';
import { testBlobStore } from '../../registry/blob-store.contract.ts';
import type { BlobStore } from '../../registry/ports.ts';
import { createNodeFileSystem, type FileSystem, type OpenFile } from './file-system.ts';
import { openFileBlobs } from './fs.ts';

const roots = new WeakMap<BlobStore, string>();

async function openIn(
  test: TestContext,
  root?: string,
  extra: { fileSystem?: FileSystem; onFatal?: (reason: string) => void } = {},
): Promise<BlobStore> {
  let folder = root;
  if (folder === undefined) {
    const made = await mkdtemp(join(tmpdir(), 'holdfast-blobs-'));
    test.after(() => rm(made, { recursive: true }));
    folder = made;
  }
  const store = await openFileBlobs({ root: folder, log: silentLogger, ...extra });
  roots.set(store, folder);
  test.after(() => store.close());
  return store;
}

const rootOf = (store: BlobStore) => roots.get(store) ?? '';
const pathOf = (store: BlobStore, digest: Digest) =>
  join(rootOf(store), 'blobs/sha256', digestHex(digest).slice(0, 2), digestHex(digest));

testBlobStore('file system', {
  open: (test) => openIn(test),
  reopen: (store) => openFileBlobs({ root: rootOf(store), log: silentLogger }),
  corrupt: (store, digest) => appendFile(pathOf(store, digest), 'x'),
});

/** The machine's file system, asked `before` each call by name: it may throw, or wait. */
function watched(before: (call: string, path: string) => void | Promise<void>): FileSystem {
  const real = createNodeFileSystem();
  const file = (open: OpenFile, path: string): OpenFile => ({
    ...open,
    write: async (buffers, position) => {
      await before('write', path);
      return open.write(buffers, position);
    },
    datasync: async () => {
      await before('datasync', path);
      return open.datasync();
    },
    truncate: async (bytes) => {
      await before('truncate', path);
      return open.truncate(bytes);
    },
  });
  return {
    ...real,
    openToWrite: async (path) => file(await real.openToWrite(path), path),
    async create(path) {
      await before('create', path);
      await real.create(path);
    },
    async rename(from, to) {
      await before('rename', to);
      await real.rename(from, to);
    },
    async unlink(path) {
      await before('unlink', path);
      await real.unlink(path);
    },
    async makeDirectory(path) {
      await before('makeDirectory', path);
      return real.makeDirectory(path);
    },
    async syncDirectory(path) {
      await before('syncDirectory', path);
      await real.syncDirectory(path);
    },
  };
}

const systemError = (code: string) => Object.assign(new Error(code), { code });

/** True when this process has the file open for writing past the page cache. */
async function hasDirectFile(path: string): Promise<boolean> {
  const O_DIRECT = 0o40000;
  for (const fd of await readdir('/proc/self/fd')) {
    const [target, info] = await Promise.all([
      readlink(`/proc/self/fd/${fd}`).catch(() => ''),
      readFile(`/proc/self/fdinfo/${fd}`, 'utf8').catch(() => ''),
    ]);
    if (target === path && (parseInt(/^flags:\s+(\d+)$/m.exec(info)?.[1] ?? '0', 8) & O_DIRECT) !== 0) return true;
  }
  return false;
}

async function* chunks(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

describe('blobs in a folder', () => {
  it('flushes data, then renames, then flushes the folder and each new folder above it', async (test) => {
    const calls: string[] = [];
    let root = '';
    const store = await openIn(test, undefined, {
      fileSystem: watched((call, path) => void calls.push(`${call} ${path.slice(root.length)}`)),
    });
    root = rootOf(store);
    calls.length = 0;
    const digest = digestOf('one');
    const hex = digestHex(digest);
    const folder = `/blobs/sha256/${hex.slice(0, 2)}`;
    for (const uploadId of ['a', 'b']) {
      await store.createUpload(uploadId);
      await store.append(uploadId, 0, chunks('one'), Infinity);
      await store.publish(uploadId, digest);
    }
    assert.deepEqual(calls, [
      'create /uploads/a',
      'write /uploads/a',
      'datasync /uploads/a',
      `makeDirectory ${folder}`,
      'syncDirectory /blobs/sha256',
      `rename ${folder}/${hex}`,
      `syncDirectory ${folder}`,
      'create /uploads/b',
      'write /uploads/b',
      'datasync /uploads/b',
      `rename ${folder}/${hex}`,
      `syncDirectory ${folder}`,
    ]);
  });

  it('is full until there is room again, and has lost nothing by then', async (test) => {
    for (const code of ['ENOSPC', 'EDQUOT']) {
      let isFull = false;
      const store = await openIn(test, undefined, {
        fileSystem: watched((call) => {
          if (isFull && ['write', 'create', 'makeDirectory'].includes(call)) throw systemError(code);
        }),
      });
      const isFault507 = (error: unknown) => isFault(error, 'storage-full');
      await store.createUpload('a');
      await store.append('a', 0, chunks('one'), Infinity);
      isFull = true;
      await assert.rejects(store.append('a', 3, chunks('two'), Infinity), isFault507);
      await assert.rejects(store.createUpload('b'), isFault507);
      await assert.rejects(store.publish('a', digestOf('one')), isFault507);
      isFull = false;
      assert.equal(await store.append('a', 3, chunks('two'), Infinity), 6);
      const digest = digestOf('onetwo');
      assert.equal(await store.uploadDigest('a', 6, 'sha256'), digest);
      await store.publish('a', digest);
      assert.equal((await readFile(pathOf(store, digest))).toString(), 'onetwo');
    }
  });

  it('makes room on a full disk', async (test) => {
    let isFull = false;
    const store = await openIn(test, undefined, {
      fileSystem: watched((call) => {
        if (isFull && call !== 'unlink') throw systemError('ENOSPC');
      }),
    });
    await store.createUpload('a');
    await store.append('a', 0, chunks('one'), Infinity);
    await store.publish('a', digestOf('one'));
    await store.createUpload('b');
    isFull = true;
    assert.equal(await store.remove(digestOf('one')), 3);
    await store.discardUpload('b');
    assert.deepEqual(await readdir(join(rootOf(store), 'uploads')), []);
  });

  for (const failing of ['datasync', 'syncDirectory']) {
    it(`writes nothing ever again when a ${failing} has failed once, and still reads`, async (test) => {
      let fails = false;
      const reasons: string[] = [];
      const store = await openIn(test, undefined, {
        fileSystem: watched((call) => {
          if (fails && call === failing) throw systemError('EIO');
        }),
        onFatal: (reason) => reasons.push(reason),
      });
      const isStorageFailed = (error: unknown) => isFault(error, 'storage-failed');
      await store.createUpload('a');
      await store.append('a', 0, chunks('one'), Infinity);
      await store.publish('a', digestOf('one'));
      await store.createUpload('b');
      await store.append('b', 0, chunks('two'), Infinity);
      fails = true;
      await assert.rejects(store.publish('b', digestOf('two')), isStorageFailed);
      fails = false;
      await assert.rejects(store.publish('b', digestOf('two')), isStorageFailed);
      await assert.rejects(store.createUpload('c'), isStorageFailed);
      await assert.rejects(store.append('b', 3, chunks('x'), Infinity), isStorageFailed);
      assert.equal(reasons.length, 1);
      assert.equal(await store.rehash(digestOf('one')), digestOf('one'));
    });
  }

  it('starts writing out a large upload early, and turns read-only when that fails', async (test) => {
    let fails = false;
    const syncs: string[] = [];
    const store = await openIn(test, undefined, {
      fileSystem: watched((call, path) => {
        if (call === 'datasync') syncs.push(path);
        if (fails && call === 'datasync') throw systemError('EIO');
      }),
    });
    const block = Buffer.alloc(1024 * 1024, 7);
    const blocks = (count: number) => chunks(...Array.from({ length: count }, () => block));
    await store.createUpload('a');
    for (let offset = 0; offset < 40; offset += 8) await store.append('a', offset * block.length, blocks(8), Infinity);
    assert.equal(syncs.length, 1);
    fails = true;
    await store.append('a', 40 * block.length, blocks(40), Infinity);
    fails = false;
    await assert.rejects(store.publish('a', digestOf('')), (error) => isFault(error, 'storage-failed'));
  });

  it('writes what is large past the page cache, and every byte where it belongs', async (test) => {
    const store = await openIn(test);
    const block = randomBytes(3 * 1024 * 1024 + 5);
    const isDirect: boolean[] = [];
    async function* source(count: number): AsyncGenerator<Uint8Array> {
      for (let n = 0; n < count; n++) yield block;
      isDirect.push(await hasDirectFile(join(rootOf(store), 'uploads/a')));
    }
    await store.createUpload('a');
    let offset = 0;
    // The third begins where no block of the disk does, and after a failure there is a chunk to write again.
    for (const count of [3, 7, 4]) offset = (await store.append('a', offset, source(count), Infinity)) ?? NaN;
    await assert.rejects(store.append('a', offset, source(5), 4 * block.length), (error) => isFault(error, 'blob-too-large'));
    offset = (await store.append('a', offset, source(2), Infinity)) ?? NaN;
    const whole = Buffer.concat(Array.from({ length: 16 }, () => block));
    assert.equal(offset, whole.length);
    assert.equal(await store.uploadDigest('a', offset, 'sha256'), digestOf(whole));
    await store.publish('a', digestOf(whole));
    assert.ok((await readFile(pathOf(store, digestOf(whole)))).equals(whole));
    const direct = await open(pathOf(store, digestOf(whole)), constants.O_RDONLY | constants.O_DIRECT).catch(() => undefined);
    await direct?.close();
    assert.deepEqual(isDirect, [false, direct !== undefined, direct !== undefined, direct !== undefined]);
  });

  it('hashes a large file in a thread, up to the length asked for', async (test) => {
    const store = await openIn(test);
    const block = Buffer.alloc(3 * 1024 * 1024, 7);
    await store.createUpload('a');
    await store.append('a', 0, chunks(block, 'not to count'), Infinity);
    assert.equal(await store.uploadDigest('a', block.length, 'sha512'), digestOf(block, 'sha512'));
    assert.equal(await store.uploadDigest('a', block.length * 2, 'sha512'), undefined);
    assert.deepEqual(
      await Promise.all([1, 2, 3, 4].map((megabytes) => store.uploadDigest('a', megabytes * 700_000, 'sha512'))),
      [1, 2, 3, 4].map((megabytes) => digestOf(block.subarray(0, megabytes * 700_000), 'sha512')),
    );
    assert.equal(await store.rehash(digestOf(block)), undefined);
  });

  it('leaves alone what is not a blob, and takes no path for an upload', async (test) => {
    const store = await openIn(test);
    await writeFile(join(rootOf(store), 'blobs/sha256/readme'), 'by a person');
    for await (const blob of store.list()) assert.fail(blob.digest);
    for (const uploadId of ['../blobs', 'a/b', '', '.']) await assert.rejects(store.createUpload(uploadId), /not an upload id/);
  });

  it('says how much room there is', async (test) => {
    const room = await (await openIn(test)).room();
    assert.ok(room !== undefined && room.total > room.free && room.free > 0);
  });
});
