import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createManualClock } from '../../src/core/clock.ts';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { isFault } from '../../src/core/fault.ts';
import { silentLogger } from '../../src/core/logger.ts';
import type { MetaStore } from '../../src/core/meta-store.ts';
import type { RepositoryName } from '../../src/core/repository-name.ts';
import type { Tag } from '../../src/core/tag.ts';
import { openFileBlobs } from '../../src/drivers/blobs/fs.ts';
import { openSqliteMeta } from '../../src/drivers/meta/sqlite.ts';
import { createRegistry, type RegistryRoom } from '../../src/registry/create-registry.ts';
import { registryMigrations } from '../../src/registry/migrations.ts';
import type { BlobStore } from '../../src/registry/ports.ts';
import type { RegistryTables } from '../../src/registry/schema.ts';
import { chunks, readBlob } from '../support/blobs.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { createFailingDisk, Killed, type FailingDisk, type Step } from '../support/failing-disk.ts';
import { caller, imageManifest } from '../support/registry.ts';

const CONFIG = 'config of the image';
const LAYER = 'first half of the layer, second half of the layer';
const HALF = 24;
const NAME = 'team/app' as RepositoryName;
const TAG = 'v1' as Tag;
const clock = createManualClock(Date.UTC(2030, 0, 1));

interface Server {
  registry: RegistryRoom;
  blobs: BlobStore;
  meta: MetaStore<RegistryTables> & { close(): Promise<void> };
  disk: FailingDisk;
  stop(): Promise<void>;
}

/** A server on `folder` whose disk and database ask `step` before each act; `commit` comes before and after each. */
async function start(folder: string, step: Step): Promise<Server> {
  const meta = await openSqliteMeta<RegistryTables>({
    path: join(folder, 'meta.db'),
    migrations: registryMigrations,
    now: () => 0,
  });
  const asking: MetaStore<RegistryTables> = {
    read: meta.read,
    snapshot: (work) => meta.snapshot(work),
    async transact(work) {
      await step('begin', 'database');
      const result = await meta.transact(work);
      await step('committed', 'database');
      return result;
    },
  };
  const disk = createFailingDisk(step);
  const blobs = await openFileBlobs({ root: join(folder, 'blobs'), log: silentLogger, fileSystem: disk.fileSystem });
  const ids = {
    uuid: () => crypto.randomUUID() as string,
    bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)),
  };
  const registry = createRegistry({ meta: asking, blobs, clock, ids, log: silentLogger });
  const stop = async () => {
    await blobs.close();
    await meta.close();
  };
  return { registry, blobs, meta, disk, stop };
}

/** What a client remembers of a push, over restarts of the server. */
interface Client {
  uploadId?: string;
  acknowledged: number;
  blobs: Set<Digest>;
  image?: Digest;
}

/** Pushes, going on where the client has an acknowledgement; begins a blob anew only when its session is unknown. */
async function push({ registry }: Server, client: Client): Promise<void> {
  const repository = await registry.repositories.get(caller, NAME);
  for (const content of [CONFIG, LAYER]) {
    const digest = digestOf(content);
    if (client.blobs.has(digest)) continue;
    const attempt = async () => {
      if (client.uploadId === undefined) {
        client.acknowledged = 0;
        client.uploadId = (await registry.layers.startUpload(caller, repository)).id;
      }
      const session = await registry.layers.getUpload(repository, client.uploadId);
      if (content === LAYER && session.offset < HALF) {
        const range = { first: session.offset, last: HALF - 1 };
        client.acknowledged = (
          await registry.layers.append(caller, repository, client.uploadId, {
            source: chunks(content.slice(session.offset, HALF)),
            range,
          })
        ).offset;
      }
      const { offset } = await registry.layers.getUpload(repository, client.uploadId);
      const chunk =
        offset < content.length
          ? { source: chunks(content.slice(offset)), range: { first: offset, last: content.length - 1 } }
          : undefined;
      await registry.layers.complete(caller, repository, client.uploadId, digest, chunk);
    };
    try {
      await attempt();
    } catch (error) {
      if (!isFault(error, 'upload-unknown')) throw error;
      delete client.uploadId;
      await attempt();
    }
    delete client.uploadId;
    client.blobs.add(digest);
  }
  const { body } = imageManifest(CONFIG, [LAYER]);
  client.image = (await registry.images.put(caller, repository, { body, tags: [TAG] })).digest;
}

async function newFolder(test: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-killed-'));
  test.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function prepare(folder: string): Promise<void> {
  const server = await start(folder, () => undefined);
  await server.registry.repositories.create(caller, NAME);
  await server.stop();
}

/** Everything as promised: nothing acknowledged is missing, and what is not acknowledged is not half there. */
async function check(server: Server, client: Client): Promise<void> {
  const repository = await server.registry.repositories.get(caller, NAME);
  const acknowledged = client.image === undefined ? [] : [{ repositoryId: repository.id, digest: client.image }];
  assert.deepEqual(await checkInvariants({ meta: server.meta, blobs: server.blobs, acknowledged }), []);
  for (const digest of client.blobs)
    assert.equal(digestOf(await readBlob(await server.registry.layers.open(repository, digest))), digest);
}

async function finish(folder: string, client: Client): Promise<void> {
  const server = await start(folder, () => undefined);
  try {
    await check(server, client);
    await push(server, client);
    await check(server, client);
    const repository = await server.registry.repositories.get(caller, NAME);
    assert.equal((await server.registry.images.read(repository, TAG)).digest, client.image);
    await server.registry.collector.run();
    const late = createManualClock(clock.now() + 7 * 24 * 60 * 60 * 1000);
    const collector = createRegistry({
      meta: server.meta,
      blobs: server.blobs,
      clock: late,
      ids: { uuid: () => '', bytes: () => new Uint8Array() },
      log: silentLogger,
    }).collector;
    await collector.run();
    await check(server, client);
    assert.deepEqual(await checkInvariants({ meta: server.meta, blobs: server.blobs, orphansBefore: late.now() }), []);
  } finally {
    await server.stop();
  }
}

describe('a push', () => {
  for (const [what, power] of [
    ['killed', false],
    ['cut off from power', true],
  ] as const) {
    it(`${what} at any step loses nothing that was acknowledged, and can be finished`, { timeout: 300_000 }, async (test) => {
      let steps: string[] = [];
      let reached = true;
      let count = 0;
      for (let fatal = 1; reached; fatal++) {
        const folder = await newFolder(test);
        await prepare(folder);
        steps = [];
        const client: Client = { acknowledged: 0, blobs: new Set() };
        let isDead = false;
        let isArmed = false;
        const server = await start(folder, (call, path) => {
          if (!isArmed) return;
          if (!isDead) steps.push(`${call} ${path.slice(folder.length)}`);
          isDead ||= steps.length === fatal;
          if (isDead) throw new Killed();
        });
        isArmed = true;
        await push(server, client).catch((error: unknown) => assert.ok(isDead, String(error)));
        reached = isDead;
        if (power && isDead) await server.disk.losePower();
        const { acknowledged, uploadId } = client;
        await server.stop();
        if (!power && uploadId !== undefined && acknowledged > 0) {
          // A process that dies takes nothing with it that it had acknowledged.
          const again = await start(folder, () => undefined);
          const repository = await again.registry.repositories.get(caller, NAME);
          const held = await again.registry.layers.getUpload(repository, uploadId).catch((error: unknown) => error);
          if (!isFault(held, 'upload-unknown')) assert.ok((held as { offset: number }).offset >= acknowledged);
          await again.stop();
        }
        await finish(folder, client);
        await rm(folder, { recursive: true, force: true });
        count = steps.length;
      }
      assert.ok(count > 20, `only ${count} steps`);
      test.diagnostic(`${count} steps`);
    });
  }

  for (const code of ['ENOSPC', 'EDQUOT']) {
    it(
      `that meets ${code} at any write is refused as "storage full", and succeeds once there is room`,
      { timeout: 300_000 },
      async (test) => {
        const writes = new Set(['write', 'create', 'makeDirectory', 'rename']);
        let wasRefused = true;
        let refusals = 0;
        for (let full = 1; wasRefused; full++) {
          const folder = await newFolder(test);
          await prepare(folder);
          const client: Client = { acknowledged: 0, blobs: new Set() };
          let asked = 0;
          let isFull = false;
          let isArmed = false;
          const server = await start(folder, (call) => {
            if (!isArmed || !writes.has(call)) return;
            isFull ||= ++asked === full;
            if (isFull) throw Object.assign(new Error(code), { code });
          });
          isArmed = true;
          wasRefused = await push(server, client).then(
            () => false,
            (error: unknown) => {
              assert.ok(isFault(error, 'storage-full'), String(error));
              return true;
            },
          );
          if (wasRefused) refusals++;
          await check(server, client);
          isArmed = false;
          await push(server, client);
          await check(server, client);
          await server.stop();
          await rm(folder, { recursive: true, force: true });
        }
        assert.ok(refusals >= 6, `only ${refusals} refusals`);
        test.diagnostic(`${refusals} refusals`);
      },
    );
  }
});
