import { digestOf, digestAlgorithm, type Digest } from '../core/digest.ts';
import { isFault, type Fault } from '../core/fault.ts';
import { MANIFEST_LIMITS, parseManifest, type Descriptor, type Manifest } from '../core/manifest.ts';
import { isNonDistributable } from '../core/media-type.ts';
import type { BlobContent, ManifestContent, PushContent } from '../client/push.ts';
import { ContentError } from '../client/push.ts';
import { CommandFailure } from './command.ts';
import { printable } from './format.ts';

/** Files by name, in a folder or in an archive: where an OCI layout lies. */
export interface FileTree {
  /** For messages: the folder, or the archive. */
  where: string;
  /** Bytes of the file; `undefined` when it is not there. */
  size(name: string): Promise<number | undefined>;
  open(name: string): AsyncIterable<Uint8Array>;
}

/** What a person chooses where a source has more than one image. */
export interface Choice {
  /** A name that the source gives the image. */
  image?: string;
  /** `linux/arm64`, out of an index. */
  platform?: string;
}

const DEEPEST = 4;
const CONFIG_LIMIT = 8 * 1024 * 1024;

/** A small file, whole; `undefined` when it is not there. Raises CommandFailure for one larger than `limit` bytes. */
export async function readSmall(tree: FileTree, name: string, limit: number): Promise<Buffer | undefined> {
  const size = await tree.size(name);
  if (size === undefined) return undefined;
  if (size > limit)
    throw new CommandFailure(`${name} in ${tree.where} has more than ${limit} bytes.`, { kind: 'source-invalid' });
  const chunks: Uint8Array[] = [];
  for await (const chunk of tree.open(name)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/**
 * Everything that a manifest in a layout needs, itself at the root. Each manifest is checked against its digest, each blob
 * when it is read. Raises CommandFailure for what is missing, ContentError for what is damaged.
 */
export async function collectContent(tree: FileTree, root: Descriptor & { bytes?: Uint8Array }): Promise<PushContent> {
  const children: ManifestContent[] = [];
  const blobs = new Map<Digest, BlobContent>();
  const seen = new Set<Digest>();

  async function visit(descriptor: Descriptor, bytes: Uint8Array | undefined, depth: number): Promise<ManifestContent> {
    if (depth > DEEPEST)
      throw new CommandFailure(`The index in ${tree.where} lies deeper than ${DEEPEST} levels.`, { kind: 'source-invalid' });
    const content = bytes ?? (await readManifest(tree, descriptor));
    const manifest = parse(tree, content, descriptor.mediaType);
    for (const child of manifest.children) {
      if (seen.has(child.digest)) continue;
      seen.add(child.digest);
      children.push(await visit(child, undefined, depth + 1));
      if (seen.size > MANIFEST_LIMITS.children)
        throw new CommandFailure(`The index in ${tree.where} names more than ${MANIFEST_LIMITS.children} images.`, {
          kind: 'source-invalid',
        });
    }
    for (const blob of [...(manifest.config === undefined ? [] : [manifest.config]), ...manifest.layers]) {
      if (blobs.has(blob.digest)) continue;
      const name = blobName(blob.digest);
      const size = await tree.size(name);
      if (size === undefined && (blob.hasUrls === true || isNonDistributable(blob.mediaType))) continue;
      if (size === undefined)
        throw new CommandFailure(`${tree.where} has no ${name}, which its image needs.`, { kind: 'source-incomplete' });
      if (size !== blob.size)
        throw new ContentError(`${name} in ${tree.where} has ${size} bytes, and its image says ${blob.size}`);
      blobs.set(blob.digest, { digest: blob.digest, bytes: size, open: () => tree.open(name) });
    }
    return { digest: digestOf(content, digestAlgorithm(descriptor.digest)), mediaType: manifest.mediaType, bytes: content };
  }

  return { root: await visit(root, root.bytes, 0), children, blobs: [...blobs.values()] };
}

/** The image of an index for one platform. Raises CommandFailure, with the platforms that are there. */
export async function choosePlatform(tree: FileTree, descriptor: Descriptor, platform: string): Promise<Descriptor> {
  const manifest = parse(tree, await readManifest(tree, descriptor), descriptor.mediaType);
  if (manifest.shape === 'image') return descriptor;
  const found = manifest.children.find(
    (child) => platformOf(child) === platform || platformOf(child)?.startsWith(`${platform}/`),
  );
  if (found !== undefined) return found;
  const known = manifest.children
    .map((child) => platformOf(child))
    .filter((each) => each !== undefined && each !== 'unknown/unknown');
  throw new CommandFailure(`${tree.where} has no image for ${printable(platform)}.`, {
    kind: 'source-invalid',
    advice: `It has: ${printable(known.join(', ')) || 'none that names a platform'}`,
  });
}

/** `linux/arm64/v8`. */
export function platformOf({ platform }: Descriptor): string | undefined {
  if (platform?.os === undefined || platform.architecture === undefined) return undefined;
  return [platform.os, platform.architecture, ...(platform.variant ? [platform.variant] : [])].join('/');
}

/** Where a layout keeps a blob (OCI image-spec, image-layout.md, "Blobs"). */
export function blobName(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** A config, or another small JSON blob, checked against its digest. */
export async function readChecked(tree: FileTree, name: string, digest: Digest): Promise<Buffer> {
  const bytes = await readSmall(tree, name, CONFIG_LIMIT);
  if (bytes === undefined)
    throw new CommandFailure(`${tree.where} has no ${name}, which its image needs.`, { kind: 'source-incomplete' });
  if (digestOf(bytes, digestAlgorithm(digest)) !== digest)
    throw new ContentError(`${name} in ${tree.where} is damaged: it is not what its name says`);
  return bytes;
}

async function readManifest(tree: FileTree, descriptor: Descriptor): Promise<Buffer> {
  const name = blobName(descriptor.digest);
  if ((await tree.size(name)) === undefined) {
    const platform = platformOf(descriptor);
    throw new CommandFailure(
      `${tree.where} has no ${name}${platform === undefined ? '' : ` (${platform})`}: it holds only a part of its index.`,
      {
        kind: 'source-incomplete',
        advice: 'Choose an image that it has with --platform, for example --platform linux/amd64.',
      },
    );
  }
  return readChecked(tree, name, descriptor.digest);
}

function parse(tree: FileTree, bytes: Uint8Array, mediaType: string): Manifest {
  try {
    return parseManifest(bytes, mediaType);
  } catch (error) {
    if (!isFault(error)) throw error;
    const reason = isFault(error, 'manifest-invalid') ? (error as Fault<'manifest-invalid'>).facts.reason : error.kind;
    throw new CommandFailure(`A manifest in ${tree.where} cannot be read: ${reason}.`, { kind: 'source-invalid', cause: error });
  }
}
