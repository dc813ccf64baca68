import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chunks, configOf, createBlobRegistry, layerOf, readBlob } from '../../test/support/blobs.ts';
import { bytesStored, checkInvariants } from '../../test/support/check-invariants.ts';
import { fault } from '../../test/support/faults.ts';
import { caller, imageManifest } from '../../test/support/registry.ts';
import { digestOf, type Digest } from '../core/digest.ts';
import { createMemoryBlobs } from '../drivers/blobs/memory.ts';
import { defaultRegistryOptions } from './context.ts';
import type { BlobStore } from './ports.ts';
import type { CollectionReport } from './registry.ts';

const { leaseMs: LEASE, graceMs: GRACE } = defaultRegistryOptions;
const HOUR = 60 * 60 * 1000;

/** The counts that are not zero. */
function counts(report: CollectionReport): Partial<CollectionReport> {
  const { startedAt: _at, durationMs: _took, ...rest } = report;
  return Object.fromEntries(Object.entries(rest).filter(([, count]) => count !== 0));
}

describe('collecting', () => {
  it('frees a deleted image when its grace has ended, not before, and says what came free', async (test) => {
    const { registry, create, push, clock, blobs, meta } = await createBlobRegistry(test);
    const repository = await create();
    const image = await push(repository, 'a', 'v1');
    const kept = await push(repository, 'b', 'v2');
    clock.advance(LEASE + 1);
    assert.deepEqual(counts(await registry.collector.run()), {});
    await registry.images.delete(caller, repository, image);
    clock.advance(GRACE - 1);
    assert.deepEqual(counts(await registry.collector.run()), {});
    clock.advance(1);
    const before = await bytesStored(blobs);
    const expected = {
      imagesPurged: 1,
      membershipsEnded: 2,
      blobsDeleted: 2,
      bytesFreed: layerOf('a').length + configOf('a').length,
    };
    assert.deepEqual(counts(await registry.collector.run({ dryRun: true })), expected);
    assert.equal(await bytesStored(blobs), before);
    assert.deepEqual(counts(await registry.collector.run()), expected);
    assert.equal(await bytesStored(blobs), before - expected.bytesFreed);
    assert.deepEqual(counts(await registry.collector.run()), {});
    await assert.rejects(registry.images.restore(caller, repository, image), fault('deleted-image-unknown'));
    assert.deepEqual(
      await checkInvariants({
        meta,
        blobs,
        acknowledged: [{ repositoryId: repository.id, digest: kept }],
        orphansBefore: Infinity,
      }),
      [],
    );
  });

  it('lets a deleted image be restored, with the layers that were no members any more', async (test) => {
    const { registry, create, push, clock, blobs, meta } = await createBlobRegistry(test);
    const repository = await create();
    const image = await push(repository, 'a', 'v1');
    await registry.images.delete(caller, repository, image);
    clock.advance(LEASE + 1);
    assert.deepEqual(counts(await registry.collector.run()), { membershipsEnded: 2 });
    await registry.images.restore(caller, repository, image);
    clock.advance(GRACE);
    assert.deepEqual(counts(await registry.collector.run()), {});
    assert.equal(await readBlob(await registry.layers.open(repository, digestOf(layerOf('a')))), layerOf('a'));
    assert.deepEqual(await checkInvariants({ meta, blobs, acknowledged: [{ repositoryId: repository.id, digest: image }] }), []);
  });

  it("purges at once when asked to, leases of the image's own push included, and says before what it would do", async (test) => {
    const { registry, create, push, upload, clock, blobs } = await createBlobRegistry(test);
    const repository = await create();
    const image = await push(repository, 'a', 'v1');
    await registry.images.delete(caller, repository, image);
    clock.advance(1);
    await upload(repository, 'for an image to come');
    const freed = layerOf('a').length + configOf('a').length;
    assert.deepEqual(counts(await registry.collector.run({ purge: true })), {
      imagesPurged: 1,
      membershipsEnded: 2,
      blobsDeleted: 2,
      bytesFreed: freed,
    });
    assert.equal(await bytesStored(blobs), 'for an image to come'.length);
  });

  it('ends no lease in a purge while somebody is uploading', async (test) => {
    const { registry, create, push, clock } = await createBlobRegistry(test);
    const repository = await create();
    await registry.images.delete(caller, repository, await push(repository, 'a', 'v1'));
    clock.advance(1);
    await registry.layers.startUpload(caller, repository);
    assert.deepEqual(counts(await registry.collector.run({ purge: true })), { imagesPurged: 1 });
    assert.ok(await registry.layers.stat(repository, digestOf(layerOf('a'))));
  });

  it('keeps what was pushed, mounted or asked for a lease long, and then takes it', async (test) => {
    const { registry, create, upload, clock, blobs } = await createBlobRegistry(test);
    const [one, two] = [await create('one'), await create('two')];
    const digest = await upload(one, 'abc');
    clock.advance(LEASE - 1);
    assert.deepEqual(counts(await registry.collector.run()), {});
    assert.ok(await registry.layers.stat(one, digest));
    clock.advance(LEASE - 1);
    assert.equal(await registry.layers.mount(caller, two, digest, one), true);
    clock.advance(1);
    assert.deepEqual(counts(await registry.collector.run()), { membershipsEnded: 1 });
    assert.equal(await registry.layers.stat(one, digest), undefined);
    clock.advance(LEASE - 2);
    assert.deepEqual(counts(await registry.collector.run()), {});
    clock.advance(1);
    assert.deepEqual(counts(await registry.collector.run()), { membershipsEnded: 1, blobsDeleted: 1, bytesFreed: 3 });
    assert.equal(await bytesStored(blobs), 0);
  });

  it('takes nothing from a repository into which somebody uploads, however long that takes', async (test) => {
    const { registry, create, upload, clock } = await createBlobRegistry(test);
    const repository = await create();
    const digest = await upload(repository, 'small');
    const { id } = await registry.layers.startUpload(caller, repository);
    for (let at = 0; at < 10; at++) {
      clock.advance(LEASE * 0.9);
      await registry.layers.append(caller, repository, id, { source: chunks('x') });
      assert.deepEqual(counts(await registry.collector.run()), {});
    }
    assert.ok(await registry.layers.stat(repository, digest));
    await registry.layers.cancelUpload(caller, repository, id);
    clock.advance(LEASE);
    assert.deepEqual(counts(await registry.collector.run()), { membershipsEnded: 1, blobsDeleted: 1, bytesFreed: 5 });
  });

  it('hears from an upload while its bytes come in', async (test) => {
    const { registry, create, upload, clock } = await createBlobRegistry(test);
    const repository = await create();
    const digest = await upload(repository, 'small');
    const { id } = await registry.layers.startUpload(caller, repository);
    const source = (async function* () {
      for (let at = 0; at < 5; at++) {
        yield Buffer.from('x');
        clock.advance(LEASE * 0.9);
        yield Buffer.from('x');
        yield Buffer.from('x');
        assert.deepEqual(counts(await registry.collector.run()), {});
      }
    })();
    await registry.layers.append(caller, repository, id, { source });
    assert.ok(await registry.layers.stat(repository, digest));
  });

  it('gives up idle sessions, and staging files without one', async (test) => {
    const { registry, create, clock, blobs } = await createBlobRegistry(test);
    const repository = await create();
    const idle = await registry.layers.startUpload(caller, repository);
    await blobs.createUpload('without-a-row');
    clock.advance(HOUR - 1);
    const active = await registry.layers.startUpload(caller, repository);
    assert.deepEqual(counts(await registry.collector.run()), {});
    clock.advance(1);
    assert.deepEqual(counts(await registry.collector.run({ dryRun: true })), { orphansDeleted: 1 });
    assert.deepEqual(counts(await registry.collector.run()), { orphansDeleted: 1 });
    clock.advance(23 * HOUR);
    assert.deepEqual(counts(await registry.collector.run()), { uploadsDiscarded: 1 });
    await assert.rejects(registry.layers.getUpload(repository, idle.id), fault('upload-unknown'));
    await registry.layers.append(caller, repository, active.id, { source: chunks('x') });
  });

  it('removes files that no row owns once they are old', async (test) => {
    const { registry, clock, blobs } = await createBlobRegistry(test);
    await blobs.createUpload('a');
    await blobs.append('a', 0, chunks('left by a crash'), Infinity);
    await blobs.publish('a', digestOf('left by a crash'));
    assert.deepEqual(counts(await registry.collector.run()), {});
    clock.advance(HOUR);
    assert.deepEqual(counts(await registry.collector.run()), { orphansDeleted: 1, bytesFreed: 15 });
    assert.equal(await bytesStored(blobs), 0);
  });

  it('deletes referrers after their subject, but none that is held, tagged or part of an index', async (test) => {
    const { registry, create, push, clock } = await createBlobRegistry(test);
    const repository = await create();
    const subject = await push(repository, 'a', 'v1');
    const about = { subject: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: subject, size: 1 } };
    const plain = await push(repository, 'sbom', undefined, about);
    const tagged = await push(repository, 'signature', 'mine', about);
    const held = await push(repository, 'report', undefined, about);
    await registry.holds.take(caller, repository, { digest: held, kind: 'person', holder: 'ann' });
    await registry.images.delete(caller, repository, subject);
    clock.advance(GRACE);
    const { referrersDeleted, imagesPurged } = await registry.collector.run();
    assert.deepEqual({ referrersDeleted, imagesPurged }, { referrersDeleted: 1, imagesPurged: 1 });
    const left = await registry.images.list(repository, { limit: 10 });
    assert.deepEqual(new Set(left.items.map((image) => image.digest)), new Set([tagged, held]));
    assert.equal((await registry.images.listDeleted(repository, { limit: 10 })).items[0]?.digest, plain);
  });

  it('leaves referrers alone when their subject is there again', async (test) => {
    const { registry, create, push, clock } = await createBlobRegistry(test);
    const repository = await create();
    const subject = await push(repository, 'a', 'v1');
    const about = { subject: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: subject, size: 1 } };
    await push(repository, 'sbom', undefined, about);
    await registry.images.delete(caller, repository, subject);
    await push(repository, 'a', 'v1');
    clock.advance(GRACE);
    assert.equal((await registry.collector.run()).referrersDeleted, 0);
  });

  it('forgets holds that have run out', async (test) => {
    const { registry, create, push, clock } = await createBlobRegistry(test);
    const repository = await create();
    const digest = await push(repository, 'a', 'v1');
    await registry.holds.take(caller, repository, { digest, kind: 'person', holder: 'ann', timeToLive: 1000 });
    await registry.holds.take(caller, repository, { digest, kind: 'person', holder: 'bob' });
    clock.advance(1000);
    assert.deepEqual(counts(await registry.collector.run({ dryRun: true })), { holdsExpired: 1 });
    assert.deepEqual(counts(await registry.collector.run()), { holdsExpired: 1 });
    assert.equal((await registry.holds.list(caller, { limit: 10 })).items.length, 1);
  });

  it('lets nothing run out because somebody set the clock forward', async (test) => {
    const { registry, create, push, upload, clock } = await createBlobRegistry(test);
    const repository = await create();
    await registry.images.delete(caller, repository, await push(repository, 'a', 'v1'));
    await upload(repository, 'abc');
    await registry.collector.run();
    clock.set(clock.now() + GRACE + HOUR);
    assert.deepEqual(counts(await registry.collector.run()), {});
  });

  it('frees the layers of a deleted repository', async (test) => {
    const { registry, create, push, clock, blobs } = await createBlobRegistry(test);
    const repository = await create();
    await push(repository, 'a', 'v1');
    await registry.repositories.delete(caller, repository, { force: true });
    assert.deepEqual(counts(await registry.collector.run()), {});
    clock.advance(GRACE);
    assert.equal((await registry.collector.run()).blobsDeleted, 2);
    assert.equal(await bytesStored(blobs), 0);
  });

  it('keeps everything when the store cannot be read', async (test) => {
    const clock = { now: () => 0 };
    const real = createMemoryBlobs(clock);
    const failure = Object.assign(new Error('EIO'), { code: 'EIO' });
    let fails = true;
    const blobs: BlobStore = {
      ...real,
      async *list() {
        if (fails) throw failure;
        yield* real.list();
      },
    };
    const { registry } = await createBlobRegistry(test, { blobs });
    await assert.rejects(registry.collector.run(), failure);
    fails = false;
    assert.deepEqual(counts(await registry.collector.run()), {});
  });

  it('finds every corrupt and every vanished blob in one scrub, and no other', async (test) => {
    const clock = { now: () => 1_700_000_000_000 };
    const blobs = createMemoryBlobs(clock);
    const { registry, create, upload, meta } = await createBlobRegistry(test, { blobs });
    const repository = await create();
    const digests: Digest[] = [];
    for (let index = 0; index < 300; index++) digests.push(await upload(repository, `blob ${index}`));
    const wrong = digests.filter((_, index) => index % 100 === 7);
    for (const digest of wrong) blobs.corrupt(digest);
    const vanished = digests[13] as Digest;
    await blobs.remove(vanished);
    const seen: number[] = [];
    const report = await registry.collector.scrub((done) => seen.push(done));
    assert.deepEqual(new Set(report.corrupt), new Set([...wrong, vanished]));
    assert.deepEqual([report.blobs, seen.length, seen.at(-1)], [300, 300, 300]);
    assert.deepEqual((await registry.collector.scrub()).corrupt, []);
    assert.deepEqual(await checkInvariants({ meta, blobs, orphansBefore: Infinity }), []);
  });
});

describe('a push beside a collection', () => {
  /** A store that lets a test stop the collector right before it removes bytes. */
  function stoppable(now: () => number) {
    const real = createMemoryBlobs({ now });
    const reached = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const blobs: BlobStore = {
      ...real,
      async remove(digest) {
        reached.resolve();
        await go.promise;
        return real.remove(digest);
      },
    };
    return { blobs, reached: reached.promise, go: go.resolve };
  }

  it('of the blob that is being removed waits, and has it whole', async (test) => {
    const { blobs, reached, go } = stoppable(() => 1_700_000_000_000);
    const { registry, create, upload, clock, meta } = await createBlobRegistry(test, { blobs });
    const repository = await create();
    await upload(repository, 'abc');
    clock.advance(LEASE);
    const collecting = registry.collector.run();
    await reached;
    assert.equal(await registry.layers.stat(repository, digestOf('abc')), undefined);
    let isDone = false;
    const pushing = upload(repository, 'abc').then(() => (isDone = true));
    await upload(repository, 'another');
    assert.equal(isDone, false);
    go();
    await Promise.all([collecting, pushing]);
    assert.equal(await readBlob(await registry.layers.open(repository, digestOf('abc'))), 'abc');
    assert.deepEqual(await checkInvariants({ meta, blobs }), []);
  });

  it('that asked for a layer before the membership ended is told to send it, or finds it until its manifest is in', async (test) => {
    const { registry, create, push, clock, meta, blobs } = await createBlobRegistry(test);
    const repository = await create();
    await registry.images.delete(caller, repository, await push(repository, 'a'));
    clock.advance(LEASE);
    const { body } = imageManifest(configOf('a'), [layerOf('a')], { annotations: { 'org.example': 'another' } });
    const [asked] = await Promise.all([
      Promise.all([configOf('a'), layerOf('a')].map((content) => registry.layers.stat(repository, digestOf(content)))),
      registry.collector.run(),
    ]);
    const put = registry.images.put(caller, repository, { body, tags: [] });
    if (asked.every((found) => found !== undefined)) await put;
    else await assert.rejects(put, fault('layers-unknown'));
    assert.deepEqual(await checkInvariants({ meta, blobs }), []);
  });
});
