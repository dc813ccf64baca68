/** What there is: digests of images, and which of them each tag points at. */
export interface Seen {
  live: Set<string>;
  tags: Map<string, string>;
}

/** What one request was to do to the images of a repository, and what it answered. */
export type Outcome =
  | { kind: 'put'; digest: string; tag: string | undefined; is: 'done' | 'needless' | 'refused' }
  | { kind: 'delete'; digest: string; is: Deleted }
  /** `takesImage`: with its last tag. */
  | { kind: 'untag'; tag: string; takesImage: boolean; is: Deleted }
  /** Of a policy that keeps the newest image only. */
  | { kind: 'run'; expired: number }
  | { kind: 'read'; reference: string; digest: string | undefined };

export type Deleted = 'done' | 'unknown' | 'referenced';

/** A request and the times between which it took effect. */
export interface Act {
  from: number;
  to: number;
  outcome: Outcome;
}

/**
 * Whether the acts, done one after the other in some order in which none comes before one that had ended when it began,
 * give each its outcome and lead from `before` to `end`. `children`: what each index lists.
 */
export function hasOrder(
  before: Seen,
  acts: readonly Act[],
  end: Seen,
  children: ReadonlyMap<string, readonly string[]>,
): boolean {
  const tried = new Set<string>();
  const search = (seen: Seen, left: readonly Act[]): boolean => {
    if (left.length === 0) return textOf(seen) === textOf(end);
    const key = `${left.map((act) => acts.indexOf(act)).join()} ${textOf(seen)}`;
    if (tried.has(key)) return false;
    tried.add(key);
    const firstEnd = Math.min(...left.map(({ to }) => to));
    return left.some(
      (act) =>
        act.from <= firstEnd &&
        follow(seen, act.outcome, children).some((next) =>
          search(
            next,
            left.filter((one) => one !== act),
          ),
        ),
    );
  };
  return search(before, acts);
}

export function textOf({ live, tags }: Seen): string {
  return `${[...live].sort().join()} ${[...tags]
    .map(([tag, digest]) => `${tag}=${digest}`)
    .sort()
    .join()}`;
}

/** What may be there after an act with this outcome; nothing, when it cannot have had that outcome here. */
function follow({ live, tags }: Seen, outcome: Outcome, children: ReadonlyMap<string, readonly string[]>): Seen[] {
  const isEntry = (digest: string): boolean => [...live].some((one) => children.get(one)?.includes(digest));
  const without = (...digests: string[]): Seen => ({
    live: new Set([...live].filter((digest) => !digests.includes(digest))),
    tags: new Map([...tags].filter(([, digest]) => !digests.includes(digest))),
  });
  const same = [{ live, tags }];
  switch (outcome.kind) {
    case 'put': {
      const { digest, tag, is } = outcome;
      const isThere = live.has(digest) && (tag === undefined || tags.get(tag) === digest);
      if (is === 'needless') return isThere ? same : [];
      // Its layers' leases may have run out; nothing but that, or an entry that is missing, is a reason.
      if (is === 'refused') return live.has(digest) ? [] : same;
      if (!live.has(digest) && (children.get(digest) ?? []).some((child) => !live.has(child))) return [];
      return [
        { live: new Set([...live, digest]), tags: new Map([...tags, ...(tag === undefined ? [] : [[tag, digest] as const])]) },
      ];
    }
    case 'delete':
      return remove(outcome.digest, outcome.is);
    case 'untag': {
      const { tag, takesImage, is } = outcome;
      const digest = tags.get(tag);
      if (digest === undefined) return is === 'unknown' ? same : [];
      if (takesImage && [...tags.values()].filter((one) => one === digest).length === 1) return remove(digest, is);
      return is === 'done' ? [{ live, tags: new Map([...tags].filter(([name]) => name !== tag)) }] : [];
    }
    case 'run': {
      const pool = [...live].filter((digest) => !isEntry(digest));
      if (outcome.expired > Math.max(0, pool.length - 1)) return [];
      return subsets(pool, outcome.expired).map((gone) => without(...gone));
    }
    case 'read': {
      const { reference, digest } = outcome;
      const now = reference.includes(':') ? (live.has(reference) ? reference : undefined) : tags.get(reference);
      return now === digest ? same : [];
    }
  }

  function remove(digest: string, is: Deleted): Seen[] {
    const now = !live.has(digest) ? 'unknown' : isEntry(digest) ? 'referenced' : 'done';
    if (now !== is) return [];
    return is === 'done' ? [without(digest)] : same;
  }
}

function subsets(of: string[], size: number): string[][] {
  if (size === 0) return [[]];
  return of.flatMap((first, at) => subsets(of.slice(at + 1), size - 1).map((rest) => [first, ...rest]));
}
