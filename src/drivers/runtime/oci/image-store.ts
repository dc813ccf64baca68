import { rmSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { Clock } from '../../../core/clock.ts';
import { ContainerError } from '../../../core/container-error.ts';
import { digestAlgorithm, digestHex, digestOf, isDigest, type Digest } from '../../../core/digest.ts';
import { isFault } from '../../../core/fault.ts';
import { parseManifest, type Descriptor, type Manifest } from '../../../core/manifest.ts';
import type { PinnedImage } from '../../../orchestrator/container-engine.ts';
import type { CollectedImages } from '../../../orchestrator/ports.ts';
import { chooseUnused, type UnusedRequest } from './choose-unused.ts';
import { errorCode } from './error-code.ts';
import { CONFIG_BYTES, parseImageConfig, type ImageConfig } from './image-config.ts';
import type { ImageSource } from './image-source.ts';
import type { LayerStore } from './layer-store.ts';
import { names } from './records.ts';

/** An image that containers can be made from at once. */
export interface StoredImage {
  /** Of the manifest or index that was asked for. */
  digest: Digest;
  /** Of the manifest for this machine. */
  manifest: Digest;
  config: ImageConfig;
}

export interface ImageStore {
  /** `undefined` when it, or one of its layers, is not there. */
  find(digest: Digest): Promise<StoredImage | undefined>;
  /** Raises `CannotPullContainerError`. */
  pull(image: PinnedImage): Promise<StoredImage>;
  /**
   * Removes images that nobody needs, and then the layers that no image has. `held` says which layers containers have. It is
   * chosen and done in one go: what is pulled or made from then on finds nothing half there.
   */
  collect(request: CollectStored): Promise<CollectedImages>;
}

export interface CollectStored extends Pick<UnusedRequest, 'isNeeded' | 'keepFor' | 'mostBytes'> {
  held: () => Iterable<Digest>;
  dryRun: boolean;
}

const LAYERS_AT_ONCE = 3;
const DEEPEST_INDEX = 4;
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  ppc64: 'ppc64le',
  s390x: 's390x',
};

export interface ImageStoreOptions {
  folder: string;
  layers: LayerStore;
  source: ImageSource;
  /** Node's name for the machine's architecture. */
  architecture: string;
  clock: Pick<Clock, 'now'>;
}

export async function openImageStore({ folder, layers, source, architecture, clock }: ImageStoreOptions): Promise<ImageStore> {
  const images = `${folder}/images`;
  const wanted = ARCHITECTURES[architecture] ?? architecture;
  await fs.mkdir(images, { recursive: true, mode: 0o700 });
  const known = new Map<Digest, StoredImage>();
  const pulling = new Map<Digest, Promise<StoredImage>>();
  /** Layers of images that are being pulled. */
  const claims = new Set<Digest[]>();
  /** When an image was asked for since the last collection; before that, the time of its file says it. */
  const used = new Map<Digest, number>();

  const pathOf = (digest: Digest): string => `${images}/${digestAlgorithm(digest)}-${digestHex(digest)}.json`;

  async function find(digest: Digest): Promise<StoredImage | undefined> {
    const image = known.get(digest) ?? (await readImage(pathOf(digest)));
    if (image === undefined) return undefined;
    for (const diffId of image.config.diffIds) if ((await layers.find(diffId)) === undefined) return undefined;
    known.set(digest, image);
    used.set(digest, clock.now());
    return image;
  }

  async function pull(image: PinnedImage): Promise<StoredImage> {
    const manifest = await readManifest(image, image.digest, 0);
    if (manifest.config === undefined) fail(image, 'it has no config');
    const config = parseImageConfig(await readConfig(image, manifest.config));
    if (config.diffIds.length !== manifest.layers.length)
      fail(image, `it has ${manifest.layers.length} layers, and its config speaks of ${config.diffIds.length}`);
    if (config.architecture !== '' && config.architecture !== wanted) noPlatform();
    claims.add(config.diffIds);
    try {
      return await unpack(image, manifest, config);
    } finally {
      claims.delete(config.diffIds);
    }
  }

  async function unpack(image: PinnedImage, manifest: Manifest, config: ImageConfig): Promise<StoredImage> {
    const missing = [...manifest.layers.entries()];
    const work = async (): Promise<void> => {
      for (let next = missing.shift(); next !== undefined; next = missing.shift()) {
        const [index, layer] = next;
        const diffId = config.diffIds[index] as Digest;
        if ((await layers.find(diffId)) !== undefined) continue;
        const bytes = source.blob(image, layer.digest, layer.size);
        await layers.add(diffId, { digest: layer.digest, size: layer.size, bytes });
      }
    };
    await Promise.all(Array.from({ length: LAYERS_AT_ONCE }, work));
    const stored: StoredImage = { digest: image.digest, manifest: manifest.digest, config };
    await fs.writeFile(`${pathOf(image.digest)}.new`, JSON.stringify(stored), { mode: 0o600, flush: true });
    await fs.rename(`${pathOf(image.digest)}.new`, pathOf(image.digest));
    known.set(image.digest, stored);
    used.set(image.digest, clock.now());
    return stored;
  }

  async function readManifest(image: PinnedImage, digest: Digest, depth: number): Promise<Manifest> {
    const { bytes, mediaType } = await source.manifest(image, digest);
    if (digestOf(bytes, digestAlgorithm(digest)) !== digest) fail(image, `what came for ${digest} has another digest`);
    let manifest: Manifest;
    try {
      manifest = parseManifest(bytes, mediaType, digestAlgorithm(digest));
    } catch (error) {
      if (isFault(error)) fail(image, `the manifest ${digest} cannot be used: ${JSON.stringify(error.facts)}`);
      throw error;
    }
    if (manifest.shape === 'image') return manifest;
    const child = manifest.children.find(
      ({ platform }) => platform?.os === 'linux' && platform.architecture === wanted && platform.variant !== 'v6',
    );
    if (child === undefined) noPlatform();
    if (depth >= DEEPEST_INDEX) fail(image, 'its indexes lie too deep within each other');
    return readManifest(image, child.digest, depth + 1);
  }

  async function readConfig(image: PinnedImage, { digest, size }: Descriptor): Promise<Uint8Array> {
    if (size > CONFIG_BYTES) fail(image, `its config has ${size} bytes; ${CONFIG_BYTES} is the most`);
    const chunks: Uint8Array[] = [];
    let received = 0;
    for await (const chunk of source.blob(image, digest, size)) {
      received += chunk.length;
      if (received > size) fail(image, `its config has more than the ${size} bytes of its descriptor`);
      chunks.push(chunk);
    }
    const bytes = Buffer.concat(chunks);
    if (bytes.length !== size || digestOf(bytes, digestAlgorithm(digest)) !== digest)
      fail(image, `what came for its config is not ${digest}`);
    return bytes;
  }

  function noPlatform(): never {
    throw new ContainerError(
      'CannotPullContainerError',
      `image Manifest does not contain descriptor matching platform 'linux/${wanted}'`,
    );
  }

  async function collect({ held, dryRun, isNeeded, keepFor, mostBytes }: CollectStored): Promise<CollectedImages> {
    const usedAt = new Map<Digest, number>();
    for (const name of await names(images)) {
      const digest = name.replace(/\.json$/, '').replace('-', ':');
      if (!isDigest(digest) || !name.endsWith('.json')) continue;
      const image = known.get(digest) ?? (await readImage(pathOf(digest)));
      if (image !== undefined) known.set(digest, image);
      usedAt.set(digest, (await fs.stat(pathOf(digest))).mtimeMs);
    }
    const chosen = chooseUnused({
      images: [...known.values()].map(({ digest, config }) => ({
        digest,
        diffIds: config.diffIds,
        usedAt: Math.max(used.get(digest) ?? 0, usedAt.get(digest) ?? 0),
      })),
      layers: layers.sizes(),
      heldLayers: new Set([...held(), ...[...claims].flat()]),
      now: clock.now(),
      isNeeded,
      keepFor,
      mostBytes,
    });
    const counts = { images: chosen.images.length, layers: chosen.layers.length, bytes: chosen.bytes };
    if (dryRun) return counts;
    for (const digest of chosen.images) {
      rmSync(pathOf(digest), { force: true });
      known.delete(digest);
      used.delete(digest);
    }
    // Nothing was waited for since the choice was made.
    const removed = layers.remove(chosen.layers);
    for (const digest of known.keys()) if (isNeeded(digest)) used.set(digest, clock.now());
    for (const [digest, at] of used) {
      used.delete(digest);
      await fs.utimes(pathOf(digest), at / 1000, at / 1000).catch(unlessGone);
    }
    await removed;
    return counts;
  }

  return {
    find,
    collect,
    async pull(image) {
      const there = await find(image.digest);
      if (there !== undefined) return there;
      let waiting = pulling.get(image.digest);
      if (waiting === undefined) {
        waiting = pull(image).finally(() => pulling.delete(image.digest));
        pulling.set(image.digest, waiting);
      }
      return waiting;
    },
  };
}

function fail(image: PinnedImage, reason: string): never {
  throw new ContainerError('CannotPullContainerError', `${image.reference}: ${reason}`);
}

/** Another collection may have removed it meanwhile. */
function unlessGone(error: unknown): void {
  if (errorCode(error) !== 'ENOENT') throw error;
}

/** Our own writing; what cannot be read is as good as not there, and is pulled again. */
async function readImage(path: string): Promise<StoredImage | undefined> {
  try {
    return JSON.parse(await fs.readFile(path, 'utf8')) as StoredImage;
  } catch {
    return undefined;
  }
}
