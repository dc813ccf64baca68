import type { Digest } from '../core/digest.ts';
import type { LifecycleImage } from './evaluate.ts';
import { STEP, type Steps } from './steps.ts';

type Graph = readonly Pick<LifecycleImage, 'digest' | 'tags' | 'children' | 'subject' | 'holders'>[];

/**
 * The images that go and the referrers that follow them, and those that follow these, as the collector has it: none that is tagged,
 * held, or listed by an index that stays. Linear in the images and their edges, however they hang together.
 */
export function* withReferrers(images: Graph, going: ReadonlySet<Digest>): Steps<Set<Digest>> {
  const all = new Set(going);
  let work = 0;
  const listed = new Set<Digest>();
  for (const { digest, children = [] } of images) {
    if (!going.has(digest)) for (const child of children) listed.add(child);
    if ((work += 1 + children.length) >= STEP) {
      work = 0;
      yield;
    }
  }
  const bySubject = new Map<Digest, Digest[]>();
  for (const { digest, tags, subject, holders = [] } of images) {
    if (subject !== undefined && tags.length + holders.length === 0 && !listed.has(digest)) {
      const known = bySubject.get(subject);
      if (known === undefined) bySubject.set(subject, [digest]);
      else known.push(digest);
    }
    if (++work >= STEP) {
      work = 0;
      yield;
    }
  }
  if (bySubject.size === 0) return all;
  const left = [...going];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    for (const referrer of bySubject.get(next) ?? []) {
      if (!all.has(referrer)) left.push(referrer);
      all.add(referrer);
      work++;
    }
    if (++work >= STEP) {
      work = 0;
      yield;
    }
  }
  return all;
}

/**
 * The images that go and the entries of the indexes among them that no index lists that stays, and so on for entries that are
 * indexes. Linear, too.
 */
export function* withEntries(images: Graph, going: ReadonlySet<Digest>): Steps<Set<Digest>> {
  const all = new Set(going);
  let work = 0;
  const entriesOf = new Map<Digest, readonly Digest[]>();
  /** How many indexes that stay list it; only of what is here. */
  const keepers = new Map<Digest, number>();
  const left: Digest[] = [];
  for (const { digest, children } of images) {
    keepers.set(digest, 0);
    if (children !== undefined) {
      entriesOf.set(digest, children);
      if (going.has(digest)) left.push(digest);
    }
    if (++work >= STEP) {
      work = 0;
      yield;
    }
  }
  const count = (digest: Digest, by: 1 | -1): number | undefined => {
    const before = keepers.get(digest);
    if (before !== undefined) keepers.set(digest, before + by);
    return before === undefined ? undefined : before + by;
  };
  for (const [index, entries] of entriesOf) {
    if (!going.has(index)) for (const entry of entries) count(entry, 1);
    if ((work += 1 + entries.length) >= STEP) {
      work = 0;
      yield;
    }
  }
  for (let index = left.pop(); index !== undefined; index = left.pop()) {
    const entries = entriesOf.get(index) ?? [];
    for (const entry of entries) {
      // What goes from the beginning has never been counted.
      const kept = going.has(index) ? keepers.get(entry) : count(entry, -1);
      if (kept !== 0 || all.has(entry)) continue;
      all.add(entry);
      if (entriesOf.has(entry)) left.push(entry);
    }
    if ((work += 1 + entries.length) >= STEP) {
      work = 0;
      yield;
    }
  }
  return all;
}
