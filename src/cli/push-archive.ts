import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { BlobContent, PushContent } from '../client/push.ts';
import { ContentError } from '../client/push.ts';
import { digestOf, isDigest, type Digest } from '../core/digest.ts';
import { isJsonObject, JsonError, parseJson, type Json, type JsonObject } from '../core/json.ts';
import { MediaType } from '../core/media-type.ts';
import { splitEntryName, TAR_LIMITS, TarError } from '../core/tar-entry.ts';
import { readTar } from '../core/tar-reader.ts';
import { CommandFailure, UsageError } from './command.ts';
import { printable } from './format.ts';
import { readChecked, readSmall, type Choice, type FileTree } from './push-source.ts';
import { hashing, packLayer, READ_BYTES, type Scratch } from './push-temporary.ts';

const LARGEST_RATIO = 200;
const RATIO_COUNTS_FROM = 64 * 1024 * 1024;
const MOST_LINKS = 8;
const JSON_LIMIT = 8 * 1024 * 1024;

type Place = { offset: number; size: number } | { link: string };

/** Opens an archive, compressed or not, as the files that it holds. Raises CommandFailure for what is no archive. */
export async function openArchive(path: string, scratch: Scratch): Promise<FileTree> {
  const plain = await unpacked(path, scratch);
  const places = new Map<string, Place>();
  try {
    for await (const entry of readTar(createReadStream(plain, { highWaterMark: READ_BYTES }))) {
      const name = splitEntryName(entry.name).join('/');
      if (entry.type === 'file') places.set(name, { offset: entry.offset, size: entry.size });
      else if (entry.type === 'symbolic-link')
        places.set(name, { link: posix.join(posix.dirname(name), entry.linkName.toString()) });
      else if (entry.type === 'hard-link') places.set(name, { link: splitEntryName(entry.linkName).join('/') });
    }
  } catch (error) {
    if (!(error instanceof TarError)) throw error;
    throw new CommandFailure(`${path} is no archive that can be read: ${error.message}.`, {
      kind: 'source-invalid',
      cause: error,
    });
  }
  const find = (name: string): { offset: number; size: number } | undefined => {
    let place = places.get(posix.normalize(name));
    // Older archives keep a layer that two images share once, and link to it.
    for (let hops = 0; place !== undefined && 'link' in place && hops < MOST_LINKS; hops++) place = places.get(place.link);
    return place !== undefined && 'offset' in place ? place : undefined;
  };
  return {
    where: path,
    size: (name) => Promise.resolve(find(name)?.size),
    open(name) {
      const place = find(name);
      if (place === undefined) throw new Error(`${name} was asked for and is not in ${path}`);
      return place.size === 0
        ? emptyStream()
        : createReadStream(plain, { start: place.offset, end: place.offset + place.size - 1, highWaterMark: READ_BYTES });
    },
  };
}

/** The path of the archive without its compression. */
async function unpacked(path: string, scratch: Scratch): Promise<string> {
  const start = await firstBytes(path);
  const unpack = isGzip(start) ? createGunzip() : start.readUInt32LE(0) === 0xfd2fb528 ? createZstdDecompress() : undefined;
  if (unpack === undefined) return path;
  const packed = (await stat(path)).size;
  const plain = scratch.path('archive.tar');
  let bytes = 0;
  try {
    await pipeline(
      createReadStream(path),
      unpack,
      async function* bounded(chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          bytes += chunk.length;
          const isBomb = bytes > RATIO_COUNTS_FROM && bytes > packed * LARGEST_RATIO;
          if (isBomb || bytes > TAR_LIMITS.bytes)
            throw new CommandFailure(
              `${path} unpacks to more than ${isBomb ? `${LARGEST_RATIO} times its size` : `${TAR_LIMITS.bytes} bytes`}.`,
              { kind: 'source-invalid' },
            );
          yield chunk;
        }
      },
      createWriteStream(plain),
    );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code?.startsWith('Z_') !== true && code?.startsWith('ZSTD') !== true) throw error;
    throw new CommandFailure(`${path} cannot be unpacked: it is damaged or cut short.`, { kind: 'source-invalid', cause: error });
  }
  return plain;
}

/**
 * One image of a `docker save` archive as docker itself pushes it: its config as it is, its layers packed. Layers are
 * checked against the config's diff IDs. Raises CommandFailure, UsageError, ContentError.
 */
export async function readDockerArchive(
  tree: FileTree,
  choice: Choice,
  scratch: Scratch,
  onBytes: (count: number) => void,
): Promise<PushContent> {
  const image = chooseImage(tree, await readJson(tree, 'manifest.json'), choice);
  const configName = textMember(tree, image, 'Config');
  const layerNames = Array.isArray(image['Layers']) ? image['Layers'].map(String) : [];
  const hex = /([0-9a-f]{64})(?:\.json)?$/.exec(configName)?.[1];
  const config =
    hex === undefined
      ? await readSmall(tree, configName, JSON_LIMIT)
      : await readChecked(tree, configName, `sha256:${hex}` as Digest);
  if (config === undefined)
    throw new CommandFailure(`${tree.where} has no ${printable(configName)}, which its image needs.`, {
      kind: 'source-incomplete',
    });
  const diffIds = readDiffIds(tree, config);
  if (diffIds.length !== layerNames.length)
    throw new CommandFailure(`${tree.where} has ${layerNames.length} layers, and its image says ${diffIds.length}.`, {
      kind: 'source-invalid',
    });

  const layers: BlobContent[] = [];
  for (const [index, name] of layerNames.entries())
    layers.push(await openLayer(tree, name, diffIds[index] ?? '', scratch.path(`layer-${index}`), onBytes));
  const configBlob: BlobContent = { digest: digestOf(config), bytes: config.length, open: () => chunksOf(config) };
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MediaType.dockerManifest,
      config: { mediaType: MediaType.dockerConfig, size: config.length, digest: configBlob.digest },
      layers: layers.map((layer) => ({ mediaType: MediaType.dockerLayerGzip, size: layer.bytes, digest: layer.digest })),
    }),
  );
  const blobs = new Map([configBlob, ...layers].map((blob) => [blob.digest, blob]));
  return {
    root: { digest: digestOf(bytes), mediaType: MediaType.dockerManifest, bytes },
    children: [],
    blobs: [...blobs.values()],
  };
}

async function openLayer(
  tree: FileTree,
  name: string,
  diffId: string,
  path: string,
  onBytes: (count: number) => void,
): Promise<BlobContent> {
  const size = await tree.size(name);
  if (size === undefined)
    throw new CommandFailure(`${tree.where} has no ${printable(name)}, which its image needs.`, { kind: 'source-incomplete' });
  const wrong = (): ContentError =>
    new ContentError(`the layer ${printable(name)} in ${tree.where} is damaged: it is not the ${diffId} that its image names`);
  if (!isGzip(await firstOf(tree.open(name)))) {
    const packed = await packLayer(tree.open(name), path, onBytes);
    if (packed.diffId !== diffId) throw wrong();
    return packed;
  }
  const [inner, outer] = [createHash('sha256'), createHash('sha256')];
  await pipeline(hashing(tree.open(name), outer, onBytes), createGunzip(), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) inner.update(chunk);
  });
  if (`sha256:${inner.digest('hex')}` !== diffId) throw wrong();
  return { digest: `sha256:${outer.digest('hex')}` as Digest, bytes: size, open: () => tree.open(name) };
}

function chooseImage(tree: FileTree, value: Json, { image, platform }: Choice): JsonObject {
  if (platform !== undefined) throw new UsageError(`${tree.where} has images of one platform only; leave --platform out.`);
  const images = Array.isArray(value) ? value.filter(isJsonObject) : [];
  const tagsOf = (each: JsonObject): string[] => (Array.isArray(each['RepoTags']) ? each['RepoTags'].map(String) : []);
  const found = image === undefined ? images : images.filter((each) => tagsOf(each).includes(image));
  const known = printable(images.flatMap(tagsOf).join(', '));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (images.length === 0) throw new CommandFailure(`${tree.where} has no images.`, { kind: 'source-invalid' });
  if (image !== undefined)
    throw new CommandFailure(`${tree.where} has no image ${printable(image)}.`, {
      kind: 'source-invalid',
      advice: `It has: ${known || 'none with a name'}`,
    });
  throw new UsageError(`${tree.where} has ${images.length} images. Choose one with --image: ${known}`);
}

function readDiffIds(tree: FileTree, config: Buffer): string[] {
  const value = parse(tree, config, "the image's config");
  const rootfs = isJsonObject(value) ? value['rootfs'] : undefined;
  const ids = isJsonObject(rootfs) ? rootfs['diff_ids'] : undefined;
  if (!Array.isArray(ids) || !ids.every((id) => typeof id === 'string' && isDigest(id)))
    throw new CommandFailure(`The config of the image in ${tree.where} names no layers.`, { kind: 'source-invalid' });
  return ids.map(String);
}

async function readJson(tree: FileTree, name: string): Promise<Json> {
  const bytes = await readSmall(tree, name, JSON_LIMIT);
  if (bytes === undefined)
    throw new CommandFailure(`${tree.where} is no image: it has neither index.json nor manifest.json.`, {
      kind: 'source-invalid',
      advice: 'Make one with docker save, podman save or skopeo copy.',
    });
  return parse(tree, bytes, name);
}

function parse(tree: FileTree, bytes: Buffer, what: string): Json {
  try {
    return parseJson(bytes);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new CommandFailure(`${what} in ${tree.where} cannot be read: ${error.message}.`, {
      kind: 'source-invalid',
      cause: error,
    });
  }
}

function textMember(tree: FileTree, value: JsonObject, name: string): string {
  const text = value[name];
  if (typeof text !== 'string')
    throw new CommandFailure(`manifest.json in ${tree.where} has no ${name}.`, { kind: 'source-invalid' });
  return text;
}

function isGzip(start: Buffer): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const start = Buffer.alloc(4);
    await file.read(start, 0, 4, 0);
    return start;
  } finally {
    await file.close();
  }
}

async function firstOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  for await (const chunk of chunks) return Buffer.from(chunk.subarray(0, 4));
  return Buffer.alloc(0);
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* emptyStream(): AsyncGenerator<Uint8Array> {
  // Nothing: a file of no bytes has no range to read.
}
