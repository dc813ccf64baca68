import type { Digest } from '../core/digest.ts';
import { isFault } from '../core/fault.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { parseReference } from '../core/reference.ts';
import { matchesWildcard } from '../core/wildcard.ts';
import type { AwsAccount } from './aws-account.ts';
import { CommandFailure } from './command.ts';
import type { Use } from './in-use-ecs.ts';
import { previewElsewhere, readAwsImages } from './lifecycle-elsewhere.ts';
import type { ServerConnection } from './server-connection.ts';

/** A digest that is needed, with who needs it and what is wrong. */
export interface UsedImage {
  repository: string;
  digest?: Digest;
  /** As their users write it; the first of them. */
  tag?: string;
  /** That point at it now. */
  tags: string[];
  pushedAt?: string;
  usedBy: string[];
  environments: string[];
  risks: { kind: 'gone' | 'going' | 'tag-moved' | 'tag-mutable'; message: string }[];
}

/** What a registry knows of one repository. */
interface Known {
  images: Map<string, { tags: readonly string[]; pushedAt: number }>;
  tags: Map<string, Digest>;
  isMutable(tag: string): boolean;
  /** What its policy would take now, and by which rule. */
  going: Map<string, number | undefined>;
}

export interface RegistryOf {
  account: AwsAccount;
  /** Ours, which says what its own policies would do, holds and all. */
  server?: ServerConnection;
  isHost(host: string): boolean;
}

/**
 * Uses by the digest that they need, compared with what is in the registry. Uses of images of other registries, and of
 * other repositories than `only`, are left out. `time` is now, for the ages that policies look at.
 */
export async function compareUses(
  uses: readonly Use[],
  registry: RegistryOf,
  only: string | undefined,
  time: number,
): Promise<UsedImage[]> {
  const known = new Map<string, Known | undefined>();
  const images = new Map<string, UsedImage>();
  for (const use of uses) {
    const reference = readImage(use.image);
    if (reference === undefined || !registry.isHost(reference.host)) continue;
    const { path: repository, tag } = reference;
    if (only !== undefined && repository !== only) continue;
    if (!known.has(repository)) known.set(repository, await readRepository(registry, repository, time));
    const there = known.get(repository);
    const digest = use.digest ?? reference.digest ?? (tag === undefined ? undefined : there?.tags.get(tag));
    const key = `${repository}@${digest ?? `:${tag ?? ''}`}`;
    let image = images.get(key);
    if (image === undefined) {
      const found = digest === undefined ? undefined : there?.images.get(digest);
      image = {
        repository,
        tags: [...(found?.tags ?? [])],
        usedBy: [],
        environments: [],
        risks: [],
        ...(digest === undefined ? {} : { digest }),
        ...(found === undefined ? {} : { pushedAt: new Date(found.pushedAt).toISOString() }),
      };
      images.set(key, image);
    }
    if (tag !== undefined) image.tag ??= tag;
    // A service that is known has a hold too, which tells nothing more.
    if (use.kind !== 'hold') add(image.usedBy, `${use.kind} ${use.name}`);
    else if (!image.usedBy.includes(use.name)) add(image.usedBy, `hold: ${use.name}`);
    if (use.environment !== undefined) add(image.environments, use.environment);
    for (const risk of risksOf(there, use, { digest, tag, isPinned: reference.digest !== undefined })) {
      if (!image.risks.some(({ kind, message }) => kind === risk.kind && message === risk.message)) image.risks.push(risk);
    }
  }
  return [...images.values()].sort((a, b) => (a.repository + (a.digest ?? '') < b.repository + (b.digest ?? '') ? -1 : 1));
}

function risksOf(
  there: Known | undefined,
  { kind }: Use,
  { digest, tag, isPinned }: { digest: Digest | undefined; tag: string | undefined; isPinned: boolean },
): UsedImage['risks'] {
  if (there === undefined) return [{ kind: 'gone', message: 'its repository is gone' }];
  if (digest === undefined) return [{ kind: 'gone', message: `nothing has the tag ${tag ?? ''}` }];
  const risks: UsedImage['risks'] = [];
  if (!there.images.has(digest)) risks.push({ kind: 'gone', message: 'it is not in the registry' });
  if (there.going.has(digest)) risks.push({ kind: 'going', message: `rule ${there.going.get(digest)} of the policy takes it` });
  if (kind === 'hold' || tag === undefined) return risks;
  const target = there.tags.get(tag);
  if (target !== digest)
    risks.push({ kind: 'tag-moved', message: target === undefined ? `the tag ${tag} is gone` : `the tag ${tag} has moved` });
  if (!isPinned && there.isMutable(tag))
    risks.push({ kind: 'tag-mutable', message: `asked for by the tag ${tag}, which can move` });
  return risks;
}

async function readRepository({ account, server }: RegistryOf, repository: string, time: number): Promise<Known | undefined> {
  try {
    const described = await account.call('ecr', 'DescribeRepositories', { repositoryNames: [repository] });
    const settings = Array.isArray(described['repositories']) ? described['repositories'][0] : undefined;
    const images = await readAwsImages(account, repository);
    const going =
      server === undefined ? await readGoing(account, repository, images, time) : await readGoingHere(server, repository);
    return {
      images: new Map(images.map((image) => [image.digest, image])),
      tags: new Map(images.flatMap(({ digest, tags }) => tags.map((tag): [string, Digest] => [tag, digest]))),
      isMutable: mutabilityOf(isJsonObject(settings) ? settings : {}),
      going,
    };
  } catch (error) {
    if (error instanceof CommandFailure && error.kind === 'not-found') return undefined;
    throw error;
  }
}

async function readGoing(
  account: AwsAccount,
  repository: string,
  images: Parameters<typeof previewElsewhere>[2],
  time: number,
): Promise<Known['going']> {
  let text: unknown;
  try {
    text = (await account.call('ecr', 'GetLifecyclePolicy', { repositoryName: repository }))['lifecyclePolicyText'];
  } catch (error) {
    if (error instanceof CommandFailure && error.kind === 'not-found') return new Map();
    throw error;
  }
  return goingOf(previewElsewhere(repository, String(text), images, time).images);
}

async function readGoingHere(server: ServerConnection, repository: string): Promise<Known['going']> {
  try {
    const { images } = await server.post('/lifecycle-previews', { repository });
    return goingOf((Array.isArray(images) ? images.filter(isJsonObject) : []) as unknown as Parameters<typeof goingOf>[0]);
  } catch (error) {
    if (error instanceof CommandFailure && error.kind === 'lifecycle-policy-unknown') return new Map();
    throw error;
  }
}

function goingOf(rows: readonly { digest: string; verdict: string; rule?: number | undefined }[]): Known['going'] {
  return new Map(
    rows.filter(({ verdict }) => verdict === 'expire' || verdict === 'archive').map(({ digest, rule }) => [digest, rule]),
  );
}

function mutabilityOf(settings: JsonObject): (tag: string) => boolean {
  const mode = settings['imageTagMutability'];
  const filters = settings['imageTagMutabilityExclusionFilters'];
  const patterns = (Array.isArray(filters) ? filters.filter(isJsonObject) : []).map(({ filter }) =>
    typeof filter === 'string' ? filter : '',
  );
  const isExcluded = (tag: string): boolean => patterns.some((pattern) => matchesWildcard(pattern, tag));
  if (mode === 'IMMUTABLE') return () => false;
  if (mode === 'IMMUTABLE_WITH_EXCLUSION') return isExcluded;
  if (mode === 'MUTABLE_WITH_EXCLUSION') return (tag) => !isExcluded(tag);
  return () => true;
}

function readImage(image: string): ReturnType<typeof parseReference> | undefined {
  try {
    const reference = parseReference(image);
    return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' as never } : reference;
  } catch (error) {
    // Somebody runs an image by its id, or by no name that a registry could have.
    if (isFault(error, 'reference-invalid')) return undefined;
    throw error;
  }
}

function add(list: string[], entry: string): void {
  if (!list.includes(entry)) list.push(entry);
}
