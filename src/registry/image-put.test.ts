import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf } from '../core/digest.ts';
import { MANIFEST_LIMITS } from '../core/manifest.ts';
import { MediaType } from '../core/media-type.ts';
import { parseTag } from '../core/tag.ts';
import { caller, createTestRegistry, imageManifest, indexManifest, type TestRegistry } from '../../test/support/registry.ts';
import { fault } from '../../test/support/faults.ts';

const latest = parseTag('latest');
const v1 = parseTag('v1');
const v2 = parseTag('v2');

/** Every row of the tables that a push writes. */
async function everything({ context }: TestRegistry): Promise<unknown> {
  const { read } = context.meta;
  return [
    await read.selectFrom('manifest').selectAll().execute(),
    await read.selectFrom('tag').selectAll().execute(),
    await read.selectFrom('tag_event').selectAll().execute(),
    await read.selectFrom('manifest_blob').selectAll().execute(),
    await read.selectFrom('manifest_child').selectAll().execute(),
    await read.selectFrom('audit').selectAll().execute(),
  ];
}

describe('putting an image', () => {
  it('stores the bytes as they came and points the tags at them', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const { body, digest, mediaType } = await registry.buildImage(repository, 'one', { annotations: { 'org.example': 'yes' } });
    const result = await registry.images.put(caller, repository, { body, tags: [v1, latest, v1] });
    assert.deepEqual(result, { digest, mediaType, created: true, moved: [v1, latest] });
    for (const id of [v1, latest, digest]) {
      const stored = await registry.images.read(repository, id);
      assert.deepEqual({ ...stored, body: Buffer.from(stored.body).toString() }, { digest, mediaType, body: body.toString() });
    }
    const detail = await registry.images.resolve(repository, { tag: v1 });
    assert.deepEqual(detail, {
      digest,
      mediaType,
      artifactType: MediaType.ociConfig,
      configMediaType: MediaType.ociConfig,
      annotations: { 'org.example': 'yes' },
      manifestBytes: body.length,
      imageBytes: 'config of one'.length + 'layer of one'.length,
      tags: [latest, v1],
      pushedAt: registry.clock.now(),
      pushedBy: caller.principal,
      storageClass: 'standard',
    });
  });

  it('changes nothing when all is as asked for, an immutable tag included', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create('team/app', { tagMutability: 'IMMUTABLE' });
    const { body, digest, mediaType } = await registry.buildImage(repository, 'one');
    await registry.images.put(caller, repository, { body, tags: [v1] });
    const before = await everything(registry);
    registry.clock.advance(1000);
    for (const tags of [[v1], []]) {
      assert.deepEqual(await registry.images.put(caller, repository, { body, tags }), {
        digest,
        mediaType,
        created: false,
        moved: [],
      });
    }
    assert.deepEqual(await everything(registry), before);
  });

  it('moves a tag and keeps the image that it left, with its push time', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const first = await registry.push(repository, 'one', 'latest');
    const pushedAt = registry.clock.now();
    registry.clock.advance(5000);
    const second = await registry.push(repository, 'two', 'latest');
    assert.deepEqual((await registry.images.resolve(repository, { digest: first })).tags, []);
    assert.equal((await registry.images.read(repository, latest)).digest, second);
    registry.clock.advance(5000);
    const { body } = await registry.buildImage(repository, 'one');
    const again = await registry.images.put(caller, repository, { body, tags: [latest, v1] });
    assert.deepEqual([again.created, again.moved], [false, [latest, v1]]);
    assert.equal((await registry.images.resolve(repository, { digest: first })).pushedAt, pushedAt);
    const history = await registry.tags.history(repository, latest, { limit: 10 });
    assert.deepEqual(
      history.items.map((event) => [event.oldDigest, event.newDigest, event.cause]),
      [
        [second, first, 'retag'],
        [first, second, 'push'],
        [undefined, first, 'push'],
      ],
    );
  });

  it('refuses to move a protected tag, and names what it points at', async (test) => {
    const registry = await createTestRegistry(test);
    const filters = [{ filterType: 'WILDCARD' as const, filter: 'latest' }];
    const cases = [
      { mutability: 'IMMUTABLE', tag: v1, because: 'repository' },
      { mutability: 'IMMUTABLE_WITH_EXCLUSION', tag: v1, because: 'tag' },
      { mutability: 'MUTABLE_WITH_EXCLUSION', tag: latest, because: 'tag' },
    ] as const;
    for (const { mutability, tag, because } of cases) {
      const repository = await registry.create(`team/${mutability.toLowerCase()}`, {
        tagMutability: mutability,
        exclusionFilters: filters,
      });
      const first = await registry.push(repository, 'one', tag);
      const { body } = await registry.buildImage(repository, 'two');
      const before = await everything(registry);
      await assert.rejects(
        registry.images.put(caller, repository, { body, tags: [v2, tag] }),
        fault('tag-immutable', { repository: repository.name, registryId: caller.account, tag, digest: first, because }),
      );
      assert.deepEqual(await everything(registry), before);
      const result = await registry.images.put(caller, repository, { body, tags: [v2, tag === v1 ? latest : v1] });
      assert.equal(result.moved.length, 2, 'other tags, and new ones, may be set');
    }
  });

  it('goes by the protection of now, not by what the caller read before', async (test) => {
    const registry = await createTestRegistry(test);
    const stale = await registry.create();
    await registry.push(stale, 'one', 'v1');
    await registry.repositories.setTagMutability(caller, stale, 'IMMUTABLE', []);
    await assert.rejects(registry.push(stale, 'two', 'v1'), fault('tag-immutable', { because: 'repository' }));
  });

  it('blames the tag where the operator wants the newer sentence', async (test) => {
    const registry = await createTestRegistry(test, { tagImmutableMessage: 'tag' });
    const repository = await registry.create('team/app', { tagMutability: 'IMMUTABLE' });
    await registry.push(repository, 'one', 'v1');
    await assert.rejects(registry.push(repository, 'two', 'v1'), fault('tag-immutable', { because: 'tag' }));
  });

  it('holds the digest that the client names against the bytes, in its own algorithm', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const { body, digest } = await registry.buildImage(repository, 'one');
    const given = digestOf('something else');
    await assert.rejects(
      registry.images.put(caller, repository, { body, tags: [], digest: given }),
      fault('image-digest-mismatch', { given, computed: digest }),
    );
    const long = digestOf(body, 'sha512');
    assert.equal((await registry.images.put(caller, repository, { body, tags: [], digest: long })).digest, long);
    assert.equal((await registry.images.read(repository, long)).digest, long);
    await assert.rejects(registry.images.read(repository, digest), fault('image-unknown', { digest }));
  });

  it('refuses what is no manifest', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const put = (body: Uint8Array, mediaType?: string) =>
      registry.images.put(caller, repository, { body, tags: [v1], ...(mediaType ? { mediaType } : {}) });
    await assert.rejects(put(Buffer.from('{')), fault('manifest-invalid'));
    await assert.rejects(
      put(new Uint8Array(MANIFEST_LIMITS.bytes + 1)),
      fault('manifest-too-large', { limit: MANIFEST_LIMITS.bytes }),
    );
    await assert.rejects(
      put(Buffer.from('{"schemaVersion":2}'), 'text/plain'),
      fault('media-type-unsupported', { mediaType: 'text/plain' }),
    );
    await assert.rejects(put(imageManifest('c', ['l']).body, MediaType.dockerManifest), fault('manifest-invalid'));
  });

  it('wants every blob to be a sound member of this very repository', async (test) => {
    const registry = await createTestRegistry(test);
    const [repository, other] = [await registry.create(), await registry.create('team/other')];
    await registry.addBlob(other, 'config');
    const layer = await registry.addBlob(repository, 'layer');
    const { body } = imageManifest('config', ['layer', 'layer', 'absent']);
    const put = () => registry.images.put(caller, repository, { body, tags: [v1] });
    await assert.rejects(
      put(),
      fault('layers-unknown', { digests: [digestOf('config'), digestOf('absent')], registryId: caller.account }),
    );
    await registry.addBlob(repository, 'config');
    await registry.addBlob(repository, 'absent');
    const mark = (corrupt_at: number | null) =>
      registry.context.meta.transact((transaction) =>
        transaction.updateTable('blob').set({ corrupt_at }).where('digest', '=', layer).execute(),
      );
    await mark(5);
    await assert.rejects(put(), fault('layers-unknown', { digests: [layer] }));
    assert.deepEqual((await registry.images.list(repository, { limit: 10 })).items, []);
    await mark(null);
    assert.equal((await put()).created, true);
  });

  it('lets layers live elsewhere that say so, and keeps them where they are here', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    await registry.addBlob(repository, 'config');
    const here = await registry.addBlob(repository, 'here');
    const foreign = (content: string) => ({
      mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar',
      digest: digestOf(content),
      size: 1,
    });
    const { body } = imageManifest('config', [], { layers: [foreign('here'), foreign('elsewhere')] });
    await registry.images.put(caller, repository, { body, tags: [v1] });
    const kept = await registry.context.meta.read.selectFrom('manifest_blob').select('digest').execute();
    assert.deepEqual(new Set(kept.map((row) => row.digest)), new Set([digestOf('config'), here]));
  });

  it('wants the entries of an index in this very repository, and is as large as its largest', async (test) => {
    const registry = await createTestRegistry(test);
    const [repository, other] = [await registry.create(), await registry.create('team/other')];
    const small = await registry.push(repository, 'small');
    const large = await registry.push(repository, 'a much larger one');
    const elsewhere = await registry.push(other, 'elsewhere');
    const missing = indexManifest([small, elsewhere, elsewhere]);
    await assert.rejects(
      registry.images.put(caller, repository, { body: missing.body, tags: [v1] }),
      fault('children-unknown', { digests: [elsewhere] }),
    );
    const { body, digest } = indexManifest([small, large, small]);
    await registry.images.put(caller, repository, { body, tags: [v1] });
    const detail = await registry.images.resolve(repository, { tag: v1 });
    assert.equal(detail.imageBytes, (await registry.images.resolve(repository, { digest: large })).imageBytes);
    const nested = indexManifest([digest]);
    await registry.images.put(caller, repository, { body: nested.body, tags: [v2] });
    assert.equal((await registry.images.resolve(repository, { tag: v2 })).imageBytes, detail.imageBytes);
  });

  it('takes a referrer before its subject, and lists it', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const subject = imageManifest('later', []).digest;
    const refer = async (content: string, artifactType: string) => {
      const { body } = await registry.buildImage(repository, content, {
        artifactType,
        subject: { mediaType: MediaType.ociManifest, digest: subject, size: 1 },
      });
      return registry.images.put(caller, repository, { body, tags: [] });
    };
    const results = [
      await refer('signature', 'test/signature'),
      await refer('other signature', 'test/signature'),
      await refer('bom', 'test/bom'),
    ];
    for (const result of results) assert.equal(result.subject, subject);
    const digests = results.map((result) => result.digest);
    const all = await registry.images.referrers(repository, subject, { limit: 10 });
    assert.deepEqual(
      all.items.map((item) => item.digest),
      digests.toSorted(),
    );
    const signatures = await registry.images.referrers(repository, subject, { limit: 10, artifactTypes: ['test/signature'] });
    assert.deepEqual(
      signatures.items.map((item) => [item.digest, item.artifactType]),
      digests
        .slice(0, 2)
        .toSorted()
        .map((digest) => [digest, 'test/signature']),
    );
    const paged: string[] = [];
    for (let next: string | undefined, more = true; more; more = next !== undefined) {
      const page = await registry.images.referrers(repository, subject, { limit: 1, ...(next !== undefined ? { next } : {}) });
      paged.push(...page.items.map((item) => item.digest));
      next = page.next;
    }
    assert.deepEqual(paged, digests.toSorted());
  });

  it('keeps the limits of tags and images', async (test) => {
    const registry = await createTestRegistry(test, { limits: { tagsPerImage: 2, imagesPerRepository: 3 } });
    const repository = await registry.create();
    const { body } = await registry.buildImage(repository, 'one');
    const put = (...tags: string[]) => registry.images.put(caller, repository, { body, tags: tags.map(parseTag) });
    await assert.rejects(put('a', 'b', 'c'), fault('limit-exceeded', { what: 'tags per image', limit: 2 }));
    await put('a');
    await put('a', 'b');
    await assert.rejects(put('c'), fault('limit-exceeded', { what: 'tags per image' }));
    await registry.push(repository, 'two');
    const third = await registry.push(repository, 'three');
    await assert.rejects(registry.push(repository, 'four'), fault('limit-exceeded', { what: 'images per repository', limit: 3 }));
    await registry.images.delete(caller, repository, third);
    const fourth = await registry.push(repository, 'four');
    await assert.rejects(registry.push(repository, 'five'), fault('limit-exceeded'));
    await registry.images.setStorageClass(caller, repository, fourth, 'archive');
    await registry.push(repository, 'five');
    await assert.rejects(registry.images.setStorageClass(caller, repository, fourth, 'standard'), fault('limit-exceeded'));
  });

  it('knows when the repository has gone, before it looks at anything else', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    await registry.repositories.delete(caller, repository, { force: false });
    await registry.create();
    const gone = fault('repository-unknown', { repository: repository.name, registryId: caller.account });
    await assert.rejects(registry.images.put(caller, repository, { body: Buffer.from('{'), tags: [] }), gone);
    await assert.rejects(registry.images.read(repository, v1), gone);
    await assert.rejects(registry.images.list(repository, { limit: 1 }), gone);
    await assert.rejects(registry.images.tags(repository, { limit: 1 }), gone);
  });

  it('lets pushes that race for an immutable tag have one winner', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create('team/app', { tagMutability: 'IMMUTABLE' });
    const images = await Promise.all(Array.from({ length: 8 }, (_, index) => registry.buildImage(repository, `racer ${index}`)));
    const results = await Promise.allSettled(
      images.map(({ body }) => registry.images.put(caller, repository, { body, tags: [v1] })),
    );
    const winners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.digest] : []));
    assert.equal(winners.length, 1);
    for (const result of results)
      if (result.status === 'rejected') fault('tag-immutable', { digest: winners[0] as string })(result.reason);
    assert.equal((await registry.images.list(repository, { limit: 10 })).items.length, 1);
  });
});
