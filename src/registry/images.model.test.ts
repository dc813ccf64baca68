import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Digest } from '../core/digest.ts';
import { isFault } from '../core/fault.ts';
import { parseTag, type Tag } from '../core/tag.ts';
import { caller, createTestRegistry, indexManifest, type BuiltManifest, type TestRegistry } from '../../test/support/registry.ts';
import type { Repository, TagMutability } from './registry.ts';

/**
 * What images are meant to do, as plainly as it can be said: maps and loops. Each operation gives a word for its outcome:
 * the kind of the fault, or what came of it.
 */
function createModel(children: ReadonlyMap<Digest, Digest[]>) {
  const live = new Map<Digest, { pushedAt: number }>();
  const tags = new Map<Tag, Digest>();
  const deleted = new Map<Digest, { tags: Tag[]; pushedAt: number }>();
  const holds = new Map<string, { digest: Digest; until: number }>();
  let mutability: TagMutability = 'MUTABLE';
  let now = 0;

  const tagsOf = (digest: Digest) => [...tags].flatMap(([tag, target]) => (target === digest ? [tag] : [])).sort();
  const parents = (digest: Digest) => [...live.keys()].filter((other) => children.get(other)?.includes(digest));
  const family = (digest: Digest): Digest[] => [digest, ...parents(digest).flatMap(family)];
  const isHeld = (digest: Digest) => [...holds.values()].some((hold) => hold.until > now && family(digest).includes(hold.digest));
  const lacksChild = (digest: Digest) => (children.get(digest) ?? []).some((child) => !live.has(child));
  const remove = (digest: Digest): string => {
    if (!live.has(digest)) return 'image-unknown';
    if (isHeld(digest)) return 'image-held';
    if (parents(digest).length > 0) return 'image-referenced';
    const lost = tagsOf(digest);
    for (const tag of lost) tags.delete(tag);
    deleted.set(digest, { tags: lost, pushedAt: (live.get(digest) as { pushedAt: number }).pushedAt });
    live.delete(digest);
    return `deleted ${lost.join()}`;
  };

  return {
    pass(milliseconds: number) {
      now += milliseconds;
    },
    setMutability(next: TagMutability): string {
      mutability = next;
      return 'set';
    },
    put(digest: Digest, wanted: Tag[]): string {
      const moving = wanted.filter((tag) => tags.get(tag) !== digest);
      const created = !live.has(digest);
      if (!created && moving.length === 0) return 'put false ';
      if (mutability === 'IMMUTABLE' && moving.some((tag) => tags.has(tag))) return 'tag-immutable';
      if (lacksChild(digest)) return 'children-unknown';
      if (created) live.set(digest, { pushedAt: now });
      deleted.delete(digest);
      for (const tag of moving) tags.set(tag, digest);
      return `put ${created} ${moving.join()}`;
    },
    untag(tag: Tag, lastTag: 'keep-image' | 'delete-image'): string {
      const digest = tags.get(tag);
      if (digest === undefined) return 'image-unknown';
      if (lastTag === 'delete-image' && tagsOf(digest).length === 1) {
        const outcome = remove(digest);
        if (!outcome.startsWith('deleted')) return outcome;
      }
      tags.delete(tag);
      return `untagged ${digest}`;
    },
    remove,
    restore(digest: Digest): string {
      const found = deleted.get(digest);
      if (found === undefined) return 'deleted-image-unknown';
      if (lacksChild(digest)) return 'children-unknown';
      const [free, taken] = [found.tags.filter((tag) => !tags.has(tag)), found.tags.filter((tag) => tags.has(tag))];
      deleted.delete(digest);
      live.set(digest, { pushedAt: found.pushedAt });
      for (const tag of free) tags.set(tag, digest);
      return `restored ${free.join()} not ${taken.join()}`;
    },
    hold(digest: Digest, holder: string, timeToLive: number | undefined): string {
      if (!live.has(digest)) return 'image-unknown';
      holds.set(`${digest} ${holder}`, { digest, until: timeToLive === undefined ? Infinity : now + timeToLive });
      return 'held';
    },
    release(digest: Digest, holder: string): string {
      const hold = holds.get(`${digest} ${holder}`);
      holds.delete(`${digest} ${holder}`);
      return hold !== undefined && hold.until > now ? 'released' : 'nothing to release';
    },
    state: () => ({
      live: [...live].map(([digest, { pushedAt }]) => `${digest} ${pushedAt} ${tagsOf(digest).join()}`).sort(),
      tags: [...tags.keys()].sort(),
      deleted: [...deleted].map(([digest, image]) => `${digest} ${image.pushedAt} ${image.tags.join()}`).sort(),
      holds: [...holds].flatMap(([key, { until }]) => (until > now ? [key] : [])).sort(),
    }),
  };
}

async function readState(
  { images, holds }: TestRegistry,
  repository: Repository,
  start: number,
): Promise<ReturnType<ReturnType<typeof createModel>['state']>> {
  const page = { limit: 1000 };
  const live = (await images.list(repository, page)).items;
  return {
    live: live.map((image) => `${image.digest} ${image.pushedAt - start} ${image.tags.join()}`).sort(),
    tags: (await images.tags(repository, page)).tags,
    deleted: (await images.listDeleted(repository, page)).items
      .map((image) => `${image.digest} ${image.pushedAt - start} ${image.tags.join()}`)
      .sort(),
    holds: (await holds.list(repository, page)).items.map((hold) => `${hold.digest} ${hold.holder}`).sort(),
  };
}

/** The same numbers for the same seed (mulberry32). */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

for (const seed of [1, 2]) {
  it(`images do what the model does, 1,000 operations by up to four callers at once, seed ${seed}`, async (test) => {
    const registry = await createTestRegistry(test);
    const { images, holds, clock } = registry;
    const repository = await registry.create();
    const start = clock.now();
    const random = createRandom(seed);
    const pick = <Item>(items: Item[]): Item => items[random(items.length)] as Item;

    const manifests: BuiltManifest[] = [];
    for (let index = 0; index < 4; index++) manifests.push(await registry.buildImage(repository, `image ${index}`));
    const children = new Map<Digest, Digest[]>();
    for (const members of [[0, 1], [1, 2], [4], [5, 3]]) {
      const digests = members.map((member) => (manifests[member] as BuiltManifest).digest);
      const index = indexManifest(digests);
      children.set(index.digest, digests);
      manifests.push(index);
    }
    const model = createModel(children);
    const names = ['a', 'b', 'c', 'd'].map(parseTag);
    const seen = new Set<string>();

    /** What an operation promises, by the model, and the operation itself. */
    const choose = (): [expected: string, actual: () => Promise<string>] => {
      const { digest, body } = pick(manifests);
      const [tag, holder] = [pick(names), pick(['x', 'y'])];
      const chance = random(100);
      if (chance < 40) {
        const tags = names.filter(() => random(4) === 0);
        const put = async () => {
          const { created, moved } = await images.put(caller, repository, { body, tags });
          return `put ${created} ${moved.join()}`;
        };
        return [model.put(digest, tags), put];
      }
      if (chance < 52) {
        const lastTag = pick(['keep-image', 'delete-image'] as const);
        return [model.untag(tag, lastTag), async () => `untagged ${await images.untag(caller, repository, tag, { lastTag })}`];
      }
      if (chance < 70)
        return [model.remove(digest), async () => `deleted ${(await images.delete(caller, repository, digest)).join()}`];
      if (chance < 80) {
        const restore = async () => {
          const { tags, tagsTaken } = await images.restore(caller, repository, digest);
          return `restored ${tags.join()} not ${tagsTaken.join()}`;
        };
        return [model.restore(digest), restore];
      }
      if (chance < 87) {
        const timeToLive = random(3) === 0 ? undefined : 1 + random(20);
        const hold = async () => {
          await holds.take(caller, repository, {
            digest,
            kind: 'task',
            holder,
            ...(timeToLive !== undefined ? { timeToLive } : {}),
          });
          return 'held';
        };
        return [model.hold(digest, holder, timeToLive), hold];
      }
      const mutability = pick(['MUTABLE', 'MUTABLE', 'IMMUTABLE'] as const);
      const set = async () => {
        await registry.repositories.setTagMutability(caller, repository, mutability, []);
        return 'set';
      };
      return [model.setMutability(mutability), set];
    };
    const outcome = (error: unknown): string => {
      if (!isFault(error)) throw error;
      return error.kind;
    };

    let done = 0;
    for (let round = 0; done < 1000; round++) {
      const batch = Array.from({ length: 1 + random(4) }, choose);
      const actual = await Promise.all(batch.map(([, run]) => run().catch(outcome)));
      assert.deepEqual(
        actual,
        batch.map(([expected]) => expected),
        `round ${round}`,
      );
      for (const word of actual) seen.add(word.split(' ')[0] as string);
      done += batch.length;
      const [digest, holder] = [pick(manifests).digest, pick(['x', 'y'])];
      const held = (await holds.on(repository, digest)).find((hold) => hold.digest === digest && hold.holder === holder);
      if (held !== undefined) await holds.release(caller, held.id);
      assert.equal(held === undefined ? 'nothing to release' : 'released', model.release(digest, holder), `round ${round}`);
      assert.deepEqual(await readState(registry, repository, start), model.state(), `round ${round}`);
      const step = random(6);
      model.pass(step);
      clock.advance(step);
    }
    const everyOutcome = [
      'put',
      'untagged',
      'deleted',
      'restored',
      'held',
      'set',
      'tag-immutable',
      'children-unknown',
      'image-unknown',
      'image-held',
      'image-referenced',
      'deleted-image-unknown',
    ];
    assert.deepEqual([...seen].sort(), everyOutcome.sort());
  });
}
