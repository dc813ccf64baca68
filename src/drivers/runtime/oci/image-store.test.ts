import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import { after, before, describe, it } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { digestOf, type Digest } from '../../../core/digest.ts';
import { silentLogger } from '../../../core/logger.ts';
import { MediaType } from '../../../core/media-type.ts';
import { systemClock } from '../../system/clock.ts';
import { systemIds } from '../../system/ids.ts';
import { openImageStore, type ImageStore } from './image-store.ts';
import { openLayerStore, type LayerStore } from './layer-store.ts';
import { createLayerView } from './layer-view.ts';
import { capable, createTestImages, file, folder as dir, link, pinned, reasonToSkip, tarOf } from './testing.ts';

const skip = await reasonToSkip();

describe('pulling images', { skip, timeout: 60_000 }, () => {
  const images = createTestImages();
  let folder: string;
  let layers: LayerStore;
  let store: ImageStore;
  before(async () => {
    folder = await fs.mkdtemp(`${os.tmpdir()}/holdfast-images-`);
    layers = await openLayerStore({ folder, ids: systemIds, log: silentLogger, bootId: 'one' });
    store = await openImageStore({ folder, layers, source: images.source, architecture: 'x64', clock: systemClock });
  });
  after(async () => {
    await layers.close();
    await fs.rm(folder, { recursive: true, force: true, maxRetries: 20 });
  });

  interface Made {
    archive: Buffer;
    bytes?: Buffer;
    size?: number;
    diffId?: Digest;
    digest?: Digest;
    architecture?: string;
    diffIds?: Digest[];
  }
  /** An image of one layer, with any of its promises broken. */
  function make({
    archive,
    bytes = gzipSync(archive),
    size = bytes.length,
    diffId = digestOf(archive),
    digest,
    architecture = 'amd64',
    diffIds = [diffId],
  }: Made): Digest {
    const config = Buffer.from(JSON.stringify({ os: 'linux', architecture, rootfs: { type: 'layers', diff_ids: diffIds } }));
    const layer = images.addBlob(bytes);
    return images.addBlob(
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: MediaType.ociManifest,
          config: { mediaType: MediaType.ociConfig, digest: images.addBlob(config), size: config.length },
          layers: [{ mediaType: MediaType.ociLayerGzip, digest: digest ?? layer, size }],
        }),
      ),
    );
  }
  let number = 0;
  const archive = (): Promise<Buffer> => tarOf([file('unique', String(number++))]);

  it('takes layers by gzip, zstd and as they are', async () => {
    for (const pack of [gzipSync, zstdCompressSync, (bytes: Buffer) => bytes]) {
      const plain = await archive();
      const image = await store.pull(pinned(make({ archive: plain, bytes: pack(plain) })));
      const path = layers.pathOf(image.config.diffIds[0] as Digest);
      assert.equal(await fs.readFile(`${path}/unique`, 'utf8'), String(number - 1));
    }
  });

  it('asks for nothing that it has, whoever asks and however often', async () => {
    const digest = make({ archive: await archive() });
    images.asked.length = 0;
    await Promise.all([store.pull(pinned(digest)), store.pull(pinned(digest))]);
    assert.equal(images.asked.length, 3);
    await store.pull(pinned(digest));
    assert.equal(images.asked.length, 3);
  });

  it("chooses the machine's own from an index", async () => {
    const child = make({ archive: await archive() });
    const entry = (digest: Digest, architecture: string): object => ({
      mediaType: MediaType.ociManifest,
      digest,
      size: 1,
      platform: { os: 'linux', architecture },
    });
    const index = (...manifests: object[]): Digest =>
      images.addBlob(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests })));
    const both = index(entry(digestOf('other'), 'arm64'), entry(child, 'amd64'));
    const image = await store.pull(pinned(both));
    assert.deepEqual([image.digest, image.manifest], [both, child]);
    await assert.rejects(
      store.pull(pinned(index(entry(child, 's390x')))),
      /does not contain descriptor matching platform 'linux\/amd64'/,
    );
  });

  it('shows no layer that is not what it says', async () => {
    const other = digestOf('other');
    for (const [broken, words] of [
      [{ archive: await archive(), diffId: other }, /config says/],
      [{ archive: await archive(), size: 5 }, /more bytes came/],
      [{ archive: await archive(), size: 5000 }, /only \d+ of 5000/],
      [{ archive: await archive(), size: 20 * 1024 ** 3 }, /is the most/],
      [{ archive: await archive(), digest: other }, /not found/],
      [{ archive: await archive(), bytes: gzipSync(Buffer.from('no archive')) }, /failed to unpack/],
      [{ archive: await archive(), diffIds: [] }, /1 layers/],
      [{ archive: await archive(), architecture: 'arm64' }, /platform/],
    ] as [Made, RegExp][]) {
      const digest = make(broken);
      await assert.rejects(store.pull(pinned(digest)), (error: Error) => {
        assert.match(error.message, words);
        assert.equal((error as { code?: string }).code, 'CannotPullContainerError');
        return true;
      });
      assert.equal(await store.find(digest), undefined);
    }
    assert.equal(await layers.find(other), undefined);
    assert.deepEqual(await fs.readdir(`${folder}/incoming`), []);
  });

  it('shows no layer whose capabilities it cannot write, and says what to install', async (t) => {
    const digest = make({ archive: await tarOf([file('bin/serve', 'x', capable(10))]) });
    const path = process.env['PATH'];
    t.after(() => (process.env['PATH'] = path));
    process.env['PATH'] = '/nowhere';
    await assert.rejects(
      store.pull(pinned(digest)),
      /capabilities of the file "bin\/serve" cannot be kept: only setfattr .*apt-get install attr/,
    );
    assert.equal(await store.find(digest), undefined);
    process.env['PATH'] = path;
    const image = await store.pull(pinned(digest));
    assert.equal(await fs.readFile(`${layers.pathOf(image.config.diffIds[0] as Digest)}/bin/serve`, 'utf8'), 'x');
  });

  it('trusts what was not flushed only until the machine starts again', async () => {
    const image = await store.pull(pinned(make({ archive: await archive() })));
    const diffId = image.config.diffIds[0] as Digest;
    const record = `${layers.pathOf(diffId)}/../layer.json`;
    while (!(await fs.readFile(record, 'utf8')).includes('"isFlushed":true'))
      await new Promise((resolve) => setTimeout(resolve, 5));
    const opened = async (bootId: string): Promise<boolean> => {
      const again = await openLayerStore({ folder, ids: systemIds, log: silentLogger, bootId });
      await again.close();
      return (await again.find(diffId)) !== undefined;
    };
    assert.equal(await opened('two'), true);
    const text = (await fs.readFile(record, 'utf8')).replace('"isFlushed":true', '"isFlushed":false');
    await fs.writeFile(record, text);
    assert.equal(await opened('two'), false);
  });

  it("sees a container's files through its layers, and never this machine's", async () => {
    const roots: string[] = [];
    for (const entries of [
      [dir('etc'), link('etc/passwd', '/usr/accounts'), link('var', '/etc')],
      [
        dir('etc'),
        file('etc/passwd', 'lower'),
        file('etc/group', 'hidden'),
        dir('usr'),
        file('usr/accounts', 'ours'),
        link('out', '../../../../etc/hostname'),
      ],
      [link('usr', '/'), dir('var'), file('var/x', 'x')],
    ]) {
      const plain = await tarOf(entries);
      const image = await store.pull(pinned(make({ archive: plain })));
      roots.push(layers.pathOf(image.config.diffIds[0] as Digest));
    }
    const view = createLayerView(roots.map((path) => ({ path, opaque: new Set<string>() })));
    const read = async (path: string): Promise<string | undefined> => (await view.read(path, 100))?.toString();
    assert.equal(await read('/etc/passwd'), 'ours');
    assert.equal(await read('/out'), undefined);
    assert.equal(await view.kindOf('/var'), 'link');
    assert.equal((await view.find('/var')).kind, 'folder');
    assert.equal(await read('/usr/../../../etc/group'), 'hidden');
    const closed = createLayerView(roots.map((path, index) => ({ path, opaque: new Set(index === 0 ? ['/etc'] : []) })));
    assert.equal((await closed.find('/etc/group')).kind, 'missing');
    assert.equal((await view.read('/usr/accounts', 2))?.toString(), 'ou');
  });
});
