import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Digest } from '../core/digest.ts';
import { isFault } from '../core/fault.ts';
import { MediaType } from '../core/media-type.ts';
import { silentLogger } from '../core/logger.ts';
import type { MetaStore } from '../core/meta-store.ts';
import type { Tag } from '../core/tag.ts';
import type { Repository } from '../registry/registry.ts';
import { caller, createTestRegistry, type TestRegistry } from '../../test/support/registry.ts';
import type { LifecycleTransaction } from './context.ts';
import { createLifecycle, type LifecycleDependencies } from './create-lifecycle.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { LifecycleTables } from './schema.ts';

const DAY = 86_400_000;
const HOUR = DAY / 24;

interface World extends TestRegistry {
  lifecycle: Lifecycle;
  repository: Repository;
  /** Pushed a day after each other, the last one a day ago. */
  digests: Digest[];
  present(): Promise<Digest[]>;
  snapshot(): Promise<unknown>;
}

async function createWorld(t: TestContext, names: string[][], options: Partial<LifecycleDependencies> = {}): Promise<World> {
  const world = await createTestRegistry(t);
  const lifecycle = createLifecycle({
    meta: world.context.meta as unknown as MetaStore<LifecycleTables>,
    registry: world,
    clock: world.clock,
    ids: world.context.ids,
    log: silentLogger,
    graceMs: world.context.options.graceMs,
    flushPulls: () => world.flushPulls(),
    ...options,
  });
  const repository = await world.create('team/app');
  const digests: Digest[] = [];
  for (const [index, tags] of names.entries()) {
    digests.push(await world.push(repository, `image ${index}`, ...tags));
    world.clock.advance(DAY);
  }
  t.after(() => lifecycle.idle());
  const list = () => world.images.list(repository, { limit: 1000 });
  return {
    ...world,
    lifecycle,
    repository,
    digests,
    present: async () => (await list()).items.map(({ digest }) => digest).sort(),
    async snapshot() {
      const { items } = await list();
      const bodies = await Promise.all(items.map(({ digest }) => world.images.read(repository, digest)));
      // Its place in the list goes by the row, which is another one when it comes back.
      return items.map(({ place: _place, ...item }, index) => ({
        ...item,
        body: Buffer.from(bodies[index]?.body ?? []).toString(),
      }));
    },
  };
}

const rule = (priority: number, selection: object, action: object = { type: 'expire' }) => ({
  rulePriority: priority,
  selection,
  action,
});
const policy = (...rules: object[]): string => JSON.stringify({ rules });
const newest = (count: number, tags?: string[]) => ({
  ...(tags === undefined ? { tagStatus: 'any' } : { tagStatus: 'tagged', tagPatternList: tags }),
  countType: 'imageCountMoreThan',
  countNumber: count,
});
const tagsOf = (count: number, prefix = 'v'): string[][] => Array.from({ length: count }, (_, index) => [`${prefix}${index}`]);

test('images with a thousand tags leave a few at a time, and come back with all of them', async (t) => {
  const many = (name: string): string[] => Array.from({ length: 1_000 }, (_, index) => `${name}.${index}`);
  let transactions = 0;
  const world = await createWorld(t, [many('a'), ['small'], many('b'), many('c'), many('d'), ['newest']]);
  const meta = world.context.meta as unknown as MetaStore<LifecycleTables>;
  const counted: MetaStore<LifecycleTables> = {
    ...meta,
    transact: (work, options) => {
      transactions++;
      return meta.transact(work, options);
    },
  };
  const { clock, ids, options } = world.context;
  const lifecycle = createLifecycle({ meta: counted, registry: world, clock, ids, log: silentLogger, graceMs: options.graceMs });
  const before = await world.snapshot();
  await lifecycle.put(caller, world.repository, policy(rule(1, newest(1))), { run: false });
  transactions = 0;
  const run = await lifecycle.run(caller, world.repository, { confirmed: true });
  assert.equal(run.expired, 5);
  // a and small, b and c, d; and one that ends the run.
  assert.equal(transactions, 4);
  const undone = await lifecycle.undo(caller, world.repository, run.id);
  assert.deepEqual([undone.restored.length, undone.tagsTaken], [5, []]);
  assert.deepEqual(await world.snapshot(), before);
});

test('a run takes what the preview named, and undo brings it back byte for byte', async (t) => {
  const world = await createWorld(t, tagsOf(10));
  const { lifecycle, repository, digests } = world;
  const before = await world.snapshot();
  await lifecycle.put(caller, repository, policy(rule(1, newest(4))));
  await lifecycle.idle();
  assert.deepEqual(await world.present(), digests.slice(6).sort());
  const [run] = (await lifecycle.runs(repository, { limit: 10 })).items;
  assert.equal(run?.status, 'done');
  assert.equal(run?.expired, 6);

  const undone = await lifecycle.undo(caller, repository, run?.id ?? '');
  assert.deepEqual([...undone.restored].sort(), digests.slice(0, 6).sort());
  assert.deepEqual(await world.snapshot(), before);
  // What comes back would go again within the hour.
  assert.equal((await lifecycle.get(repository)).isOff, true);
  world.clock.advance(2 * HOUR);
  await lifecycle.tick();
  assert.deepEqual(await world.snapshot(), before);
});

test('preview: every image with its verdict, and the bytes that come free', async (t) => {
  const world = await createWorld(t, [['a1'], ['a2'], ['b1'], ['a3']]);
  const { lifecycle, repository, digests } = world;
  await world.holds.take(caller, repository, { digest: digests[0]!, kind: 'service', holder: 'prod/web' });
  const preview = await lifecycle.explain(repository, policy(rule(10, newest(1, ['a*']))));
  const shown = preview.images.map(({ image, verdict }) => [image.tags[0], verdict.verdict, verdict.rule]);
  assert.deepEqual(shown, [
    ['a1', 'held', 10],
    ['a2', 'expire', 10],
    ['b1', 'keep', undefined],
    ['a3', 'keep', 10],
  ]);
  assert.deepEqual(preview.images[0]?.verdict.holders, ['service prod/web']);
  assert.equal(preview.counts.expiring, 1);
  assert.equal(preview.counts.tagsGoing, 1);
  assert.equal(preview.freed.bytes, 'config of image 1'.length + 'layer of image 1'.length);
});

test('bytes: what other images and other repositories keep does not come free; shared layers count once', async (t) => {
  const world = await createWorld(t, []);
  const { repository } = world;
  const other = await world.create('team/other');
  const shared = await world.addBlob(repository, 'a layer that two of them share');
  const kept = await world.addBlob(repository, 'a layer that an image which stays has too');
  const elsewhere = await world.addBlob(repository, 'a layer of the other repository');
  await world.addBlob(other, 'a layer of the other repository');
  const layer = (digest: Digest) => ({ mediaType: MediaType.ociLayer, digest, size: 1 });
  const push = async (where: Repository, name: string, layers: Digest[], tag: string): Promise<void> => {
    const config = await world.addBlob(where, `config ${name}`);
    const body = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MediaType.ociManifest,
        config: { mediaType: MediaType.ociConfig, digest: config, size: 1 },
        layers: layers.map(layer),
      }),
    );
    await world.images.put(caller, where, { body, tags: [tag as Tag] });
    world.clock.advance(DAY);
  };
  await push(repository, 'one', [shared, kept], 'old-1');
  await push(repository, 'two', [shared, elsewhere], 'old-2');
  await push(repository, 'three', [kept], 'new');
  await push(other, 'four', [elsewhere], 'x');
  const { freed } = await world.lifecycle.explain(repository, policy(rule(1, { ...newest(1), countNumber: 1 })));
  assert.equal(freed.bytes, 'a layer that two of them share'.length + 'config one'.length + 'config two'.length);
});

test('a run that would take nearly everything waits for a word, and says so', async (t) => {
  const world = await createWorld(t, tagsOf(20));
  const { lifecycle, repository, digests } = world;
  await lifecycle.put(caller, repository, policy(rule(1, newest(1))));
  await lifecycle.idle();
  assert.equal((await world.present()).length, 20);
  const [waiting] = (await lifecycle.runs(repository, { limit: 10 })).items;
  assert.equal(waiting?.status, 'waiting');
  assert.match(waiting?.waits ?? '', /19 of 20 images: more than 90 %.*holdfast lifecycle apply team\/app/);
  // The hours go by, and one note is enough.
  world.clock.advance(2 * HOUR);
  await lifecycle.tick();
  assert.equal((await lifecycle.runs(repository, { limit: 10 })).items.length, 1);
  const run = await lifecycle.run(caller, repository, { confirmed: true });
  assert.equal(run.expired, 19);
  assert.deepEqual(await world.present(), [digests[19]]);
  assert.deepEqual(
    (await lifecycle.runs(repository, { limit: 10 })).items.map(({ status }) => status),
    ['done'],
  );
});

test('a preview of the same policy is the word, for what it named and nothing else', async (t) => {
  const world = await createWorld(t, tagsOf(20));
  const { lifecycle, repository } = world;
  const text = policy(rule(1, newest(1)));
  await lifecycle.startPreview(repository, text);
  await lifecycle.idle();
  const late = await world.push(repository, 'image 20', 'v20');
  await lifecycle.put(caller, repository, text);
  await lifecycle.idle();
  // 19 were named; by now 20 would go, and v19 was not among them.
  assert.deepEqual(await world.present(), [world.digests[19]!, late].sort());
});

test('a limit of its own: the policy says from which share on a run waits', async (t) => {
  const { lifecycle, repository, present } = await createWorld(t, tagsOf(10));
  const text = JSON.stringify({ holdfast: { version: 1, confirmAbovePercent: 30 }, rules: [rule(1, newest(6))] });
  await lifecycle.put(caller, repository, text);
  await lifecycle.idle();
  assert.equal((await present()).length, 10);
});

test('held images outlive "expire everything", and so does what they are made of', async (t) => {
  const world = await createWorld(t, tagsOf(3));
  const { lifecycle, repository, digests } = world;
  const child = await world.push(repository, 'child');
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MediaType.ociIndex,
      manifests: [{ mediaType: MediaType.ociManifest, digest: child, size: 1 }],
    }),
  );
  const { digest } = await world.images.put(caller, repository, { body: index, tags: ['multi' as Tag] });
  await world.holds.take(caller, repository, { digest, kind: 'service', holder: 'prod/web' });
  await world.holds.take(caller, repository, { digest: digests[1]!, kind: 'task', holder: 't1' });
  world.clock.advance(100 * DAY);
  const text = policy(rule(1, { tagStatus: 'any', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 1 }));
  await lifecycle.put(caller, repository, text);
  const run = await lifecycle.run(caller, repository, { confirmed: true });
  assert.equal(run.held, 2);
  assert.deepEqual(await world.present(), [child, digest, digests[1]!].sort());
});

test('what is held, pulled, pushed or retagged between plan and deletion is decided again', async (t) => {
  // 120 go in two batches. What the first flush of a batch does happens between the plan and that batch.
  const happens: (() => Promise<unknown>)[] = [];
  const world = await createWorld(t, tagsOf(150, 'old-'), {
    flushPulls: async () => {
      await happens.shift()?.();
    },
  });
  const { lifecycle, repository, digests, images } = world;
  const rescued = digests[105]!;
  const held = digests[110]!;
  await lifecycle.put(caller, repository, policy(rule(1, newest(240, ['keep-*'])), rule(2, newest(200))));
  await lifecycle.idle();
  await world.context.meta.transact(async (transaction) => {
    await (transaction as unknown as LifecycleTransaction)
      .updateTable('lifecycle_policy')
      .set({ text: policy(rule(1, newest(240, ['keep-*'])), rule(2, newest(30))) })
      .execute();
  });
  happens.push(
    async () => {},
    async () => {},
    async () => {
      const body = (await images.read(repository, rescued)).body;
      await images.put(caller, repository, { body, tags: ['keep-1' as Tag] });
      await world.holds.take(caller, repository, { digest: held, kind: 'service', holder: 'prod/web' });
    },
  );
  const run = await lifecycle.run(caller, repository, { confirmed: true });
  const left = new Set(await world.present());
  assert.ok(left.has(rescued), 'a new tag puts it under a rule that keeps it');
  assert.ok(left.has(held), 'a service needs it');
  assert.equal(run.expired, 150 - 30 - 2);
  assert.equal(left.size, 32);
  assert.deepEqual(run.left.map(({ digest }) => digest).sort(), [rescued, held].sort());
});

test('a pull in the last moment saves an image that would go for want of pulls', async (t) => {
  const happens: (() => Promise<unknown>)[] = [];
  const world = await createWorld(t, tagsOf(5), {
    flushPulls: async () => {
      await happens.shift()?.();
    },
  });
  const { lifecycle, repository, digests } = world;
  world.clock.advance(50 * DAY);
  const selection = { tagStatus: 'any', countType: 'sinceImagePulled', countUnit: 'days', countNumber: 30 };
  const text = JSON.stringify({ holdfast: { version: 1 }, rules: [rule(1, selection)] });
  await lifecycle.put(caller, repository, text);
  await lifecycle.idle();
  happens.push(
    async () => {},
    async () => {
      await world.images.read(repository, digests[2]!, { recordPull: true });
      await world.flushPulls();
    },
  );
  const run = await lifecycle.run(caller, repository, { confirmed: true });
  assert.deepEqual(await world.present(), [digests[2]]);
  assert.deepEqual(
    run.left.map(({ digest }) => digest),
    [digests[2]],
  );
});

test('archive, then undo: back from the archive', async (t) => {
  const { lifecycle, repository, digests, images } = await createWorld(t, tagsOf(4));
  const transition = { type: 'transition', targetStorageClass: 'archive' };
  await lifecycle.put(caller, repository, policy(rule(1, newest(2), transition)));
  await lifecycle.idle();
  assert.equal((await images.resolve(repository, { digest: digests[0]! })).storageClass, 'archive');
  const [run] = (await lifecycle.runs(repository, { limit: 1 })).items;
  assert.equal(run?.archived, 2);
  const undone = await lifecycle.undo(caller, repository, run?.id ?? '');
  assert.deepEqual(undone.activated.sort(), digests.slice(0, 2).sort());
  assert.equal((await images.resolve(repository, { digest: digests[0]! })).storageClass, 'standard');
});

test('every hour, unless it is off; a clock that jumps by more than an hour stops that for a day', async (t) => {
  const world = await createWorld(t, tagsOf(6));
  const { lifecycle, repository, clock } = world;
  const text = policy(rule(1, { tagStatus: 'any', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 10 }));
  await lifecycle.put(caller, repository, text);
  await lifecycle.idle();
  assert.equal((await world.present()).length, 6);
  clock.advance(5 * DAY - HOUR);
  await lifecycle.tick();
  const aged = (await world.present()).length;
  assert.ok(aged < 6 && aged > 0);

  clock.set(clock.now() + 2 * HOUR);
  await lifecycle.tick();
  clock.advance(23 * HOUR);
  await lifecycle.tick();
  assert.equal((await world.present()).length, aged, 'ages are not to be trusted');
  clock.advance(2 * HOUR);
  await lifecycle.tick();
  const later = (await world.present()).length;
  assert.ok(later < aged, 'the clock has been steady for a day');

  await lifecycle.setOff(caller, repository, true);
  clock.advance(DAY);
  await lifecycle.tick();
  assert.equal((await world.present()).length, later);
});

test('previews as the ECR API has them: statuses, pages, filters, and an end', async (t) => {
  const world = await createWorld(t, [['a'], [], ['b', 'b_2'], []]);
  const { lifecycle, repository, digests, clock } = world;
  await assert.rejects(lifecycle.getPreview(repository, { limit: 1 }), (error) => isFault(error, 'lifecycle-preview-unknown'));
  await assert.rejects(lifecycle.startPreview(repository), (error) => isFault(error, 'lifecycle-policy-unknown'));
  const text = policy(rule(7, newest(1)));
  await lifecycle.startPreview(repository, text);
  assert.equal((await lifecycle.getPreview(repository, { limit: 10 })).status, 'IN_PROGRESS');
  await assert.rejects(lifecycle.startPreview(repository, text), (error) => isFault(error, 'lifecycle-preview-running'));
  await lifecycle.idle();
  const first = await lifecycle.getPreview(repository, { limit: 2 });
  assert.equal(first.status, 'COMPLETE');
  assert.deepEqual(
    first.images.map(({ digest, rule: owner, action }) => [digest, owner, action]),
    [
      [digests[0], 7, 'expire'],
      [digests[1], 7, 'expire'],
    ],
  );
  const second = await lifecycle.getPreview(repository, { limit: 2, next: first.next ?? '' });
  assert.deepEqual(
    second.images.map(({ digest }) => digest),
    [digests[2]],
  );
  assert.equal(second.next, undefined);
  assert.equal(second.expiring, 3);
  const only = (request: { digest?: string; tag?: string }) =>
    lifecycle.getPreview(repository, { limit: 100, only: [request] }).then(({ images }) => images.map(({ digest }) => digest));
  assert.deepEqual(await only({ tag: 'b_2' }), [digests[2]]);
  assert.deepEqual(await only({ tag: 'bx2' }), []);
  assert.deepEqual(await only({ tag: 'b_' }), []);
  assert.deepEqual(await only({ digest: digests[1]! }), [digests[1]]);
  const untagged = await lifecycle.getPreview(repository, { limit: 10, tagStatus: 'UNTAGGED' });
  assert.deepEqual(
    untagged.images.map(({ digest }) => digest),
    [digests[1]],
  );
  clock.advance(DAY + 1);
  const old = await lifecycle.getPreview(repository, { limit: 10 });
  assert.deepEqual([old.status, old.images], ['EXPIRED', []]);
});

test('a policy that was changed while a run went on ends the run', async (t) => {
  const happens: (() => Promise<unknown>)[] = [];
  const world = await createWorld(t, tagsOf(150), {
    flushPulls: async () => {
      await happens.shift()?.();
    },
  });
  const { lifecycle, repository } = world;
  // It waits for a word, so that the run below is the first.
  await lifecycle.put(caller, repository, policy(rule(1, newest(2))));
  await lifecycle.idle();
  happens.push(
    async () => {},
    async () => {},
    async () => {
      await lifecycle.delete(caller, repository);
    },
  );
  const run = await lifecycle.run(caller, repository, { confirmed: true });
  assert.equal(run.expired, 100, 'one batch, and then the policy was gone');
  assert.equal((await world.present()).length, 50);
});
