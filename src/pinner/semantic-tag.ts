import { isTag, type Tag } from '../core/tag.ts';

/** How far a tag may move: not at all, or within the same minor version, the same major version, or to any. */
export type Policy = 'digest' | 'patch' | 'minor' | 'major';
export const POLICIES: readonly Policy[] = ['digest', 'patch', 'minor', 'major'];

interface VersionTag {
  prefix: string;
  numbers: number[];
  suffix: string;
}

const VERSION = /^(v?)(\d{1,9}(?:\.\d{1,9}){0,3})([-_+.a-zA-Z].*)?$/;
/** `20240329` is a day and no eighth-digit major version: the two never follow one another. */
const isDay = (first: number): boolean => first >= 19_000_101;

function readVersion(tag: string): VersionTag | undefined {
  const match = VERSION.exec(tag);
  if (match === null) return undefined;
  return { prefix: match[1]!, numbers: match[2]!.split('.').map(Number), suffix: match[3] ?? '' };
}

/**
 * The newest of `tags` that the policy lets `current` move to; `current` itself when there is none. A tag follows another
 * only in the same line: the same `v`, as many numbers, and exactly the same suffix (`-alpine`, `-rc1`, none).
 */
export function chooseTag(current: Tag, tags: Iterable<string>, policy: Policy): Tag {
  const from = readVersion(current);
  if (from === undefined || policy === 'digest') return current;
  const fixed = policy === 'major' ? 0 : policy === 'minor' ? 1 : 2;
  let best = { tag: current, numbers: from.numbers };
  for (const tag of tags) {
    const to = readVersion(tag);
    if (to === undefined || !isTag(tag)) continue;
    const sameLine = to.prefix === from.prefix && to.suffix === from.suffix && to.numbers.length === from.numbers.length;
    if (!sameLine || isDay(to.numbers[0]!) !== isDay(from.numbers[0]!)) continue;
    if (from.numbers.slice(0, fixed).some((number, index) => number !== to.numbers[index])) continue;
    if (compare(to.numbers, best.numbers) > 0) best = { tag, numbers: to.numbers };
  }
  return best.tag;
}

function compare(left: number[], right: number[]): number {
  for (const [index, number] of left.entries()) {
    const difference = number - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
