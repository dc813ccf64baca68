import type { Digest } from '../core/digest.ts';
import { isFault } from '../core/fault.ts';
import { parseManifest, type Descriptor } from '../core/manifest.ts';
import type { Reference } from '../core/reference.ts';
import type { Failure, Outcome } from '../client/outcome.ts';
import type { RegistryClient } from '../client/registry-client.ts';
import type { FoundReference } from './find/types.ts';
import type { Lock } from './lock.ts';
import { editable, followed, keyOf } from './reference-key.ts';
import { isAdmitted, type RegistryFilter } from './registries.ts';
import { forEachReference, inParallel, type Resolutions, type ResolveOptions } from './resolve.ts';

/**
 * `unpinned`: no digest. `stale`: the tag points elsewhere now. `vanished`: the digest, or an image of its index, is gone.
 * `unlocked`: the lock file says another digest. `unknown`: the registry did not tell.
 */
export type CheckRule = 'unpinned' | 'stale' | 'vanished' | 'unlocked' | 'unknown';

export interface CheckFinding {
  rule: CheckRule;
  path: string;
  found: FoundReference;
  /** A sentence without the place. */
  message: string;
}

/** What the registries say of pinned digests, by `keyOf` the reference with its digest and no tag. */
export type Presence = ReadonlyMap<string, Outcome<'present' | { gone: string }>>;

/** What the registries say. */
export interface Online {
  /** What the tags of pinned references point at now. */
  tags: Resolutions;
  presence: Presence;
  /** The images in the indexes that tags point at now: a pin of one of them is as fresh as one of the index. */
  members: ReadonlyMap<Digest, ReadonlySet<Digest>>;
}

/** What is wrong with one place. Without `online` only what the file and the lock say counts. */
export function checkReference(
  path: string,
  found: FoundReference,
  known: { filter: RegistryFilter; lock?: Lock; online?: Online },
): CheckFinding[] {
  const reference = editable(found);
  if (reference === undefined || !isAdmitted(reference, known.filter)) return [];
  const finding = (rule: CheckRule, message: string): CheckFinding => ({ rule, path, found, message });
  if (reference.digest === undefined) return [finding('unpinned', `${found.reference} is not pinned to a digest`)];
  const findings: CheckFinding[] = [];
  const follows = followed(reference);
  const locked = follows && known.lock?.get(keyOf(follows));
  if (locked !== undefined && locked.digest !== reference.digest)
    findings.push(finding('unlocked', `${found.reference} is locked to ${locked.digest}`));
  if (known.online === undefined) return findings;

  const presence = known.online.presence.get(keyOf(pinnedOf(reference)));
  if (presence?.ok === false) findings.push(finding('unknown', unknown(found, presence.failure)));
  else if (presence !== undefined && presence.value !== 'present')
    findings.push(finding('vanished', `${found.reference}: ${presence.value.gone}`));
  const now = follows && known.online.tags.get(keyOf(follows));
  if (
    now?.ok === true &&
    now.value.digest !== reference.digest &&
    !known.online.members.get(now.value.digest)?.has(reference.digest)
  ) {
    findings.push(finding('stale', `${found.reference} is stale: ${keyOf(follows!)} is now ${now.value.digest}`));
  } else if (now?.ok === false) {
    if (now.failure.kind === 'not-found') findings.push(finding('stale', `${found.reference} is stale: the tag is gone`));
    // One registry that did not answer is one finding, not two.
    else if (presence?.ok !== false) findings.push(finding('unknown', unknown(found, now.failure)));
  }
  return findings;
}

function unknown(found: FoundReference, failure: Failure): string {
  return `${found.reference} could not be checked: ${failure.host}: ${failure.reason}`;
}

/** Name and digest, without the tag: what must exist for the pin to work. */
export function pinnedOf({ host, path, digest }: Reference): Reference {
  return { host, path, ...(digest ? { digest } : {}) };
}

/** Asks whether each pinned digest is still there whole: the manifest with its true bytes, and for an index every image in it. */
export async function findPresence(
  client: RegistryClient,
  pinned: Iterable<Reference>,
  options: ResolveOptions = {},
): Promise<Presence> {
  const presence = new Map<string, Outcome<'present' | { gone: string }>>();
  await forEachReference(
    pinned,
    options,
    async (reference) => {
      const outcome = await lookAt(client, reference, 0);
      presence.set(keyOf(reference), outcome);
      return outcome;
    },
    (reference, failure) => presence.set(keyOf(reference), { ok: false, failure }),
  );
  return presence;
}

/** The images of each index that one of the tags points at now and that some place pins otherwise. */
export async function findMembers(
  client: RegistryClient,
  pinned: Iterable<Reference>,
  tags: Resolutions,
): Promise<Online['members']> {
  const members = new Map<Digest, Set<Digest>>();
  const moved = new Map<string, Reference>();
  for (const reference of pinned) {
    const follows = followed(reference);
    const now = follows && tags.get(keyOf(follows));
    if (now?.ok === true && now.value.digest !== reference.digest) {
      const index = { ...pinnedOf(reference), digest: now.value.digest };
      moved.set(keyOf(index), index);
    }
  }
  await inParallel(moved.values(), 64, async (index) => {
    const fetched = await client.getManifest(index);
    if (!fetched.ok) return;
    const children = childrenOf(fetched.value.bytes, fetched.value.mediaType) ?? [];
    members.set(fetched.value.digest, new Set(children.map(({ digest }) => digest)));
  });
  return members;
}

async function lookAt(
  client: RegistryClient,
  reference: Reference,
  depth: number,
): Promise<Outcome<'present' | { gone: string }>> {
  const fetched = await client.getManifest(reference);
  if (!fetched.ok) return fetched.failure.kind === 'not-found' ? { ok: true, value: { gone: 'the digest is gone' } } : fetched;
  const children = childrenOf(fetched.value.bytes, fetched.value.mediaType);
  if (children === undefined) return { ok: true, value: { gone: 'what the registry has under the digest is no manifest' } };
  for (const child of children) {
    const there =
      isIndex(child) && depth < 2
        ? await lookAt(client, { ...reference, digest: child.digest }, depth + 1)
        : await exists(client, reference, child.digest);
    if (!there.ok) return there;
    if (there.value !== 'present') return { ok: true, value: { gone: `${describe(child)} of its index is gone` } };
  }
  return { ok: true, value: 'present' };
}

async function exists(
  client: RegistryClient,
  { host, path }: Reference,
  digest: Digest,
): Promise<Outcome<'present' | { gone: string }>> {
  const answer = await client.resolve({ host, path, digest });
  if (answer.ok) return { ok: true, value: 'present' };
  return answer.failure.kind === 'not-found' ? { ok: true, value: { gone: 'gone' } } : answer;
}

/** `undefined` when the bytes are no manifest; a kind that we do not know has no children. */
export function childrenOf(bytes: Uint8Array, mediaType: string): Descriptor[] | undefined {
  try {
    return parseManifest(bytes, mediaType).children;
  } catch (error) {
    if (isFault(error, 'media-type-unsupported')) return [];
    if (isFault(error)) return undefined;
    throw error;
  }
}

const isIndex = ({ mediaType }: Descriptor): boolean => mediaType.includes('index') || mediaType.includes('manifest.list');

/** `linux/arm64/v8`, or the digest where no platform is told. */
export function platformOf({ platform }: Descriptor): string | undefined {
  const { os, architecture, variant } = platform ?? {};
  if (os === undefined || architecture === undefined || os === 'unknown') return undefined;
  return [os, architecture, variant].filter((part) => part !== undefined).join('/');
}

function describe(child: Descriptor): string {
  const platform = platformOf(child);
  return platform === undefined ? `the manifest ${child.digest}` : `the image for ${platform}`;
}
