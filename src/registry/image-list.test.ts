import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MediaType } from '../core/media-type.ts';
import type { Page } from '../core/page.ts';
import { parseTag } from '../core/tag.ts';
import { caller, createTestRegistry } from '../../test/support/registry.ts';
import { fault } from '../../test/support/faults.ts';

/** All pages of a list, one after the other; `between` runs before each but the first. */
async function collect<Item>(
  list: (page: { next?: string }) => Promise<Page<Item>>,
  between?: () => Promise<unknown>,
): Promise<Item[]> {
  const items: Item[] = [];
  let page = await list({});
  items.push(...page.items);
  while (page.next !== undefined) {
    await between?.();
    page = await list({ next: page.next });
    items.push(...page.items);
  }
  return items;
}

describe('lists of images', () => {
  it('go from the newest push to the oldest, and show each image once whatever is pushed meanwhile', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const digests = [];
    for (let index = 0; index < 7; index++) {
      digests.unshift(await registry.push(repository, `image ${index}`, `v${index}`));
      if (index % 2 === 0) registry.clock.advance(1);
    }
    let pushed = 0;
    const seen = await collect(
      (page) => registry.images.list(repository, { limit: 2, ...page }),
      () => registry.push(repository, `late ${pushed++}`, 'late'),
    );
    assert.deepEqual(
      seen.map((image) => image.digest),
      digests,
    );
    assert.equal(pushed, 3);
  });

  it('keep their order when the clock of the machine is set back', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const first = await registry.push(repository, 'one', 'latest');
    const noon = registry.clock.now();
    registry.clock.set(noon - 3_600_000);
    const second = await registry.push(repository, 'two', 'latest');
    assert.deepEqual(
      (await registry.images.list(repository, { limit: 10 })).items.map((image) => image.digest),
      [second, first],
    );
    const { items } = await registry.tags.history(repository, parseTag('latest'), { limit: 10 });
    assert.deepEqual(
      items.map((event) => [event.at, event.newDigest]),
      [
        [noon, second],
        [noon, first],
      ],
    );
    assert.equal(await registry.tags.at(repository, parseTag('latest'), noon), second);
  });

  it('tell tagged images from untagged ones', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const tagged = await registry.push(repository, 'one', 'a', 'b');
    const untagged = await registry.push(repository, 'two');
    const list = async (tagStatus: 'TAGGED' | 'UNTAGGED' | 'ANY') =>
      (await registry.images.list(repository, { limit: 10, tagStatus })).items.map((image) => image.digest);
    assert.deepEqual(await list('TAGGED'), [tagged]);
    assert.deepEqual(await list('UNTAGGED'), [untagged]);
    assert.deepEqual(await list('ANY'), [untagged, tagged]);
  });

  it('end a page where it has ten thousand tags, and lose nothing by that', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const pushed = [];
    for (let index = 0; index < 22; index++) {
      const count = index % 2 === 0 ? 990 : 1;
      const tags = Array.from({ length: count }, (_, tag) => `v${index}.${String(tag).padStart(3, '0')}`);
      pushed.unshift({ digest: await registry.push(repository, `image ${index}`, ...tags), tags });
    }
    const sizes: number[] = [];
    const seen = await collect(async (page) => {
      const { items, next } = await registry.images.list(repository, { limit: 100, ...page });
      sizes.push(items.length);
      return { items, ...(next === undefined ? {} : { next }) };
    });
    assert.deepEqual(sizes, [21, 1]);
    assert.deepEqual(
      seen.map(({ digest, tags }) => ({ digest, tags })),
      pushed,
    );
    // Each says where a page that ended with it would go on.
    const { items } = await registry.images.list(repository, { limit: 1, next: seen[4]?.place ?? '' });
    assert.equal(items[0]?.digest, pushed[5]?.digest);
  });

  it('carry no annotations; those of referrers end a page when they have megabytes', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const subject = await registry.push(repository, 'subject');
    const large = 'x'.repeat(1_500_000);
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      const { body } = await registry.buildImage(repository, name, {
        subject: { mediaType: MediaType.ociManifest, digest: subject, size: 1 },
        annotations: { large, name },
      });
      await registry.images.put(caller, repository, { body, tags: [] });
    }
    const sizes: number[] = [];
    const referrers = await collect(async (page) => {
      const { items, next } = await registry.images.referrers(repository, subject, { limit: 50, ...page });
      sizes.push(items.length);
      return { items, ...(next === undefined ? {} : { next }) };
    });
    assert.deepEqual(sizes, [2, 2, 1]);
    assert.deepEqual(new Set(referrers.map(({ annotations }) => annotations?.['name'])), new Set('abcde'));
    assert.ok(referrers.every(({ annotations }) => annotations?.['large'] === large));
    const { items } = await registry.images.list(repository, { limit: 50 });
    assert.deepEqual([items.length, items.filter((item) => 'annotations' in item)], [6, []]);
  });

  it('give tags in the order of their bytes, in pages, and end exactly', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const names = ['b', 'a.1', 'A', '_', 'a-1', 'a', '0'];
    await registry.push(repository, 'one', ...names);
    const sorted = ['0', 'A', '_', 'a', 'a-1', 'a.1', 'b'];
    assert.deepEqual(await registry.images.tags(repository, { limit: 7 }), { tags: sorted, more: false });
    assert.deepEqual(await registry.images.tags(repository, { limit: 6 }), { tags: sorted.slice(0, 6), more: true });
    assert.deepEqual(await registry.images.tags(repository, { limit: 2, last: 'A' }), { tags: ['_', 'a'], more: true });
    assert.deepEqual(await registry.images.tags(repository, { limit: 2, last: 'zzz' }), { tags: [], more: false });
  });

  it('refuse a token that they did not give', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    for (const next of [
      '',
      'x',
      Buffer.from('[1]').toString('base64url'),
      Buffer.from('["1",2]').toString('base64url'),
      'A'.repeat(5000),
    ]) {
      await assert.rejects(
        registry.images.list(repository, { limit: 1, next }),
        fault('parameter-invalid', { member: 'nextToken' }),
      );
    }
  });
});

describe('reading an image', () => {
  it('sees a tag move and a deletion at once, though it remembers bodies', async (test) => {
    const registry = await createTestRegistry(test);
    const [repository, other] = [await registry.create(), await registry.create('team/other')];
    const latest = parseTag('latest');
    const first = await registry.push(repository, 'one', 'latest');
    assert.equal((await registry.images.read(repository, latest)).digest, first);
    await assert.rejects(registry.images.read(other, first), fault('image-unknown', { repository: other.name, digest: first }));
    const second = await registry.push(repository, 'two', 'latest');
    assert.equal((await registry.images.read(repository, latest)).digest, second);
    await registry.images.delete(caller, repository, first);
    await assert.rejects(registry.images.read(repository, first), fault('image-unknown', { digest: first }));
  });

  it('notes when it was pulled, coarsely, and only when asked to', async (test) => {
    const registry = await createTestRegistry(test, { pullGrainMs: 1000 });
    const repository = await registry.create();
    const digest = await registry.push(repository, 'one');
    const pulledAt = async () => (await registry.images.resolve(repository, { digest })).pulledAt;
    await registry.images.read(repository, digest);
    assert.equal(await registry.flushPulls(), 0);
    await registry.images.read(repository, digest, { recordPull: true });
    assert.equal(await pulledAt(), undefined);
    assert.equal(await registry.flushPulls(), 1);
    const first = registry.clock.now();
    assert.equal(await pulledAt(), first);
    registry.clock.advance(999);
    await registry.images.read(repository, digest, { recordPull: true });
    assert.equal(await registry.flushPulls(), 0);
    registry.clock.advance(1);
    await registry.images.read(repository, digest, { recordPull: true });
    await registry.images.delete(caller, repository, digest);
    assert.equal(await registry.flushPulls(), 1, 'an image that has gone since does no harm');
    assert.equal(await registry.flushPulls(), 0);
  });
});
