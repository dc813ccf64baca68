import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createManualClock } from '../../src/core/clock.ts';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { isFault } from '../../src/core/fault.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { parseRepositoryName } from '../../src/core/repository-name.ts';
import { parseTag } from '../../src/core/tag.ts';
import type { FileSystem } from '../../src/drivers/blobs/file-system.ts';
import { openFileBlobs } from '../../src/drivers/blobs/fs.ts';
import { createRegistry, type RegistryRoom } from '../../src/registry/create-registry.ts';
import type { BlobStore } from '../../src/registry/ports.ts';
import type { Repository } from '../../src/registry/registry.ts';
import { chunks, readBlob } from '../support/blobs.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { caller, createCountingIds, imageManifest } from '../support/registry.ts';
import { createCrashFileSystem } from './crash-file-system.ts';
import { openQuickMeta } from './quick-meta.ts';
import { createRandom } from './random.ts';
import { READING, stepFiles, stepMeta } from './seams.ts';

const HOUR = 60 * 60 * 1000;
const SEEDS = process.env['HOLDFAST_SOAK'] === '1' ? 200 : 3;
const NAME = parseRepositoryName('team/app');

class PowerLost extends Error {
  override readonly name = 'PowerLost';
}

interface Machine {
  registry: RegistryRoom;
  blobs: BlobStore;
  repository: Repository;
}

interface Found {
  losses: number;
  /** Losses after which something acknowledged was gone, or something torn was there. */
  wrong: string[];
}

/** Loses power at every step of pushes, moves, deletions and a collection, and looks each time at what is left. */
async function loseAtEveryStep(
  test: TestContext,
  seed: number,
  disk: (files: FileSystem) => FileSystem = (files) => files,
): Promise<Found> {
  const random = createRandom(seed);
  const clock = createManualClock(1_700_000_000_000);
  const meta = await openQuickMeta(test);
  const files = createCrashFileSystem(clock);
  const ids = createCountingIds();
  let left = Infinity;
  const step = (name: string): void => {
    if (!READING.has(name) && left-- <= 0) throw new PowerLost();
  };
  const boot = async (): Promise<Machine> => {
    const blobs = await openFileBlobs({ root: '/store', log: silentLogger, fileSystem: stepFiles(disk(files), step) });
    const registry = createRegistry({ meta: stepMeta(meta, step), blobs, clock, ids, log: silentLogger });
    const repository = (await registry.repositories.find(caller, NAME)) ?? (await registry.repositories.create(caller, NAME));
    return { registry, blobs, repository };
  };

  let machine = await boot();
  const blobs = new Map<Digest, string>();
  const images = new Map<Digest, Uint8Array>();
  const found: Found = { losses: 0, wrong: [] };
  for (let at = 0; ; at++) {
    const name = `seed ${seed}, step ${at}`;
    left = at;
    try {
      await work(machine, name, { blobs, images, clock });
      left = Infinity;
      return found;
    } catch (error) {
      if (!isPowerLost(error)) throw error;
    }
    found.losses++;
    files.losePower(random);
    left = Infinity;
    machine = await boot();
    const { registry, repository } = machine;
    for (const problem of await checkInvariants({ meta, blobs: machine.blobs })) found.wrong.push(`${name}: ${problem}`);
    for (const [digest, content] of blobs) {
      const served = await registry.layers.open(repository, digest).then(readBlob, (error: unknown) => String(error));
      if (served !== content) found.wrong.push(`${name}: the acknowledged blob ${digest} reads as ${served.slice(0, 80)}`);
    }
    for (const [digest, body] of images) {
      const served = await registry.images.read(repository, digest).then(
        ({ body: bytes }) => bytes,
        () => new Uint8Array(),
      );
      if (!Buffer.from(served).equals(body)) found.wrong.push(`${name}: the acknowledged image ${digest} is gone`);
    }
    if (found.wrong.length > 0) return found;
    if (at > 500) throw new Error('more steps than this work has');
  }
}

async function work(
  { registry, repository }: Machine,
  name: string,
  known: { blobs: Map<Digest, string>; images: Map<Digest, Uint8Array>; clock: { advance(milliseconds: number): void } },
): Promise<void> {
  const { layers, images } = registry;
  const config = `config of ${name}`;
  const layer = `layer of ${name} `.repeat(150);
  for (const content of [config, layer]) {
    const digest = digestOf(content);
    const { id } = await layers.startUpload(caller, repository);
    const half = Math.floor(content.length / 2);
    await layers.append(caller, repository, id, { source: chunks(content.slice(0, half)) });
    await layers.complete(caller, repository, id, digest, { source: chunks(content.slice(half)) });
    known.blobs.set(digest, content);
  }
  const { body, digest } = imageManifest(config, [layer]);
  await images.put(caller, repository, { body, tags: [parseTag('latest')] });
  known.images.set(digest, body);

  // Something to delete, whose blobs nobody else has.
  const short = `short life of ${name}`;
  const { id } = await layers.startUpload(caller, repository);
  await layers.complete(caller, repository, id, digestOf(short), { source: chunks(short) });
  const doomed = imageManifest(short, []);
  await images.put(caller, repository, { body: doomed.body, tags: [] });
  await images.delete(caller, repository, doomed.digest);
  // Blobs that an image has stay; those without one have had their time.
  for (const blob of known.blobs.keys()) if (!(await registry.layers.isReferenced(repository, blob))) known.blobs.delete(blob);
  known.clock.advance(26 * HOUR);
  await registry.collector.run();
}

function isPowerLost(error: unknown): boolean {
  for (let cause = error; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined) {
    if (cause instanceof PowerLost) return true;
  }
  // A store that has seen one failed flush says so from then on.
  return isFault(error, 'storage-failed');
}

test('nothing acknowledged is lost with the power, and nothing torn is served', async (t) => {
  let losses = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const found = await loseAtEveryStep(t, seed);
    assert.deepEqual(found.wrong, []);
    losses += found.losses;
  }
  assert.ok(losses > SEEDS * 50, `only ${losses} losses`);
  t.diagnostic(`${losses} losses of power, ${SEEDS} seeds`);
});

test('a push that was killed, resumed and acknowledged survives the power loss that follows', async (t) => {
  const clock = createManualClock(1_700_000_000_000);
  const meta = await openQuickMeta(t);
  const files = createCrashFileSystem(clock);
  const ids = createCountingIds();
  let left = Infinity;
  const step = (name: string): void => {
    if (!READING.has(name) && left-- <= 0) throw new PowerLost();
  };
  const boot = async () => {
    const blobs = await openFileBlobs({ root: '/store', log: silentLogger, fileSystem: stepFiles(files, step) });
    return createRegistry({ meta: stepMeta(meta, step), blobs, clock, ids, log: silentLogger });
  };
  let registry = await boot();
  const repository = await registry.repositories.create(caller, NAME);
  let at = 0;
  for (let done = false; !done; at++) {
    const content = `resumed after step ${at}`;
    const digest = digestOf(content);
    const { id } = await registry.layers.startUpload(caller, repository);
    await registry.layers.append(caller, repository, id, { source: chunks(content) });
    left = at;
    done = await registry.layers.complete(caller, repository, id, digest).then(
      () => true,
      (error: unknown) => {
        if (!isPowerLost(error)) throw error;
        return false;
      },
    );
    left = Infinity;
    // Killed only: what the operating system was given is all there.
    registry = await boot();
    if ((await registry.layers.stat(repository, digest)) === undefined)
      await registry.layers.complete(caller, repository, id, digest);
    // Now the power, too: nothing that was not flushed is left.
    files.losePower(() => 0.999);
    registry = await boot();
    assert.equal(await registry.layers.open(repository, digest).then(readBlob), content, `killed at step ${at}`);
  }
  assert.ok(at > 5, `only ${at} steps`);
});

test('a disk that lies about flushing is found out', async (t) => {
  const liars: Record<string, (files: FileSystem) => FileSystem> = {
    'file data': (files) => ({
      ...files,
      openToWrite: async (path) => ({ ...(await files.openToWrite(path)), datasync: async () => {} }),
    }),
    'directories': (files) => ({ ...files, syncDirectory: async () => {} }),
  };
  for (const [what, disk] of Object.entries(liars)) {
    const { wrong } = await loseAtEveryStep(t, 1, disk);
    assert.notDeepEqual(wrong, [], `${what} that were never flushed went unnoticed`);
  }
});
