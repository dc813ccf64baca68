import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { digestOf, type Digest } from '../core/digest.ts';
import { isFault } from '../core/fault.ts';
import type { BlobReader, BlobStore } from './ports.ts';

/** What a driver hands to the suite. */
export interface BlobStoreDriver {
  open(test: TestContext): Promise<BlobStore>;
  /** The same store as a process finds it that starts after this one; absent when nothing outlives the process. */
  reopen?(store: BlobStore): Promise<BlobStore>;
  /** Changes the bytes of a blob behind the store's back. */
  corrupt(store: BlobStore, digest: Digest): Promise<void>;
}

/** Proves the promises of `BlobStore` for one driver. */
export function testBlobStore(name: string, driver: BlobStoreDriver): void {
  describe(`blob store: ${name}`, () => {
    for (const [what, parts] of [
      ['nothing', []],
      ['two bytes', ['{}']],
      ['several chunks', ['one', '', 'two', 'three']],
      ['more than a batch', Array.from({ length: 40 }, (_, index) => String.fromCharCode(97 + (index % 26)).repeat(65_536))],
      ['many tiny chunks', Array.from({ length: 3000 }, (_, index) => String(index))],
    ] as const) {
      it(`keeps ${what} as sent`, async (test) => {
        const store = await driver.open(test);
        const content = parts.join('');
        const digest = digestOf(content);
        await store.createUpload('a');
        assert.equal(await store.append('a', 0, chunks(...parts), Infinity), content.length);
        assert.equal(await store.uploadDigest('a', content.length, 'sha256'), digest);
        const stamp = await store.publish('a', digest);
        const reader = await store.open(digest);
        assert.ok(reader);
        assert.deepEqual([reader.bytes, reader.stamp], [content.length, stamp]);
        assert.equal(await readAll(reader), content);
        await reader.close();
        assert.equal(await store.rehash(digest), digest);
        assert.equal(await store.uploadDigest('a', 0, 'sha256'), undefined);
      });
    }

    it('appends chunk by chunk, whichever algorithm is asked for at the end', async (test) => {
      for (const started of ['sha256', 'sha512'] as const) {
        for (const asked of ['sha256', 'sha512'] as const) {
          const store = await driver.open(test);
          await store.createUpload('a', started);
          await store.append('a', 0, chunks('one'), Infinity);
          await store.append('a', 3, chunks(), Infinity);
          await store.append('a', 3, chunks('two'), Infinity);
          assert.equal(await store.uploadDigest('a', 6, asked), digestOf('onetwo', asked));
          await store.append('a', 6, chunks('three'), Infinity);
          const digest = digestOf('onetwothree', asked);
          assert.equal(await store.uploadDigest('a', 11, asked), digest);
          await store.publish('a', digest);
          assert.equal(await content(store, digest), 'onetwothree');
        }
      }
    });

    it('cuts off what does not count before it appends', async (test) => {
      const store = await driver.open(test);
      await store.createUpload('a');
      await store.append('a', 0, chunks('one', 'not to be'), Infinity);
      await store.append('a', 3, chunks('two'), Infinity);
      assert.equal(await store.uploadDigest('a', 6, 'sha256'), digestOf('onetwo'));
      assert.equal(await store.uploadDigest('a', 7, 'sha256'), undefined);
    });

    it('takes nothing of a source that fails, and goes on from there', async (test) => {
      const store = await driver.open(test);
      await store.createUpload('a');
      await store.append('a', 0, chunks('one'), Infinity);
      const failure = new Error('the client went away');
      for (const before of [0, 1, 30]) {
        await assert.rejects(store.append('a', 3, failing(before, failure), Infinity), failure);
        assert.equal(await store.uploadDigest('a', 4, 'sha256'), undefined);
      }
      await store.append('a', 3, chunks('two'), Infinity);
      assert.equal(await store.uploadDigest('a', 6, 'sha256'), digestOf('onetwo'));
    });

    it('refuses more than the limit, and takes exactly the limit', async (test) => {
      const store = await driver.open(test);
      await store.createUpload('a');
      await store.append('a', 0, chunks('one'), 3);
      await assert.rejects(store.append('a', 3, chunks('tw', 'o'), 2), (error) => isFault(error, 'blob-too-large'));
      assert.equal(await store.append('a', 3, chunks('tw', 'o'), 3), 6);
    });

    it('says so when the staging file is gone or too short', async (test) => {
      const store = await driver.open(test);
      assert.equal(await store.append('a', 0, chunks('one'), Infinity), undefined);
      assert.equal(await store.uploadDigest('a', 0, 'sha256'), undefined);
      await store.createUpload('a');
      await store.append('a', 0, chunks('one'), Infinity);
      assert.equal(await store.append('a', 4, chunks('two'), Infinity), undefined);
      assert.equal(await store.uploadDigest('a', 3, 'sha256'), digestOf('one'));
      await store.discardUpload('a');
      await store.discardUpload('a');
      assert.equal(await store.append('a', 0, chunks('one'), Infinity), undefined);
    });

    it('works on many uploads at once, each with its own bytes', async (test) => {
      const store = await driver.open(test);
      const digests = await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const text = `${index}.`.repeat(20_000);
          await store.createUpload(`u${index}`);
          await store.append(`u${index}`, 0, slices(text, 7_777), Infinity);
          const digest = digestOf(text);
          assert.equal(await store.uploadDigest(`u${index}`, text.length, 'sha256'), digest);
          await store.publish(`u${index}`, digest);
          return digest;
        }),
      );
      for (const digest of digests) assert.equal(await store.rehash(digest), digest);
      assert.deepEqual(new Set((await listed(store)).map((blob) => blob.digest)), new Set(digests));
    });

    it('replaces a blob that is published again, under a new stamp, while an open reader keeps what it has', async (test) => {
      const store = await driver.open(test);
      const digest = await add(store, 'one');
      const reader = await store.open(digest);
      assert.ok(reader);
      await add(store, 'one');
      assert.equal(await readAll(reader), 'one');
      const again = await store.open(digest);
      assert.notEqual(again?.stamp, reader.stamp);
      await reader.close();
      await again?.close();
    });

    it('removes a blob, saying what came free, while an open reader keeps what it has', async (test) => {
      const store = await driver.open(test);
      const digest = await add(store, 'four');
      const reader = await store.open(digest);
      assert.ok(reader);
      assert.equal(await store.remove(digest), 4);
      assert.equal(await store.remove(digest), 0);
      assert.equal(await store.open(digest), undefined);
      assert.equal(await store.rehash(digest), undefined);
      assert.equal(await readAll(reader), 'four');
      await reader.close();
      assert.deepEqual(await listed(store), []);
    });

    it('reads any part, and nothing past the end', async (test) => {
      const store = await driver.open(test);
      const reader = await store.open(await add(store, 'abcdefgh'));
      assert.ok(reader);
      const part = async (position: number, length: number) => {
        const into = new Uint8Array(length);
        return Buffer.from(into.subarray(0, await reader.read(into, position))).toString();
      };
      assert.deepEqual(await Promise.all([part(0, 3), part(5, 9), part(8, 1), part(100, 1)]), ['abc', 'fgh', '', '']);
      await reader.close();
    });

    it('shows by its stamp that a blob was written to, finds it wrong, and puts it out of the way', async (test) => {
      const store = await driver.open(test);
      const digest = await add(store, 'good bytes');
      const before = await store.open(digest);
      await before?.close();
      await driver.corrupt(store, digest);
      const after = await store.open(digest);
      await after?.close();
      assert.notEqual(after?.stamp, before?.stamp);
      const found = await store.rehash(digest);
      assert.ok(found !== undefined && found !== digest);
      await store.quarantine(digest);
      await store.quarantine(digest);
      assert.equal(await store.open(digest), undefined);
      assert.deepEqual(await listed(store), []);
      assert.equal(await content(store, await add(store, 'good bytes')), 'good bytes');
    });

    it('lists staging files and blobs', async (test) => {
      const store = await driver.open(test);
      await store.createUpload('a');
      const digest = await add(store, 'four');
      const uploads: string[] = [];
      for await (const { uploadId } of store.listUploads()) uploads.push(uploadId);
      assert.deepEqual(uploads, ['a']);
      assert.deepEqual(
        (await listed(store)).map(({ bytes, ...blob }) => [blob.digest, bytes]),
        [[digest, 4]],
      );
    });

    const { reopen } = driver;
    if (reopen !== undefined) {
      it('goes on with an upload, and has every blob, after a restart', async (test) => {
        const first = await driver.open(test);
        const digest = await add(first, 'whole');
        await first.createUpload('a', 'sha512');
        await first.append('a', 0, chunks('one', 'lost'), Infinity);
        const second = await reopen(first);
        assert.equal(await content(second, digest), 'whole');
        await second.append('a', 3, chunks('two'), Infinity);
        for (const algorithm of ['sha256', 'sha512'] as const) {
          assert.equal(await second.uploadDigest('a', 6, algorithm), digestOf('onetwo', algorithm));
        }
      });
    }
  });
}

async function* chunks(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

async function* slices(text: string, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size));
}

async function* failing(before: number, failure: Error): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < before; index++) yield Buffer.alloc(100_000, index);
  throw failure;
}

async function add(store: BlobStore, text: string): Promise<Digest> {
  const digest = digestOf(text);
  await store.createUpload('adding');
  await store.append('adding', 0, chunks(text), Infinity);
  await store.publish('adding', digest);
  return digest;
}

async function readAll(reader: BlobReader): Promise<string> {
  const buffer = Buffer.alloc(100_000);
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const bytes = await reader.read(buffer, at);
    if (bytes === 0) return Buffer.concat(parts).toString();
    parts.push(Buffer.from(buffer.subarray(0, bytes)));
    at += bytes;
  }
}

async function content(store: BlobStore, digest: Digest): Promise<string> {
  const reader = await store.open(digest);
  assert.ok(reader);
  const text = await readAll(reader);
  await reader.close();
  return text;
}

async function listed(store: BlobStore): Promise<{ digest: Digest; bytes: number; modifiedAt: number }[]> {
  const blobs = [];
  for await (const blob of store.list()) blobs.push(blob);
  return blobs;
}
