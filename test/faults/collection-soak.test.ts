import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { isFault } from '../../src/core/fault.ts';
import type { Tag } from '../../src/core/tag.ts';
import { createMemoryBlobs } from '../../src/drivers/blobs/memory.ts';
import { createManualClock } from '../../src/core/clock.ts';
import type { BlobStore } from '../../src/registry/ports.ts';
import type { Repository } from '../../src/registry/registry.ts';
import { chunks, createBlobRegistry, readBlob } from '../support/blobs.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { caller, imageManifest } from '../support/registry.ts';

const WRITERS = 4;
const OPERATIONS = Number(process.env.HOLDFAST_SOAK_OPERATIONS ?? 3000);
const SEED = Number(process.env.HOLDFAST_SOAK_SEED ?? 1);
const LEASE = 10_000;
const GRACE = 15_000;
/** So few that writers, readers and the collector keep meeting on the same blob. */
const CONTENTS = 60;

/** mulberry32: small, and the same everywhere. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** A store in which every step may take a while, so that other work gets in between. */
function dawdling(blobs: BlobStore, random: (below: number) => number): BlobStore {
  const dawdle = async () => {
    for (let turns = random(4); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
  };
  const slow = { ...blobs } as Record<string, unknown>;
  for (const name of [
    'createUpload',
    'append',
    'uploadDigest',
    'publish',
    'discardUpload',
    'open',
    'rehash',
    'remove',
    'quarantine',
  ] as const) {
    slow[name] = async (...parameters: never[]) => {
      await dawdle();
      const result = await (blobs[name] as (...parameters: never[]) => Promise<unknown>)(...parameters);
      await dawdle();
      return result;
    };
  }
  return slow as unknown as BlobStore;
}

describe('writers beside collections', () => {
  it(`lose nothing in ${OPERATIONS} operations (seed ${SEED})`, { timeout: 600_000 }, async (test) => {
    const random = createRandom(SEED);
    const soakClock = createManualClock(1_700_000_000_000);
    const memory = createMemoryBlobs(soakClock);
    const context = await createBlobRegistry(test, {
      blobs: dawdling(memory, random),
      settings: { leaseMs: LEASE, graceMs: GRACE },
    });
    const { registry, meta, clock } = context;
    const { layers, images, holds } = registry;
    const repositories = [await context.create('one'), await context.create('two')];
    const advance = (milliseconds: number) => {
      clock.advance(milliseconds);
      soakClock.advance(milliseconds);
    };
    const content = (index: number) => `content ${index} `.repeat(1 + (index % 5));
    const done: Record<string, number> = {};
    const note = (what: string) => (done[what] = (done[what] ?? 0) + 1);

    /** As docker does: asks, mounts, uploads. Gives the time from which the registry has promised to keep the blob. */
    async function offer(repository: Repository, text: string): Promise<number> {
      const promisedAt = clock.now();
      const digest = digestOf(text);
      if ((await layers.stat(repository, digest)) !== undefined) return promisedAt;
      const other = repositories[random(2)] as Repository;
      if (other !== repository && (await layers.mount(caller, repository, digest, other))) {
        note('mount');
        return promisedAt;
      }
      const { id } = await layers.startUpload(caller, repository);
      const cut = random(text.length + 1);
      if (random(2) === 0) await layers.append(caller, repository, id, { source: chunks(text.slice(0, cut)) });
      else
        await layers
          .append(caller, repository, id, { source: chunks(text.slice(0, cut)), range: { first: 0, last: cut - 1 } })
          .catch((error: unknown) => assert.ok(cut === 0 && isFault(error, 'upload-range-invalid')));
      await layers.complete(caller, repository, id, digest, { source: chunks(text.slice(cut)) });
      note('upload');
      return promisedAt;
    }

    /** In the last round clients take blobs out themselves, and the operator purges: both overrule a lease. */
    let isRough = false;
    const acknowledged = new Map<string, { repositoryId: number; digest: Digest }>();

    async function push(): Promise<void> {
      const repository = repositories[random(2)] as Repository;
      const [config, layer] = [content(random(CONTENTS)), content(random(CONTENTS))];
      const promised = Math.min(await offer(repository, config), await offer(repository, layer));
      const { body, digest } = imageManifest(config, [layer]);
      const tag = `t${random(6)}` as Tag;
      try {
        await images.put(caller, repository, { body, tags: random(3) === 0 ? [] : [tag] });
        note('push');
      } catch (error) {
        if (!isFault(error, 'layers-unknown')) throw error;
        assert.ok(
          clock.now() - promised >= LEASE / 2 || isRough,
          `a layer was taken ${clock.now() - promised} ms after it was promised`,
        );
        note('push too late');
        return;
      }
      acknowledged.set(`${repository.id} ${digest}`, { repositoryId: repository.id, digest });
    }

    async function pull(): Promise<void> {
      const repository = repositories[random(2)] as Repository;
      let digest: Digest | undefined;
      try {
        const stored = await images.read(repository, `t${random(6)}` as Tag);
        digest = stored.digest;
        const manifest = JSON.parse(Buffer.from(stored.body).toString()) as {
          config: { digest: Digest };
          layers: { digest: Digest }[];
        };
        for (const blob of [manifest.config, ...manifest.layers]) {
          assert.equal(digestOf(await readBlob(await layers.open(repository, blob.digest))), blob.digest);
        }
        note('pull');
      } catch (error) {
        if (isFault(error, 'image-unknown')) return;
        if (!isFault(error, 'blob-unknown')) throw error;
        // Only if the image itself has gone meanwhile.
        await assert.rejects(images.resolve(repository, { digest: digest as Digest }), (fault) =>
          isFault(fault, 'image-unknown'),
        );
        note('pull of an image deleted meanwhile');
      }
    }

    async function remove(): Promise<void> {
      const repository = repositories[random(2)] as Repository;
      const { items } = await images.list(repository, { limit: 20 });
      const image = items[random(Math.max(items.length, 1))];
      if (image === undefined) return;
      // Before the attempt: an image pushed again right after it counts again.
      acknowledged.delete(`${repository.id} ${image.digest}`);
      try {
        await images.delete(caller, repository, image.digest);
        note('delete');
      } catch (error) {
        if (!isFault(error, 'image-held') && !isFault(error, 'image-unknown')) throw error;
        note('delete refused');
      }
    }

    async function restore(): Promise<void> {
      const repository = repositories[random(2)] as Repository;
      const { items } = await images.listDeleted(repository, { limit: 20 });
      const image = items[random(Math.max(items.length, 1))];
      if (image === undefined) return;
      try {
        await images.restore(caller, repository, image.digest);
        note('restore');
      } catch (error) {
        // Restored, pushed again or purged by somebody else.
        if (!isFault(error, 'deleted-image-unknown')) throw error;
      }
    }

    async function hold(): Promise<void> {
      const repository = repositories[random(2)] as Repository;
      const { items } = await images.list(repository, { limit: 20 });
      const image = items[random(Math.max(items.length, 1))];
      if (image === undefined) return;
      try {
        await holds.take(caller, repository, {
          digest: image.digest,
          kind: 'task',
          holder: `t${random(4)}`,
          timeToLive: 1 + random(GRACE),
        });
        note('hold');
      } catch (error) {
        if (!isFault(error, 'image-unknown')) throw error;
      }
    }

    async function removeBlob(): Promise<void> {
      const repository = repositories[random(2)] as Repository;
      try {
        await layers.remove(caller, repository, digestOf(content(random(CONTENTS))));
        note('blob removed');
      } catch (error) {
        if (!isFault(error, 'blob-unknown') && !isFault(error, 'blob-referenced')) throw error;
      }
    }

    let left = OPERATIONS;
    const check = async () => {
      assert.deepEqual(await checkInvariants({ meta, blobs: memory, acknowledged: acknowledged.values() }), []);
      note('check');
    };

    async function write(): Promise<void> {
      while (left-- > 0) {
        const dice = random(100);
        if (dice < 35) await push();
        else if (dice < 45) await pull();
        else if (dice < 85) await remove();
        else if (dice < 88) await restore();
        else if (dice < 90) await hold();
        else if (dice < 92 && isRough) await removeBlob();
        else advance(random(LEASE / 3));
      }
    }

    async function collect(): Promise<void> {
      while (left > 0) {
        const report = await registry.collector.run({ dryRun: random(10) === 0, purge: isRough && random(20) === 0 });
        done.blobsDeleted = (done.blobsDeleted ?? 0) + report.blobsDeleted;
        done.membershipsEnded = (done.membershipsEnded ?? 0) + report.membershipsEnded;
        note('collection');
        await new Promise((resolve) => setImmediate(resolve));
      }
    }

    // In rounds, because invariants hold between acts, not inside them.
    const rounds = 5;
    for (let round = 0; round < rounds; round++) {
      left = Math.ceil(OPERATIONS / rounds);
      isRough = round === rounds - 1;
      await Promise.all([...Array.from({ length: WRITERS }, write), collect()]);
      await check();
    }
    advance(GRACE + 25 * 60 * 60 * 1000);
    await registry.collector.run();
    await registry.collector.run();
    assert.deepEqual(
      await checkInvariants({ meta, blobs: memory, acknowledged: acknowledged.values(), orphansBefore: Infinity }),
      [],
    );
    for (const what of ['push', 'pull', 'delete', 'restore', 'mount', 'blobsDeleted', 'membershipsEnded'])
      assert.ok((done[what] ?? 0) > 0, `${what} has happened`);
    test.diagnostic(JSON.stringify(done));
  });
});
