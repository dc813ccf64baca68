import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chunks, createBlobRegistry, readBlob } from '../../test/support/blobs.ts';
import { checkInvariants } from '../../test/support/check-invariants.ts';
import { fault } from '../../test/support/faults.ts';
import { caller } from '../../test/support/registry.ts';
import { digestOf } from '../core/digest.ts';
import { silentLogger } from '../core/logger.ts';
import { createMemoryBlobs } from '../drivers/blobs/memory.ts';
import { defaultRegistryOptions } from './context.ts';
import { createBlobLocks } from './blob-locks.ts';
import { createLayers } from './layers.ts';

const LEASE = defaultRegistryOptions.leaseMs;

async function* breakingOff(...parts: string[]): AsyncGenerator<Uint8Array> {
  yield* chunks(...parts);
  throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
}

describe('upload sessions', () => {
  it('take a blob in one piece, in chunks, and streamed', async (test) => {
    const { registry, create } = await createBlobRegistry(test);
    const { layers } = registry;
    const repository = await create();
    for (const content of ['', '{}', 'abcdef']) {
      const digest = digestOf(content);
      const { id } = await layers.startUpload(caller, repository);
      const done = await layers.complete(caller, repository, id, digest, { source: chunks(content), length: content.length });
      assert.deepEqual(done, { digest, bytes: content.length, existed: false });
      assert.equal(await readBlob(await layers.open(repository, digest)), content);
      await assert.rejects(layers.getUpload(repository, id), fault('upload-unknown', { uploadId: id }));
    }
    const { id } = await layers.startUpload(caller, repository);
    assert.deepEqual(await layers.append(caller, repository, id, { source: chunks('ab'), range: { first: 0, last: 1 } }), {
      id,
      offset: 2,
    });
    assert.deepEqual(await layers.append(caller, repository, id, { source: chunks('cd', 'ef') }), { id, offset: 6 });
    assert.equal((await layers.complete(caller, repository, id, digestOf('abcdef'))).existed, true);
  });

  it('go by the digest that closes them, whatever they were started with', async (test) => {
    const { registry, create } = await createBlobRegistry(test);
    const repository = await create();
    for (const algorithm of ['sha256', 'sha512'] as const) {
      const { id } = await registry.layers.startUpload(caller, repository);
      await registry.layers.append(caller, repository, id, { source: chunks('content') });
      await registry.layers.complete(caller, repository, id, digestOf('content', algorithm));
      assert.equal(await readBlob(await registry.layers.open(repository, digestOf('content', algorithm))), 'content');
    }
  });

  it('refuse a chunk that does not begin where the last one ended, say where that was, and go on', async (test) => {
    const { registry, create } = await createBlobRegistry(test);
    const { layers } = registry;
    const repository = await create();
    const { id } = await layers.startUpload(caller, repository);
    for (const [offset, content] of [
      [0, 'ab'],
      [2, 'cd'],
    ] as const) {
      for (const first of [offset + 1, offset + 100, ...(offset > 0 ? [0] : [])]) {
        const chunk = { source: chunks('xy'), range: { first, last: first + 1 } };
        await assert.rejects(
          layers.append(caller, repository, id, chunk),
          fault('upload-range-invalid', { uploadId: id, offset }),
        );
        await assert.rejects(
          layers.complete(caller, repository, id, digestOf('xy'), chunk),
          fault('upload-range-invalid', { offset }),
        );
      }
      const mismatched = { source: chunks(content), range: { first: offset, last: offset + 1 }, length: 3 };
      await assert.rejects(layers.append(caller, repository, id, mismatched), fault('upload-range-invalid', { offset }));
      assert.deepEqual(await layers.getUpload(repository, id), { id, offset });
      await layers.append(caller, repository, id, {
        source: chunks(content),
        range: { first: offset, last: offset + 1 },
        length: 2,
      });
    }
    assert.equal((await layers.complete(caller, repository, id, digestOf('abcd'))).bytes, 4);
  });

  it('are as before after a chunk that breaks off, is short or is long', async (test) => {
    const { registry, create } = await createBlobRegistry(test);
    const { layers } = registry;
    const repository = await create();
    const { id } = await layers.startUpload(caller, repository);
    await layers.append(caller, repository, id, { source: chunks('ab') });
    for (const [chunk, facts] of [
      [
        { source: chunks('c'), length: 2 },
        { expected: 2, received: 1 },
      ],
      [
        { source: chunks('cde'), length: 2 },
        { expected: 2, received: 3 },
      ],
      [
        { source: chunks('c'), range: { first: 2, last: 3 } },
        { expected: 2, received: 1 },
      ],
      [
        { source: breakingOff('c'), length: 2 },
        { expected: 2, received: 1 },
      ],
      [
        { source: breakingOff('cd'), length: 2 },
        { expected: 2, received: 2 },
      ],
      [{ source: breakingOff('c') }, { expected: 2, received: 1 }],
    ] as const) {
      await assert.rejects(layers.append(caller, repository, id, chunk), fault('upload-incomplete', facts));
      assert.deepEqual(await layers.getUpload(repository, id), { id, offset: 2 });
    }
    await layers.complete(caller, repository, id, digestOf('abcd'), { source: chunks('cd') });
  });

  it('take one chunk at a time', async (test) => {
    const { registry, create } = await createBlobRegistry(test);
    const { layers } = registry;
    const repository = await create();
    const { id } = await layers.startUpload(caller, repository);
    const gate = Promise.withResolvers<void>();
    const waiting = layers.append(caller, repository, id, {
      source: (async function* () {
        yield Buffer.from('ab');
        await gate.promise;
      })(),
    });
    await assert.rejects(layers.append(caller, repository, id, { source: chunks('x') }), fault('upload-busy', { uploadId: id }));
    await assert.rejects(layers.complete(caller, repository, id, digestOf('ab')), fault('upload-busy'));
    await assert.rejects(layers.cancelUpload(caller, repository, id), fault('upload-busy'));
    gate.resolve();
    assert.equal((await waiting).offset, 2);
  });

  it('refuse a layer over the limit, declared or not, and keep what they had', async (test) => {
    const { registry, create, meta, clock, blobs } = await createBlobRegistry(test);
    const repository = await create();
    const context = {
      meta,
      clock,
      blobs,
      ids: { uuid: () => 'one-upload', bytes: () => new Uint8Array() },
      log: silentLogger,
      options: defaultRegistryOptions,
      locks: createBlobLocks(),
    };
    const layers = createLayers(context, { layerLimit: 4 });
    const { id } = await layers.startUpload(caller, repository);
    await layers.append(caller, repository, id, { source: chunks('ab') });
    await assert.rejects(
      layers.append(caller, repository, id, { source: chunks('c'), length: 3 }),
      fault('blob-too-large', { limit: 4 }),
    );
    await assert.rejects(
      layers.append(caller, repository, id, { source: chunks('c', 'de') }),
      fault('blob-too-large', { limit: 4 }),
    );
    assert.equal((await layers.complete(caller, repository, id, digestOf('abcd'), { source: chunks('cd') })).bytes, 4);
    assert.equal(await readBlob(await registry.layers.open(repository, digestOf('abcd'))), 'abcd');
  });

  it('are gone with a wrong digest, a cancellation, or their repository', async (test) => {
    const { registry, create, blobs } = await createBlobRegistry(test);
    const { layers } = registry;
    const repository = await create();
    const wrong = await layers.startUpload(caller, repository);
    await layers.append(caller, repository, wrong.id, { source: chunks('ab') });
    await assert.rejects(
      layers.complete(caller, repository, wrong.id, digestOf('xy')),
      fault('blob-digest-mismatch', { given: digestOf('xy'), computed: digestOf('ab') }),
    );
    const cancelled = await layers.startUpload(caller, repository);
    await layers.cancelUpload(caller, repository, cancelled.id);
    for (const { id } of [wrong, cancelled]) {
      await assert.rejects(layers.getUpload(repository, id), fault('upload-unknown'));
      await assert.rejects(layers.append(caller, repository, id, { source: chunks('x') }), fault('upload-unknown'));
      await assert.rejects(layers.cancelUpload(caller, repository, id), fault('upload-unknown'));
    }
    for await (const { uploadId } of blobs.listUploads()) assert.fail(uploadId);
    const open = await layers.startUpload(caller, repository);
    await registry.repositories.delete(caller, repository, { force: true });
    await assert.rejects(layers.append(caller, repository, open.id, { source: chunks('x') }), fault('upload-unknown'));
    await assert.rejects(layers.startUpload(caller, repository), fault('repository-unknown'));
  });

  it('belong to their repository', async (test) => {
    const { registry, create } = await createBlobRegistry(test);
    const [one, two] = [await create('one'), await create('two')];
    const { id } = await registry.layers.startUpload(caller, one);
    await assert.rejects(registry.layers.append(caller, two, id, { source: chunks('x') }), fault('upload-unknown'));
    await assert.rejects(
      registry.layers.complete(caller, two, id, digestOf('x'), { source: chunks('x') }),
      fault('upload-unknown'),
    );
  });

  it('begin anew when power was lost before their bytes were on the disk', async (test) => {
    const { registry, create, blobs } = await createBlobRegistry(test);
    const repository = await create();
    const { id } = await registry.layers.startUpload(caller, repository);
    await registry.layers.append(caller, repository, id, { source: chunks('abcdef') });
    await blobs.append(id, 2, chunks(), Infinity);
    await assert.rejects(registry.layers.append(caller, repository, id, { source: chunks('g') }), fault('upload-unknown'));
    await assert.rejects(registry.layers.getUpload(repository, id), fault('upload-unknown'));
  });

  it('can be closed again after a crash between the blob and its row', async (test) => {
    const { registry, create, blobs, meta } = await createBlobRegistry(test);
    const repository = await create();
    const { id } = await registry.layers.startUpload(caller, repository);
    await registry.layers.append(caller, repository, id, { source: chunks('abcdef') });
    await blobs.publish(id, digestOf('abcdef'));
    assert.deepEqual(await registry.layers.complete(caller, repository, id, digestOf('abcdef')), {
      digest: digestOf('abcdef'),
      bytes: 6,
      existed: false,
    });
    assert.deepEqual(await checkInvariants({ meta, blobs, orphansBefore: Infinity }), []);
  });
});

describe('blobs of a repository', () => {
  it('are seen by members only', async (test) => {
    const { registry, create, upload } = await createBlobRegistry(test);
    const { layers } = registry;
    const [one, two] = [await create('one'), await create('two')];
    const digest = await upload(one, 'abc');
    assert.deepEqual(await layers.stat(one, digest), { digest, bytes: 3 });
    assert.equal(await layers.stat(two, digest), undefined);
    await assert.rejects(layers.open(two, digest), fault('blob-unknown', { digest, repository: 'two' }));
    assert.equal(await layers.mount(caller, two, digestOf('nowhere'), one), false);
    assert.equal(await layers.mount(caller, one, digest, two), false);
    assert.equal(await layers.mount(caller, two, digest, one), true);
    assert.equal(await readBlob(await layers.open(two, digest)), 'abc');
    await layers.remove(caller, one, digest);
    assert.equal(await layers.stat(one, digest), undefined);
    await assert.rejects(layers.remove(caller, one, digest), fault('blob-unknown'));
    assert.deepEqual(await layers.stat(two, digest), { digest, bytes: 3 });
  });

  it('stay while an image refers to them', async (test) => {
    const { registry, create, push } = await createBlobRegistry(test);
    const [one, two] = [await create('one'), await create('two')];
    const image = await push(one, 'a');
    const layer = digestOf('layer of a');
    await registry.layers.mount(caller, two, layer, one);
    assert.deepEqual(
      [await registry.layers.isReferenced(one, layer), await registry.layers.isReferenced(two, layer)],
      [true, false],
    );
    await assert.rejects(
      registry.layers.remove(caller, one, layer),
      fault('blob-referenced', { repository: 'one', digest: layer }),
    );
    await registry.images.delete(caller, one, image);
    await registry.layers.remove(caller, one, layer);
  });

  it('renew their lease when somebody asks late, and not before', async (test) => {
    const { registry, create, upload, clock, meta } = await createBlobRegistry(test);
    const repository = await create();
    const digest = await upload(repository, 'abc');
    const lease = async () =>
      (await meta.read.selectFrom('repository_blob').select('lease_until').executeTakeFirstOrThrow()).lease_until;
    const first = await lease();
    assert.equal(first, clock.now() + LEASE);
    clock.advance(LEASE / 2);
    await registry.layers.stat(repository, digest);
    assert.equal(await lease(), first);
    clock.advance(1);
    await registry.layers.stat(repository, digest);
    assert.equal(await lease(), clock.now() + LEASE);
  });

  it('are never served with a wrong byte: they go out of the way, the log says so, and the next push heals them', async (test) => {
    const errors: Record<string, unknown>[] = [];
    const clock = { now: () => 1_700_000_000_000 };
    const blobs = createMemoryBlobs(clock);
    const log = { ...silentLogger, error: (_message: string, facts: Record<string, unknown> = {}) => void errors.push(facts) };
    const { registry, create, upload, meta } = await createBlobRegistry(test, { blobs, log });
    const repository = await create();
    const digest = await upload(repository, 'abc');
    assert.ok(blobs.corrupt(digest));
    for (let again = 0; again < 2; again++)
      await assert.rejects(registry.layers.open(repository, digest), fault('blob-corrupt', { digest }));
    assert.deepEqual(errors, [{ digest, found: digestOf('abb'), repositories: ['team/app'] }]);
    assert.equal(await registry.layers.stat(repository, digest), undefined);
    assert.equal(await registry.layers.mount(caller, await create('other'), digest, repository), false);
    await upload(repository, 'abc');
    assert.equal(await readBlob(await registry.layers.open(repository, digest)), 'abc');
    assert.deepEqual(await checkInvariants({ meta, blobs, orphansBefore: Infinity }), []);
  });

  it('are served again once they were hashed, when only their storage has changed', async (test) => {
    const clock = { now: () => 1_700_000_000_000 };
    const blobs = createMemoryBlobs(clock);
    const { registry, create, upload, meta } = await createBlobRegistry(test, { blobs });
    const repository = await create();
    const digest = await upload(repository, 'abc');
    blobs.corrupt(digest);
    blobs.corrupt(digest);
    assert.equal(await readBlob(await registry.layers.open(repository, digest)), 'abc');
    const { stamp } = await meta.read.selectFrom('blob').select('stamp').executeTakeFirstOrThrow();
    const reader = await blobs.open(digest);
    assert.equal(reader?.stamp, stamp);
  });

  it('heal when their file has vanished and they are pushed again', async (test) => {
    const { registry, create, upload, blobs } = await createBlobRegistry(test);
    const repository = await create();
    const digest = await upload(repository, 'abc');
    await blobs.remove(digest);
    await upload(repository, 'abc');
    assert.equal(await readBlob(await registry.layers.open(repository, digest)), 'abc');
    await blobs.remove(digest);
    await assert.rejects(registry.layers.open(repository, digest), fault('blob-corrupt'));
  });

  it('are one blob when many push it at once', async (test) => {
    const { registry, create, upload, meta, blobs } = await createBlobRegistry(test);
    const repository = await create();
    const other = await create('other');
    const digests = await Promise.all(
      Array.from({ length: 20 }, (_, index) => upload(index % 2 ? repository : other, 'the same')),
    );
    assert.equal(new Set(digests).size, 1);
    assert.deepEqual(await checkInvariants({ meta, blobs, orphansBefore: Infinity }), []);
    assert.equal(await readBlob(await registry.layers.open(other, digestOf('the same'))), 'the same');
  });
});
