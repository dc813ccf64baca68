import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { KyselyPlugin } from 'kysely';
import { createManualClock } from '../../src/core/clock.ts';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { isFault, type FaultKind } from '../../src/core/fault.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { MediaType } from '../../src/core/media-type.ts';
import { parseRepositoryName } from '../../src/core/repository-name.ts';
import { parseTag, type Tag } from '../../src/core/tag.ts';
import { openFileBlobs } from '../../src/drivers/blobs/fs.ts';
import { createRegistry } from '../../src/registry/create-registry.ts';
import type { Repository } from '../../src/registry/registry.ts';
import { chunks, readBlob } from '../support/blobs.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { caller, createCountingIds, imageManifest, indexManifest, type BuiltManifest } from '../support/registry.ts';
import { createCrashFileSystem } from './crash-file-system.ts';
import { openQuickMeta } from './quick-meta.ts';
import { createRandom, pick } from './random.ts';
import { stepFiles, stepMeta } from './seams.ts';
import { createTurns } from './turns.ts';

const SOAK = process.env['HOLDFAST_SOAK'] === '1';
const OPERATIONS = SOAK ? 100_000 : 5_000;
const SEED = Number(process.env['HOLDFAST_SEED'] ?? (SOAK ? Math.floor(Math.random() * 1e9) : 20_260_801));
const WRITERS = 16;
const COLLECTORS = 4;
/** Everybody stops for the check after this many. */
const ROUND = 500;
const MINUTE = 60 * 1000;
const LEASE = 5 * MINUTE;
const GRACE = 10 * MINUTE;

test(`${WRITERS} writers against ${COLLECTORS} collectors, ${OPERATIONS} operations`, async (t) => {
  const world = await createWorld(t, SEED);
  const started = performance.now();
  for (let done = 0; done < OPERATIONS; done += ROUND) {
    await world.round(ROUND);
    assert.deepEqual(await world.check(), [], `seed ${SEED}, after ${done + ROUND} operations`);
  }
  await world.settle();
  assert.deepEqual(await world.check({ whole: true }), [], `seed ${SEED}, at the end`);
  const { outcomes, steps, collected } = world;
  t.diagnostic(
    `seed ${SEED}: ${OPERATIONS} operations, ${steps()} steps in ${((performance.now() - started) / 1000).toFixed(0)} s`,
  );
  t.diagnostic(tally(outcomes));
  t.diagnostic(`collected: ${tally(collected)}`);
  for (const outcome of [
    'push ok',
    'hold ok',
    'pull ok',
    'index ok',
    'restore ok',
    'head then manifest ok',
    'delete image-held',
    'delete image-referenced',
    'mount ok',
  ]) {
    assert.ok((outcomes.get(outcome) ?? 0) > 0, `nothing came to "${outcome}": ${tally(outcomes)}`);
  }
  const tooLate = [...outcomes.keys()].filter((outcome) => outcome.endsWith('layers-unknown'));
  assert.notDeepEqual(tooLate, [], 'no manifest came too late for its blobs');
  for (const [what, count] of collected) assert.ok(count > 0, `the collectors had no ${what}`);
});

async function createWorld(t: TestContext, seed: number) {
  const random = createRandom(seed);
  const clock = createManualClock(1_700_000_000_000);
  const turns = createTurns(random, () => clock.advance(random() < 0.03 ? random() * 4 * MINUTE : random() * 200));
  let quiet = false;
  const step = (): Promise<void> => (quiet ? Promise.resolve() : turns.step());
  const meta = await openQuickMeta(t);
  const pausing: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      await step();
      return result;
    },
  };
  const files = createCrashFileSystem(clock);
  quiet = true;
  const blobs = await openFileBlobs({ root: '/store', log: silentLogger, fileSystem: stepFiles(files, step) });
  const registry = createRegistry({
    meta: { ...stepMeta(meta, step), read: meta.read.withPlugin(pausing) },
    blobs,
    clock,
    ids: createCountingIds(),
    log: silentLogger,
    settings: { leaseMs: LEASE, graceMs: GRACE },
  });
  const { images, layers, holds, collector } = registry;
  const repositories: Repository[] = [];
  for (const name of ['one', 'two', 'three'])
    repositories.push(await registry.repositories.create(caller, parseRepositoryName(`${name}/app`)));
  quiet = false;

  const tags = ['latest', 'stable', 'next', 'v1'].map(parseTag);
  const layerTexts = Array.from({ length: 30 }, (_, index) => `layer ${index} `.repeat(80));
  const choices = Array.from({ length: 40 }, (_, index) => ({
    config: `config ${index}`,
    layers: [layerTexts[index % 30] ?? '', `layer of ${index} alone`],
  }));
  const outcomes = new Map<string, number>();
  const collected = new Map<string, number>();
  const acknowledged = new Map<string, number>();
  const problems: string[] = [];
  /** How often an image has been deleted, or may just be: a pull that breaks off then has an excuse. */
  const deletions = new Map<string, number>();
  const liveHolds = new Map<string, { repository: Repository; digest: Digest }>();
  let clients = 0;

  const count = (counts: Map<string, number>, name: string, by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by);
  const acknowledge = (action: string) => count(acknowledged, action);
  const key = (repository: Repository, digest: Digest) => `${repository.name}@${digest}`;

  async function upload(repository: Repository, content: string): Promise<void> {
    const digest = digestOf(content);
    if ((await layers.stat(repository, digest)) !== undefined) return;
    const { id } = await layers.startUpload(caller, repository);
    const half = Math.floor(content.length / 2);
    await layers.append(caller, repository, id, { source: chunks(content.slice(0, half)) });
    await layers.complete(caller, repository, id, digest, { source: chunks(content.slice(half)) });
    acknowledge('blob.push');
  }

  async function put(repository: Repository, { body }: BuiltManifest, names: Tag[]): Promise<void> {
    const { created, moved } = await images.put(caller, repository, { body, tags: names });
    if (created || moved.length > 0) acknowledge('image.push');
  }

  /** Runs a deletion, which must not happen to what is held from before it begins until after it has ended. */
  async function deleting<T>(
    repository: Repository,
    digest: Digest | undefined,
    work: () => Promise<T>,
    gone: (result: T) => Digest | undefined,
  ): Promise<void> {
    const heldBefore = new Set([...liveHolds].filter(([, hold]) => hold.repository === repository).map(([id]) => id));
    // What a tag points at is not known before, so all of the repository may be going.
    const marks = digest === undefined ? [...allDigests].map((each) => key(repository, each)) : [key(repository, digest)];
    for (const mark of marks) count(deletions, mark);
    const deleted = gone(await work());
    for (const mark of marks) count(deletions, mark);
    if (deleted === undefined) return;
    for (const id of heldBefore)
      if (liveHolds.get(id)?.digest === deleted) problems.push(`${deleted} was deleted under the hold ${id}`);
  }

  const built = choices.map((choice) => imageManifest(choice.config, choice.layers));
  const allDigests = new Set(built.map((image) => image.digest));

  const operations: Record<string, (repository: Repository) => Promise<void | false>> = {
    async push(repository) {
      const chosen = pick(random, choices);
      for (const content of [chosen.config, ...chosen.layers]) await upload(repository, content);
      await put(repository, imageManifest(chosen.config, chosen.layers), random() < 0.8 ? [pick(random, tags)] : []);
    },
    async 'head then manifest'(repository) {
      const chosen = pick(random, choices);
      for (const content of [chosen.config, ...chosen.layers])
        if ((await layers.stat(repository, digestOf(content))) === undefined) return false;
      // A slow client: the lease that HEAD gave may end before the manifest comes.
      if (random() < 0.5) for (let pause = random() * 200; pause > 0; pause--) await step();
      await put(repository, imageManifest(chosen.config, chosen.layers), [pick(random, tags)]);
    },
    async retag(repository) {
      const { body } = await images.read(repository, pick(random, tags));
      await put(repository, { body, mediaType: '', digest: digestOf(body) }, [pick(random, tags)]);
    },
    async index(repository) {
      const { items } = await images.list(repository, { limit: 50 });
      if (items.length === 0) return false;
      const index = indexManifest([...new Set([pick(random, items).digest, pick(random, items).digest])]);
      allDigests.add(index.digest);
      await put(repository, index, [pick(random, tags)]);
    },
    async delete(repository) {
      const { items } = await images.list(repository, { limit: 200 });
      if (items.length === 0) return false;
      // An index keeps its children; without some favour for indexes there would soon be nothing that could go.
      const indexes = items.filter((item) => item.mediaType === MediaType.ociIndex);
      const { digest } = pick(random, indexes.length > 5 ? indexes : items);
      await deleting(
        repository,
        digest,
        () => images.delete(caller, repository, digest),
        () => digest,
      );
      acknowledge('image.delete');
    },
    async untag(repository) {
      const lastTag = random() < 0.5 ? 'delete-image' : 'keep-image';
      await deleting(
        repository,
        undefined,
        () => images.untag(caller, repository, pick(random, tags), { lastTag }),
        () => undefined,
      );
      acknowledge('tag.delete');
    },
    async mount(repository) {
      const from = pick(random, repositories);
      const chosen = pick(random, choices);
      for (const content of [chosen.config, ...chosen.layers]) {
        if (await layers.mount(caller, repository, digestOf(content), from)) acknowledge('blob.mount');
        else await upload(repository, content);
      }
      await put(repository, imageManifest(chosen.config, chosen.layers), []);
    },
    async pull(repository) {
      const { body, digest } = await images.read(repository, random() < 0.5 ? pick(random, tags) : pick(random, built).digest);
      const before = deletions.get(key(repository, digest)) ?? 0;
      const document = JSON.parse(Buffer.from(body).toString()) as { config?: { digest: Digest }; layers?: { digest: Digest }[] };
      for (const blob of [...(document.config ? [document.config] : []), ...(document.layers ?? [])]) {
        try {
          const content = await layers.open(repository, blob.digest).then(readBlob);
          if (digestOf(content) !== blob.digest) problems.push(`${blob.digest} was served with other bytes`);
        } catch (error) {
          const isExcused = isFault(error, 'blob-unknown') && (deletions.get(key(repository, digest)) ?? 0) > before;
          if (!isExcused) problems.push(`${digest} is there and its blob ${blob.digest} is not: ${String(error)}`);
        }
      }
    },
    async restore(repository) {
      const { items } = await images.listDeleted(repository, { limit: 20 });
      if (items.length === 0 || random() < 0.5) return false;
      await images.restore(caller, repository, pick(random, items).digest);
      acknowledge('image.restore');
    },
    async hold(repository) {
      const { items } = await images.list(repository, { limit: 50 });
      if (items.length === 0) return false;
      const { digest } = pick(random, items);
      const hold = await holds.take(caller, repository, { digest, kind: 'test', holder: `client ${++clients}` });
      acknowledge('hold.take');
      liveHolds.set(hold.id, { repository, digest });
    },
    async release() {
      if (liveHolds.size === 0) return false;
      const id = pick(random, [...liveHolds.keys()]);
      liveHolds.delete(id);
      await holds.release(caller, id);
      acknowledge('hold.release');
    },
    async 'remove blob'(repository) {
      await layers.remove(caller, repository, digestOf(pick(random, layerTexts)));
      acknowledge('blob.remove');
    },
    async 'give up an upload'(repository) {
      // While there is a session, nothing of its repository is collected.
      if (random() < 0.8) return false;
      const { id } = await layers.startUpload(caller, repository);
      await layers.append(caller, repository, id, { source: chunks('half of it') });
      if (random() < 0.5) await layers.cancelUpload(caller, repository, id);
    },
  };
  // Growing and shrinking take turns, so that the collectors have their times, too.
  const growing = [...Object.keys(operations), 'push', 'push', 'head then manifest', 'delete'];
  const shrinking = [...growing, 'delete', 'delete', 'delete', 'delete', 'delete', 'release', 'release'];
  let names = growing;
  /** What each may be refused with; anything else is a defect. */
  const refusals: FaultKind[] = [
    'layers-unknown',
    'children-unknown',
    'image-unknown',
    'image-held',
    'image-referenced',
    'deleted-image-unknown',
    'blob-unknown',
    'blob-referenced',
    'hold-unknown',
  ];

  async function perform(): Promise<void> {
    const name = pick(random, names);
    try {
      const result = await operations[name]?.(pick(random, repositories));
      count(outcomes, `${name} ${result === false ? 'idle' : 'ok'}`);
    } catch (error) {
      const kind = refusals.find((each) => isFault(error, each));
      // A session with bytes in it is not idle for a day here, so nobody may take it away.
      if (kind === undefined) throw error;
      count(outcomes, `${name} ${kind}`);
    }
  }

  async function collect(isBusy: () => boolean): Promise<void> {
    while (isBusy()) {
      const report = await collector.run({ purge: random() < 0.1 });
      for (const what of ['imagesPurged', 'membershipsEnded', 'blobsDeleted'] as const) count(collected, what, report[what]);
      count(acknowledged, 'image.expire', report.referrersDeleted);
      await step();
    }
  }

  return {
    outcomes,
    collected,
    steps: () => turns.count,
    async round(operationsOfRound: number): Promise<void> {
      names = names === growing ? shrinking : growing;
      let left = operationsOfRound;
      let busy = WRITERS;
      const writers = Array.from({ length: WRITERS }, async () => {
        while (left-- > 0) await perform();
        busy--;
      });
      const collectors = Array.from({ length: COLLECTORS }, () => collect(() => busy > 0));
      await turns.run([...writers, ...collectors]);
    },
    /** Everybody goes home, and all that has no reason to stay is collected. */
    async settle(): Promise<void> {
      quiet = true;
      for (let day = 0; day < 3; day++) {
        // Half an hour at a time, as a machine that runs sees it.
        clock.advance(24 * 60 * MINUTE);
        const report = await collector.run();
        count(acknowledged, 'image.expire', report.referrersDeleted);
      }
      const { read } = meta;
      const useless = await read
        .selectFrom('blob')
        .select('digest')
        .where('digest', 'not in', read.selectFrom('manifest_blob').select('digest'))
        .where('digest', 'not in', read.selectFrom('deleted_blob').select('digest'))
        .execute();
      for (const { digest } of useless) problems.push(`${digest} is of no use to anybody, and still there`);
    },
    async check({ whole = false } = {}): Promise<string[]> {
      quiet = true;
      const wrong = [...problems, ...(await checkInvariants({ meta, blobs, ...(whole ? { orphansBefore: clock.now() } : {}) }))];
      const rows = await meta.read.selectFrom('audit').select(['action']).where('action', '!=', 'repository.create').execute();
      const recorded = new Map<string, number>();
      for (const { action } of rows) count(recorded, action);
      for (const action of new Set([...recorded.keys(), ...acknowledged.keys()])) {
        if ((recorded.get(action) ?? 0) !== (acknowledged.get(action) ?? 0))
          wrong.push(`${action}: ${recorded.get(action)} recorded, ${acknowledged.get(action)} acknowledged`);
      }
      for (const { repository, digest } of liveHolds.values()) {
        const image = await meta.read
          .selectFrom('manifest')
          .select('id')
          .where('repository_id', '=', repository.id)
          .where('digest', '=', digest)
          .executeTakeFirst();
        if (image === undefined) wrong.push(`the held image ${key(repository, digest)} is gone`);
      }
      wrong.push(...(await checkHistories()));
      quiet = false;
      return wrong;
    },
  };

  /** Each move of a tag begins where the last one ended, and the last one ended where the tag is. */
  async function checkHistories(): Promise<string[]> {
    const wrong: string[] = [];
    const at = new Map<string, string | null>();
    for (const event of await meta.read.selectFrom('tag_event').selectAll().orderBy('id').execute()) {
      const tag = `${event.repository}:${event.tag}`;
      if ((at.get(tag) ?? null) !== event.old_digest) wrong.push(`${tag} moved from ${event.old_digest} where it was not`);
      at.set(tag, event.new_digest);
    }
    const now = await meta.read
      .selectFrom('tag')
      .innerJoin('manifest', 'manifest.id', 'tag.manifest_id')
      .innerJoin('repository', 'repository.id', 'tag.repository_id')
      .select(['repository.name as repository', 'tag.name as tag', 'manifest.digest'])
      .execute();
    const present = new Map(now.map((row) => [`${row.repository}:${row.tag}`, row.digest]));
    for (const [tag, digest] of at)
      if ((present.get(tag) ?? null) !== digest) wrong.push(`${tag} is at ${present.get(tag)}, and ${digest} by its history`);
    for (const tag of present.keys()) if (!at.has(tag)) wrong.push(`${tag} has no history`);
    return wrong;
  }
}

function tally(counts: Map<string, number>): string {
  return [...counts]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, number]) => `${name} ${number}`)
    .join(', ');
}
