import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf } from '../core/digest.ts';
import { parseTag } from '../core/tag.ts';
import { caller, createTestRegistry } from '../../test/support/registry.ts';
import { fault } from '../../test/support/faults.ts';

const latest = parseTag('latest');
const v1 = parseTag('v1');

describe('the history of tags', () => {
  it('knows what a tag pointed at at every time, over the end of its repository', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const times: [number, string | undefined][] = [[registry.clock.now() - 1, undefined]];
    const step = (digest: string | undefined) => {
      times.push([registry.clock.now(), digest]);
      registry.clock.advance(100);
      times.push([registry.clock.now() - 1, digest]);
    };
    const one = await registry.push(repository, 'one', 'latest');
    step(one);
    const two = await registry.push(repository, 'two', 'latest', 'v1');
    step(two);
    await registry.images.untag(caller, repository, latest, { lastTag: 'keep-image' });
    step(undefined);
    await registry.push(repository, 'one', 'latest');
    step(one);
    await registry.repositories.delete(caller, repository, { force: true });
    step(undefined);
    for (const [time, digest] of times) assert.equal(await registry.tags.at(repository, latest, time), digest, `at ${time}`);
    const all = await registry.tags.history(repository, undefined, { limit: 3 });
    const rest = await registry.tags.history(repository, undefined, { limit: 100, ...(all.next ? { next: all.next } : {}) });
    const events = [...all.items, ...rest.items];
    assert.equal(events.length, 7);
    assert.deepEqual(
      events.filter((event) => event.tag === v1).map((event) => [event.oldDigest, event.newDigest, event.cause]),
      [
        [two, undefined, 'delete'],
        [undefined, two, 'push'],
      ],
    );
    assert.deepEqual((await registry.tags.history({ ...repository, region: 'eu-west-1' }, latest, { limit: 10 })).items, []);
  });

  it('takes a tag back to where it was, and brings the image back with it', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const one = await registry.push(repository, 'one', 'latest', 'v1');
    const then = registry.clock.now();
    registry.clock.advance(1000);
    await registry.push(repository, 'two', 'latest');
    await registry.images.delete(caller, repository, one);
    assert.equal(await registry.tags.restore(caller, repository, latest, { at: then }), one);
    assert.equal((await registry.images.read(repository, latest)).digest, one);
    assert.deepEqual(
      (await registry.images.resolve(repository, { digest: one })).tags,
      [latest],
      'only the tag that was asked for',
    );
    assert.equal((await registry.tags.history(repository, latest, { limit: 1 })).items[0]?.cause, 'restore');
    assert.equal(await registry.tags.restore(caller, repository, v1, { digest: one }), one);
    const audits = (await registry.audit.list(caller, { limit: 100, action: 'tag.restore' })).items.length;
    await registry.tags.restore(caller, repository, v1, { digest: one });
    assert.equal(
      (await registry.audit.list(caller, { limit: 100, action: 'tag.restore' })).items.length,
      audits,
      'nothing changed, nothing written',
    );
  });

  it('refuses where there was nothing, the content is gone, or the tag is immutable', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const one = await registry.push(repository, 'one', 'latest');
    await registry.push(repository, 'two', 'latest');
    const restore = (target: Parameters<typeof registry.tags.restore>[3]) =>
      registry.tags.restore(caller, repository, latest, target);
    await assert.rejects(restore({ at: 5 }), fault('image-unknown', { tag: latest }));
    const digest = digestOf('never seen');
    await assert.rejects(restore({ digest }), fault('image-unknown', { tag: latest, digest }));
    await registry.repositories.setTagMutability(caller, repository, 'IMMUTABLE', []);
    await assert.rejects(restore({ digest: one }), fault('tag-immutable'));
    await registry.repositories.setTagMutability(caller, repository, 'MUTABLE', []);
    await registry.images.setStorageClass(caller, repository, one, 'archive');
    await assert.rejects(restore({ digest: one }), fault('image-unknown', { digest: one }));
  });
});
