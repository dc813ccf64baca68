import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf } from '../core/digest.ts';
import { parseTag } from '../core/tag.ts';
import { caller, createTestRegistry, imageManifest, indexManifest } from '../../test/support/registry.ts';
import { fault } from '../../test/support/faults.ts';

const [latest, v1, v2] = [parseTag('latest'), parseTag('v1'), parseTag('v2')];
const hold = { kind: 'service', holder: 'shop/web' };

describe('deleting an image', () => {
  it('takes it off every list and read, with its tags, and says so in the history', async (test) => {
    const registry = await createTestRegistry(test, { graceMs: 1000 });
    const repository = await registry.create();
    const digest = await registry.push(repository, 'one', 'v1', 'latest');
    registry.clock.advance(10);
    assert.deepEqual(await registry.images.delete(caller, repository, digest, { cause: 'expire', run: 'run-1' }), [latest, v1]);
    for (const id of [digest, v1]) await assert.rejects(registry.images.read(repository, id), fault('image-unknown'));
    await assert.rejects(registry.images.resolve(repository, { digest }), fault('image-unknown', { digest }));
    assert.deepEqual((await registry.images.list(repository, { limit: 10 })).items, []);
    assert.deepEqual(await registry.images.tags(repository, { limit: 10 }), { tags: [], more: false });
    assert.deepEqual(await registry.images.listDeleted(repository, { limit: 10 }), {
      items: [
        {
          digest,
          mediaType: imageManifest('', []).mediaType,
          tags: [latest, v1],
          pushedAt: registry.clock.now() - 10,
          deletedAt: registry.clock.now(),
          purgeAt: registry.clock.now() + 1000,
          principal: caller.principal,
          cause: 'expire',
          run: 'run-1',
        },
      ],
    });
    const [event] = (await registry.tags.history(repository, v1, { limit: 1 })).items;
    assert.deepEqual(event, {
      tag: v1,
      at: registry.clock.now(),
      oldDigest: digest,
      principal: caller.principal,
      cause: 'expire',
    });
    await assert.rejects(registry.images.delete(caller, repository, digest), fault('image-unknown', { digest }));
  });

  it('is refused while somebody holds it, or an index that it is part of', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const child = await registry.push(repository, 'child', 'v1');
    const inner = await registry.images.put(caller, repository, { body: indexManifest([child]).body, tags: [v2] });
    const outer = await registry.images.put(caller, repository, { body: indexManifest([inner.digest]).body, tags: [latest] });
    await registry.holds.take(caller, repository, { ...hold, digest: outer.digest });
    const since = registry.clock.now();
    for (const digest of [outer.digest, inner.digest, child]) {
      const refused = fault('image-held', { repository: repository.name, digest, holds: [{ ...hold, since }] });
      await assert.rejects(registry.images.delete(caller, repository, digest), refused);
      await assert.rejects(registry.images.setStorageClass(caller, repository, digest, 'archive'), refused);
      assert.equal((await registry.holds.on(repository, digest)).length, 1);
    }
    await assert.rejects(
      registry.images.untag(caller, repository, v1, { lastTag: 'delete-image' }),
      fault('image-held', { digest: child }),
    );
    await assert.rejects(
      registry.repositories.delete(caller, repository, { force: true }),
      fault('image-held', { digest: outer.digest }),
    );
    assert.equal((await registry.images.list(repository, { limit: 10 })).items.length, 3);
  });

  it('is not refused for a hold that has expired, or on an image next to it', async (test) => {
    const registry = await createTestRegistry(test);
    const [repository, other] = [await registry.create(), await registry.create('team/other')];
    const digest = await registry.push(repository, 'one', 'v1');
    assert.equal(await registry.push(other, 'one', 'v1'), digest);
    await registry.holds.take(caller, other, { ...hold, digest });
    await registry.holds.take(caller, repository, { ...hold, digest, timeToLive: 1000 });
    registry.clock.advance(999);
    await assert.rejects(registry.images.delete(caller, repository, digest), fault('image-held'));
    registry.clock.advance(1);
    await registry.images.delete(caller, repository, digest);
    assert.equal((await registry.holds.list(caller, { limit: 10 })).items.length, 1);
  });

  it('is refused while an index lists it, and possible after the index', async (test) => {
    const registry = await createTestRegistry(test);
    const [repository, other] = [await registry.create(), await registry.create('team/other')];
    const child = await registry.push(repository, 'child', 'v1');
    await registry.push(other, 'child');
    const parents = [];
    for (const extra of [{ annotations: { a: '1' } }, { annotations: { a: '2' } }]) {
      const { body } = indexManifest([child], extra);
      parents.push((await registry.images.put(caller, repository, { body, tags: [] })).digest);
    }
    const refused = fault('image-referenced', { repository: repository.name, digest: child, parents: parents.toSorted() });
    await assert.rejects(registry.images.delete(caller, repository, child), refused);
    await assert.rejects(registry.images.untag(caller, repository, v1, { lastTag: 'delete-image' }), refused);
    await registry.images.delete(caller, other, child);
    for (const digest of parents) await registry.images.delete(caller, repository, digest);
    await registry.images.delete(caller, repository, child);
  });

  it('is not hindered by immutability', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create('team/app', { tagMutability: 'IMMUTABLE' });
    await registry.images.delete(caller, repository, await registry.push(repository, 'one', 'v1'));
    const second = await registry.push(repository, 'two', 'v1');
    assert.equal((await registry.images.read(repository, v1)).digest, second);
  });

  it('keeps the blobs for as long as it can be restored, whatever the collector tries', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const digest = await registry.push(repository, 'one');
    await registry.images.delete(caller, repository, digest);
    await registry.context.meta.transact((transaction) => transaction.deleteFrom('repository_blob').execute());
    await assert.rejects(
      registry.context.meta.transact((transaction) => transaction.deleteFrom('blob').execute()),
      /FOREIGN KEY/i,
    );
  });
});

describe('removing a tag', () => {
  it('keeps the image for OCI, and deletes it with its last tag for ECR', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const digest = await registry.push(repository, 'one', 'v1', 'v2');
    assert.equal(await registry.images.untag(caller, repository, v1, { lastTag: 'delete-image' }), digest);
    assert.deepEqual((await registry.images.resolve(repository, { digest })).tags, [v2]);
    assert.equal(await registry.images.untag(caller, repository, v2, { lastTag: 'keep-image' }), digest);
    assert.deepEqual((await registry.images.resolve(repository, { digest })).tags, []);
    await registry.push(repository, 'one', 'v1');
    await registry.images.untag(caller, repository, v1, { lastTag: 'delete-image' });
    await assert.rejects(registry.images.resolve(repository, { digest }), fault('image-unknown'));
    assert.deepEqual((await registry.images.listDeleted(repository, { limit: 1 })).items[0]?.tags, [v1]);
  });

  it('leaves a held image alone where the image stays', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const digest = await registry.push(repository, 'one', 'v1');
    await registry.holds.take(caller, repository, { ...hold, digest });
    await registry.images.untag(caller, repository, v1, { lastTag: 'keep-image' });
    assert.equal((await registry.images.read(repository, digest)).digest, digest);
  });

  it('wants tag and digest to agree', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    await registry.push(repository, 'one', 'v1');
    const digest = await registry.push(repository, 'two', 'v2');
    const mismatch = fault('tag-digest-mismatch', { repository: repository.name, digest, tag: v1 });
    await assert.rejects(registry.images.untag(caller, repository, v1, { lastTag: 'keep-image', digest }), mismatch);
    await assert.rejects(registry.images.resolve(repository, { tag: v1, digest }), mismatch);
    await assert.rejects(
      registry.images.untag(caller, repository, latest, { lastTag: 'keep-image' }),
      fault('image-unknown', { tag: latest }),
    );
    await assert.rejects(
      registry.images.resolve(repository, { tag: latest, digest }),
      fault('image-unknown', { tag: latest, digest }),
    );
    assert.equal((await registry.images.resolve(repository, { tag: v2, digest })).digest, digest);
  });
});

describe('restoring a deleted image', () => {
  it('puts back the bytes, the push time and the tags that nobody took', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create('team/app', { tagMutability: 'IMMUTABLE' });
    const { body, digest } = await registry.buildImage(repository, 'one', { annotations: { spaces: ' kept ' } });
    await registry.images.put(caller, repository, { body, tags: [v1, v2] });
    const before = await registry.images.resolve(repository, { digest });
    registry.clock.advance(1000);
    await registry.images.delete(caller, repository, digest);
    const taker = await registry.push(repository, 'two', 'v2');
    registry.clock.advance(1000);
    assert.deepEqual(await registry.images.restore(caller, repository, digest), { tags: [v1], tagsTaken: [v2] });
    assert.deepEqual(await registry.images.resolve(repository, { digest }), { ...before, tags: [v1] });
    assert.deepEqual(Buffer.from((await registry.images.read(repository, v1)).body), Buffer.from(body));
    assert.equal((await registry.images.read(repository, v2)).digest, taker);
    assert.deepEqual((await registry.images.listDeleted(repository, { limit: 10 })).items, []);
    await assert.rejects(
      registry.images.restore(caller, repository, digest),
      fault('deleted-image-unknown', { repository: repository.name, digest }),
    );
  });

  it('makes its blobs members of the repository again', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const digest = await registry.push(repository, 'one', 'v1');
    await registry.repositories.delete(caller, repository, { force: true });
    const successor = await registry.create();
    assert.equal((await registry.images.listDeleted(successor, { limit: 1 })).items[0]?.digest, digest);
    assert.deepEqual(await registry.images.restore(caller, successor, digest), { tags: [v1], tagsTaken: [] });
    const { body } = imageManifest('config of one', ['layer of one'], { annotations: { other: 'image' } });
    assert.equal((await registry.images.put(caller, successor, { body, tags: [] })).created, true);
  });

  it('wants the entries of an index to be there first', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const child = await registry.push(repository, 'child');
    const index = (await registry.images.put(caller, repository, { body: indexManifest([child]).body, tags: [latest] })).digest;
    await registry.images.delete(caller, repository, index);
    await registry.images.delete(caller, repository, child);
    await assert.rejects(registry.images.restore(caller, repository, index), fault('children-unknown', { digests: [child] }));
    await registry.images.restore(caller, repository, child);
    assert.deepEqual((await registry.images.restore(caller, repository, index)).tags, [latest]);
    await assert.rejects(registry.images.delete(caller, repository, child), fault('image-referenced', { parents: [index] }));
  });

  it('is made needless by a new push, which counts as new', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const digest = await registry.push(repository, 'one', 'v1');
    await registry.images.delete(caller, repository, digest);
    registry.clock.advance(1000);
    await registry.push(repository, 'one');
    assert.equal((await registry.images.resolve(repository, { digest })).pushedAt, registry.clock.now());
    assert.deepEqual((await registry.images.listDeleted(repository, { limit: 10 })).items, []);
    await registry.images.delete(caller, repository, digest);
    assert.equal((await registry.images.listDeleted(repository, { limit: 10 })).items.length, 1);
  });
});

describe('archiving an image', () => {
  it('hides it from pulls and keeps it in the lists, until it is activated or pushed again', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const digest = await registry.push(repository, 'one', 'v1');
    const pushedAt = registry.clock.now();
    registry.clock.advance(5);
    const archived = await registry.images.setStorageClass(caller, repository, digest, 'archive');
    assert.deepEqual([archived.storageClass, archived.archivedAt, archived.tags], ['archive', registry.clock.now(), [v1]]);
    for (const id of [v1, digest]) await assert.rejects(registry.images.read(repository, id), fault('image-unknown'));
    assert.deepEqual(await registry.images.tags(repository, { limit: 10 }), { tags: [], more: false });
    assert.equal((await registry.images.list(repository, { limit: 10 })).items.length, 1);
    assert.equal((await registry.images.list(repository, { limit: 10, storageClass: 'archive' })).items.length, 1);
    assert.equal((await registry.images.list(repository, { limit: 10, storageClass: 'standard' })).items.length, 0);
    await assert.rejects(registry.holds.take(caller, repository, { ...hold, digest }), fault('image-unknown', { digest }));
    const active = await registry.images.setStorageClass(caller, repository, digest, 'standard');
    assert.deepEqual([active.storageClass, active.activatedAt], ['standard', registry.clock.now()]);
    await registry.images.setStorageClass(caller, repository, digest, 'archive');
    const { body } = await registry.buildImage(repository, 'one');
    const pushed = await registry.images.put(caller, repository, { body, tags: [v1] });
    assert.deepEqual([pushed.created, pushed.moved], [true, []]);
    assert.equal((await registry.images.resolve(repository, { tag: v1 })).pushedAt, pushedAt);
    assert.equal((await registry.images.read(repository, v1)).digest, digest);
  });

  it('keeps an index and its entries together', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const child = await registry.push(repository, 'child');
    const { body } = indexManifest([child]);
    const index = (await registry.images.put(caller, repository, { body, tags: [v1] })).digest;
    const set = (digest: typeof child, storageClass: 'archive' | 'standard') =>
      registry.images.setStorageClass(caller, repository, digest, storageClass);
    await assert.rejects(set(child, 'archive'), fault('storage-class-unsupported'));
    await set(index, 'archive');
    await set(child, 'archive');
    await assert.rejects(set(index, 'standard'), fault('storage-class-unsupported'));
    await assert.rejects(
      registry.images.put(caller, repository, { body, tags: [v1] }),
      fault('children-unknown', { digests: [child] }),
    );
    await registry.images.delete(caller, repository, index);
    await registry.images.restore(caller, repository, index);
    assert.equal((await registry.images.resolve(repository, { digest: index })).storageClass, 'archive');
    await set(child, 'standard');
    await set(index, 'standard');
    await assert.rejects(set(digestOf('nothing'), 'archive'), fault('image-unknown'));
  });
});
