import type { Digest } from '../core/digest.ts';
import type { Reference } from '../core/reference.ts';
import type { Tag } from '../core/tag.ts';
import type { Failure, Outcome } from '../client/outcome.ts';
import type { RegistryClient } from '../client/registry-client.ts';
import { keyOf } from './reference-key.ts';
import { chooseTag, type Policy } from './semantic-tag.ts';

/** What a followed reference should be pinned to. */
export interface Resolution {
  digest: Digest;
  mediaType?: string;
  /** Where the tag moves to under a policy; absent when it stays. */
  tag?: Tag;
}

/** By `keyOf` the reference that was asked for. */
export type Resolutions = ReadonlyMap<string, Outcome<Resolution>>;

export interface ResolveOptions {
  policy?: Policy;
  /** Registries asked at the same time. */
  hosts?: number;
  /** References of one registry asked at the same time. */
  perHost?: number;
  /** Failures to reach a registry in a row after which the rest of its references are given up. */
  giveUpAfter?: number;
  onResolved?(count: number): void;
}

/**
 * Asks for each distinct reference once. A registry that cannot be reached costs a few tries and then fails the rest of its
 * own references only; all others go on.
 */
export async function resolveReferences(
  client: RegistryClient,
  references: Iterable<Reference>,
  options: ResolveOptions = {},
): Promise<Resolutions> {
  const resolutions = new Map<string, Outcome<Resolution>>();
  const resolveOne = createResolver(client, options.policy ?? 'digest');
  await forEachReference(
    references,
    options,
    async (reference) => {
      const outcome = await resolveOne(reference);
      resolutions.set(keyOf(reference), outcome);
      return outcome;
    },
    (reference, failure) => resolutions.set(keyOf(reference), { ok: false, failure }),
  );
  return resolutions;
}

/**
 * Runs `work` for each distinct reference, bounded by registry, until a registry has failed too often in a row: then
 * `giveUp` is called for its remaining references.
 */
export async function forEachReference(
  references: Iterable<Reference>,
  options: ResolveOptions,
  work: (reference: Reference) => Promise<Outcome<unknown>>,
  giveUp: (reference: Reference, failure: Failure) => void,
): Promise<void> {
  const { hosts = 64, perHost = 32, giveUpAfter = 3, onResolved } = options;
  const distinct = new Map([...references].map((reference) => [keyOf(reference), reference]));
  const byHost = Map.groupBy(distinct.values(), ({ host }) => host);

  async function visit(queue: Reference[]): Promise<void> {
    let inARow = 0;
    let last: Failure | undefined;
    await inParallel(queue, perHost, async (reference) => {
      if (last !== undefined && inARow >= giveUpAfter) {
        giveUp(reference, { ...last, reason: `given up after ${giveUpAfter} failures in a row: ${last.reason}` });
      } else {
        const outcome = await work(reference);
        if (outcome.ok || outcome.failure.kind !== 'unreachable') inARow = 0;
        else {
          inARow++;
          last = outcome.failure;
        }
      }
      onResolved?.(1);
    });
  }
  await inParallel([...byHost.values()], hosts, visit);
}

/** Runs `work` on every item, at most `limit` at once. */
export async function inParallel<T>(items: Iterable<T>, limit: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]();
  const run = async (): Promise<void> => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: limit }, run));
}

function createResolver(client: RegistryClient, policy: Policy): (reference: Reference) => Promise<Outcome<Resolution>> {
  const tagLists = new Map<string, Promise<Outcome<string[]>>>();
  const tagsOf = ({ host, path }: Reference): Promise<Outcome<string[]>> => {
    const key = `${host}/${path}`;
    const asked = tagLists.get(key) ?? client.listTags({ host, path });
    tagLists.set(key, asked);
    return asked;
  };
  return async (reference) => {
    const { tag } = reference;
    if (policy === 'digest' || tag === undefined || chooseTag(tag, candidatesOf(tag), policy) === tag)
      return client.resolve(reference);
    const tags = await tagsOf(reference);
    if (!tags.ok) return tags;
    const moved = chooseTag(tag, tags.value, policy);
    const resolved = await client.resolve({ ...reference, tag: moved });
    return !resolved.ok || moved === tag ? resolved : { ok: true, value: { ...resolved.value, tag: moved } };
  };
}

/** A tag that would be newer if this one were a version: asking for the list of tags is only worth it when one can be. */
function candidatesOf(tag: string): string[] {
  return [
    tag.replace(/^(v?)(\d+(?:\.\d+){0,3})/, (_, prefix: string, numbers: string) => {
      const parts = numbers.split('.');
      return `${prefix}${[...parts.slice(0, -1), Number(parts.at(-1)) + 1].join('.')}`;
    }),
  ];
}
