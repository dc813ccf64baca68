import { digestOf } from '../core/digest.ts';
import { isFault } from '../core/fault.ts';
import { parseManifest, type Descriptor } from '../core/manifest.ts';
import { MediaType } from '../core/media-type.ts';
import { CommandFailure, UsageError } from './command.ts';
import { printable } from './format.ts';
import { choosePlatform, collectContent, platformOf, readSmall, type Choice, type FileTree } from './push-source.ts';
import type { PushContent } from '../client/push.ts';

const INDEX_LIMIT = 4 * 1024 * 1024;

/** Names that tools give the images of a layout (image-spec, annotations.md; containerd's own). */
const NAMES = ['org.opencontainers.image.ref.name', 'io.containerd.image.name'] as const;

/** True for the folder or archive of an OCI layout. */
export async function isLayout(tree: FileTree): Promise<boolean> {
  return (await tree.size('index.json')) !== undefined && (await tree.size('oci-layout')) !== undefined;
}

/**
 * The image of an OCI layout, or the whole index where it has one. Several images without a choice are refused, unless
 * they are one for each platform: then index.json is itself the index. Raises CommandFailure, UsageError.
 */
export async function readLayout(tree: FileTree, choice: Choice): Promise<PushContent> {
  const bytes = await readSmall(tree, 'index.json', INDEX_LIMIT);
  if (bytes === undefined) throw new CommandFailure(`${tree.where} has no index.json.`, { kind: 'source-invalid' });
  const entries = readEntries(tree, bytes);
  const chosen = chooseEntry(tree, entries, choice);
  if (chosen === undefined)
    return collectContent(tree, { mediaType: MediaType.ociIndex, digest: digestOf(bytes), size: bytes.length, bytes });
  return collectContent(tree, choice.platform === undefined ? chosen : await choosePlatform(tree, chosen, choice.platform));
}

function readEntries(tree: FileTree, bytes: Uint8Array): Descriptor[] {
  try {
    // An index.json need not name its own type.
    return parseManifest(bytes, MediaType.ociIndex).children;
  } catch (error) {
    if (!isFault(error)) throw error;
    throw new CommandFailure(`index.json in ${tree.where} cannot be read.`, { kind: 'source-invalid', cause: error });
  }
}

/** `undefined` for all of them together. */
function chooseEntry(tree: FileTree, entries: Descriptor[], { image, platform }: Choice): Descriptor | undefined {
  const named =
    image === undefined
      ? entries
      : entries.filter((entry) => namesOf(entry).some((name) => name === image || name.endsWith(`/${image}`)));
  const known = [...new Set(entries.flatMap(namesOf))];
  if (named.length === 0) {
    if (image === undefined) throw new CommandFailure(`${tree.where} has no images.`, { kind: 'source-invalid' });
    throw new CommandFailure(`${tree.where} has no image ${printable(image)}.`, {
      kind: 'source-invalid',
      advice: `It has: ${printable(known.join(', ')) || 'none with a name'}`,
    });
  }
  const [only] = named;
  if (named.length === 1 || new Set(named.map((entry) => entry.digest)).size === 1) return only;
  const platforms = named.map(platformOf);
  if (platform !== undefined) {
    const found = named.find((entry) => platformOf(entry) === platform);
    if (found !== undefined) return found;
  } else if (
    image === undefined &&
    known.length <= 1 &&
    platforms.every((each) => each !== undefined) &&
    new Set(platforms).size === platforms.length
  ) {
    return undefined;
  }
  throw new UsageError(`${tree.where} has ${named.length} images. Choose one with --image: ${printable(known.join(', '))}`);
}

function namesOf({ annotations }: Descriptor): string[] {
  return NAMES.flatMap((name) => annotations?.[name] ?? []);
}
