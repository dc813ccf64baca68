import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, type Digest } from '../core/digest.ts';
import { createRandom, pick } from '../../test/faults/random.ts';
import { withEntries, withReferrers } from './followers.ts';
import { STEP, type Steps } from './steps.ts';

interface Image {
  digest: Digest;
  tags: string[];
  children?: Digest[];
  subject?: Digest;
  holders?: string[];
}

const LENGTH = 20_000;

/** The result, and in how many steps it came. */
function inSteps(work: Steps<Set<Digest>>): { found: Set<Digest>; steps: number } {
  for (let steps = 1; ; steps++) {
    const { done, value } = work.next();
    if (done === true) return { found: value, steps };
  }
}

const find = (work: Steps<Set<Digest>>): string[] => [...inSteps(work).found].sort();

test('a chain of referrers, or of indexes, takes no more steps than as many images apart', () => {
  const digests = Array.from({ length: LENGTH }, (_, at) => digestOf(String(at)));
  const first = digests[0] as Digest;
  const apart = digests.map((digest): Image => ({ digest, tags: [] }));
  // The last comes first, so that looking through all of them again and again would find one each time.
  const referrers = apart.map((image, at) => (at === 0 ? image : { ...image, subject: digests[at - 1] as Digest })).reverse();
  const indexes = apart
    .map((image, at) => (at === LENGTH - 1 ? image : { ...image, children: [digests[at + 1] as Digest] }))
    .reverse();
  for (const [chain, follow] of [
    [referrers, withReferrers],
    [indexes, withEntries],
  ] as const) {
    const { found, steps } = inSteps(follow(chain, new Set([first])));
    assert.equal(found.size, LENGTH);
    assert.ok(steps >= LENGTH / STEP, `only ${steps} steps: others wait`);
    assert.ok(steps <= (6 * LENGTH) / STEP, `${steps} steps`);
    assert.equal(inSteps(follow(chain, new Set())).found.size, 0);
  }
});

test('a referrer stays that is tagged, held, or listed by an index that stays', () => {
  const [subject, plain, tagged, held, listed, second] = ['subject', 'plain', 'tagged', 'held', 'listed', 'second'].map((name) =>
    digestOf(name),
  ) as Digest[] as [Digest, Digest, Digest, Digest, Digest, Digest];
  const index = digestOf('index');
  const images: Image[] = [
    { digest: subject, tags: ['v1'] },
    { digest: plain, tags: [], subject },
    { digest: tagged, tags: ['x'], subject },
    { digest: held, tags: [], subject, holders: ['task t'] },
    { digest: listed, tags: [], subject },
    { digest: second, tags: [], subject: tagged },
    { digest: index, tags: ['multi'], children: [listed] },
  ];
  assert.deepEqual(find(withReferrers(images, new Set([subject]))), [subject, plain].sort());
  assert.deepEqual(find(withReferrers(images, new Set([subject, index]))), [subject, plain, listed, index].sort());
});

test('what follows is what looking again and again finds, on images that hang together at random', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = createRandom(seed);
    const digests = Array.from({ length: 12 }, (_, at) => digestOf(`${seed} ${at}`));
    const some = (): Digest[] => [...new Set(Array.from({ length: Math.ceil(random() * 4) }, () => pick(random, digests)))];
    const images = digests.map((digest): Image => ({
      digest,
      tags: random() < 0.3 ? ['t'] : [],
      ...(random() < 0.4 ? { children: some().filter((child) => child !== digest) } : {}),
      ...(random() < 0.4 ? { subject: pick(random, digests) } : {}),
      ...(random() < 0.1 ? { holders: ['h'] } : {}),
    }));
    // Entries that are not here are nobody's to take.
    const here = images.filter(() => random() < 0.9);
    const going = new Set(some().filter((digest) => here.some((image) => image.digest === digest)));
    assert.deepEqual(find(withEntries(here, going)), [...entriesAgainAndAgain(here, going)].sort(), `seed ${seed}`);
    assert.deepEqual(find(withReferrers(here, going)), [...referrersAgainAndAgain(here, going)].sort(), `seed ${seed}`);
  }
});

function referrersAgainAndAgain(images: Image[], going: Set<Digest>): Set<Digest> {
  const all = new Set(going);
  const listed = images.filter(({ digest }) => !going.has(digest)).flatMap(({ children = [] }) => children);
  for (let before = -1; before !== all.size;) {
    before = all.size;
    for (const { digest, subject, tags, holders = [] } of images)
      if (subject !== undefined && all.has(subject) && tags.length === 0 && holders.length === 0 && !listed.includes(digest))
        all.add(digest);
  }
  return all;
}

function entriesAgainAndAgain(images: Image[], going: Set<Digest>): Set<Digest> {
  const all = new Set(going);
  for (let before = -1; before !== all.size;) {
    before = all.size;
    const kept = images.filter(({ digest }) => !all.has(digest)).flatMap(({ children = [] }) => children);
    for (const { digest, children = [] } of images)
      if (all.has(digest))
        for (const child of children) if (!kept.includes(child) && images.some((image) => image.digest === child)) all.add(child);
  }
  return all;
}
