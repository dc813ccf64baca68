import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Digest } from '../../../core/digest.ts';
import { silentLogger } from '../../../core/logger.ts';
import { systemClock } from '../../system/clock.ts';
import { systemIds } from '../../system/ids.ts';
import { openImageStore, type CollectStored, type ImageStore } from './image-store.ts';
import { openLayerStore, type LayerStore } from './layer-store.ts';
import { createTestImages, file, pinned, reasonToSkip } from './testing.ts';

const skip = await reasonToSkip();
const purge: CollectStored = { isNeeded: () => false, held: () => [], keepFor: -1, mostBytes: 0, dryRun: false };

describe('collecting unpacked images', { skip, timeout: 60_000 }, () => {
  let folder: string;
  let layers: LayerStore;
  let store: ImageStore;
  const images = createTestImages();
  /** What the pull of a layer waits for, once it has said that it has begun. */
  const gates = new Map<string, { begun: () => void; open: Promise<void> }>();
  const source = {
    ...images.source,
    async *blob(...asked: Parameters<typeof images.source.blob>) {
      const gate = gates.get(asked[1]);
      gate?.begun();
      await gate?.open;
      yield* images.source.blob(...asked);
    },
  };

  const open = async (): Promise<void> => {
    layers = await openLayerStore({ folder, ids: systemIds, log: silentLogger, bootId: 'one' });
    store = await openImageStore({ folder, layers, source, architecture: os.arch(), clock: systemClock });
  };
  beforeEach(async () => {
    folder = await fs.mkdtemp(`${os.tmpdir()}/holdfast-collect-`);
    await open();
  });
  afterEach(async () => {
    await layers.close();
    // A layer that is being flushed has its record written once more, whoever has gone by then.
    await fs.rm(folder, { recursive: true, force: true, maxRetries: 20 });
  });

  /** Every layer on the disk, and so one that may be removed. */
  async function flushed(count: number): Promise<void> {
    while (layers.sizes().size < count) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const there = async (): Promise<[images: number, layers: number, rest: number]> => [
    (await fs.readdir(`${folder}/images`)).length,
    (await fs.readdir(`${folder}/layers`)).length,
    (await fs.readdir(`${folder}/incoming`)).length,
  ];
  const isWhole = async (digest: Digest): Promise<void> => {
    const image = await store.find(digest);
    assert.ok(image);
    for (const diffId of image.config.diffIds) await fs.access(`${layers.pathOf(diffId)}/.`);
  };

  it('removes what nobody needs and leaves what another image has; it can be pulled again', async () => {
    const base = [file('base', 'base')];
    const kept = await images.add([base, [file('kept', '12345')]]);
    const gone = await images.add([base, [file('gone', '1234567')]]);
    await store.pull(pinned(kept));
    await store.pull(pinned(gone));
    await flushed(3);
    const request = { ...purge, isNeeded: (digest: Digest) => digest === kept };
    assert.deepEqual(await store.collect({ ...request, dryRun: true }), { images: 1, layers: 1, bytes: 7 });
    assert.deepEqual(await there(), [2, 3, 0]);
    assert.deepEqual(await store.collect(request), { images: 1, layers: 1, bytes: 7 });
    assert.deepEqual(await there(), [1, 2, 0]);
    await isWhole(kept);
    assert.equal(await store.find(gone), undefined);
    await store.pull(pinned(gone));
    await isWhole(gone);
  });

  it('leaves what was used lately, as another life of the server has noted it', async () => {
    const image = await images.add([[file('a', 'a')]]);
    await store.pull(pinned(image));
    await flushed(1);
    const request = { ...purge, mostBytes: 1000, keepFor: 60_000 };
    const [name = ''] = await fs.readdir(`${folder}/images`);
    await fs.utimes(`${folder}/images/${name}`, 1, 1);
    assert.equal((await store.collect(request)).images, 0);
    await open();
    await flushed(1);
    assert.equal((await store.collect(request)).images, 0);
    await fs.utimes(`${folder}/images/${name}`, 1, 1);
    await open();
    await flushed(1);
    assert.equal((await store.collect(request)).images, 1);
  });

  it('leaves the layers of an image that is being pulled, and those that containers have', async () => {
    const base = [file('base', 'base')];
    const first = await images.add([base]);
    const { config } = await store.pull(pinned(first));
    await flushed(1);
    assert.equal((await store.collect({ ...purge, held: () => config.diffIds })).layers, 0);

    const second = await images.add([base, [file('late', 'late')]]);
    const manifest = JSON.parse(Buffer.from((await images.source.manifest(pinned(second), second)).bytes).toString()) as {
      layers: { digest: string }[];
    };
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    gates.set(manifest.layers[1]?.digest ?? '', { begun: begun.resolve, open: gate.promise });
    const pulled = store.pull(pinned(second));
    await begun.promise;
    assert.deepEqual(await store.collect(purge), { images: 0, layers: 0, bytes: 0 });
    gate.resolve();
    await pulled;
    await isWhole(second);
  });

  it('never takes from a pull what it has found, whichever comes first', async () => {
    const image = await images.add([[file('a', 'a')], [file('b', 'b')]]);
    const needed = new Set<Digest>();
    const isNeeded = (digest: Digest): boolean => needed.has(digest);
    for (let round = 0; round < 10; round++) {
      needed.clear();
      const removed = store.collect({ ...purge, isNeeded });
      for (let turn = 0; turn < round; turn++) await new Promise((resolve) => setImmediate(resolve));
      needed.add(image);
      await store.pull(pinned(image));
      await removed;
      await isWhole(image);
      await flushed(2);
    }
  });

  it('makes up for a crash in the midst of it', async () => {
    const one = await images.add([[file('one', 'one')]]);
    const two = await images.add([[file('two', 'two')]]);
    await store.pull(pinned(one));
    const { config } = await store.pull(pinned(two));
    await flushed(2);
    // The image of one was removed and its layer not yet; the layer of two was put aside and not yet removed.
    await fs.rm(`${folder}/images/${one.replace(':', '-')}.json`);
    await fs.rename(`${folder}/layers/${String(config.diffIds[0]).replace(':', '-')}`, `${folder}/incoming/left`);
    await layers.close();
    await open();
    await flushed(1);
    assert.equal(await store.find(two), undefined);
    await store.pull(pinned(two));
    await flushed(2);
    assert.equal((await store.collect({ ...purge, isNeeded: (digest) => digest === two })).layers, 1);
    assert.deepEqual(await there(), [1, 1, 0]);
    await isWhole(two);
  });
});
