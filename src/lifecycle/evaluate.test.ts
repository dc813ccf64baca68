import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, type Digest } from '../core/digest.ts';
import { evaluateLifecycle, type LifecycleImage } from './evaluate.ts';
import { parseLifecyclePolicy } from './parse-policy.ts';

const DAY = 86_400_000;
const NOW = 2_000 * DAY;

const digest = (name: string): Digest => digestOf(name);
function image(name: string, days: number, tags: string[], more: Partial<LifecycleImage> = {}): LifecycleImage {
  return { digest: digest(name), tags, pushedAt: NOW - days * DAY, storageClass: 'standard', ...more };
}
type Rule = { p: number; tags?: string[]; status?: 'tagged' | 'untagged' | 'any'; more?: number; days?: number };
function policy(...rules: Rule[]) {
  return parseLifecyclePolicy(
    JSON.stringify({
      rules: rules.map(({ p, tags, status = 'tagged', more, days }) => ({
        rulePriority: p,
        selection: {
          tagStatus: status,
          ...(tags ? { tagPatternList: tags } : {}),
          ...(more !== undefined
            ? { countType: 'imageCountMoreThan', countNumber: more }
            : { countType: 'sinceImagePushed', countUnit: 'days', countNumber: days }),
        },
        action: { type: 'expire' },
      })),
    }),
  );
}
/** `A by 1, …`, oldest first. */
function expired(rules: ReturnType<typeof policy>, images: Record<string, LifecycleImage>): string {
  const names = new Map(Object.entries(images).map(([name, one]) => [one.digest, name]));
  return evaluateLifecycle(rules, Object.values(images), NOW)
    .map(({ verdict }) => verdict)
    .filter(({ verdict }) => verdict === 'expire')
    .map(({ digest: of, rule }) => `${names.get(of)} by ${rule}`)
    .join(', ');
}

const shared = { A: image('A', 10, ['beta-1', 'prod-1']), B: image('B', 9, ['beta-2', 'prod-2']), C: image('C', 8, ['beta-3']) };

test('the worked examples of the documentation', () => {
  assert.equal(expired(policy({ p: 1, tags: ['prod*'], more: 1 }, { p: 2, tags: ['beta*'], more: 1 }), shared), 'A by 1');
  assert.equal(expired(policy({ p: 1, tags: ['beta*'], more: 1 }, { p: 2, tags: ['prod*'], more: 1 }), shared), 'A by 1, B by 1');
  assert.equal(
    expired(policy({ p: 1, tags: ['alpha*', 'beta*'], days: 5 }), {
      A: image('A', 12, ['alpha-1']),
      B: image('B', 11, ['beta-1']),
      C: image('C', 10, ['alpha-2', 'beta-2']),
      D: image('D', 4, ['alpha-3']),
      E: image('E', 3, ['beta-3']),
      F: image('F', 2, ['alpha-4', 'beta-4']),
    }),
    'C by 1',
  );
  assert.equal(
    expired(policy({ p: 1, tags: ['alpha*', 'beta*'], more: 1 }), {
      A: image('A', 10, ['alpha-1', 'beta-1', 'gamma-1']),
      B: image('B', 9, ['alpha-2', 'beta-2']),
      C: image('C', 8, ['alpha-3', 'beta-3', 'gamma-2']),
    }),
    'A by 1, B by 1',
  );
  assert.equal(
    expired(policy({ p: 1, status: 'any', more: 1 }), {
      A: image('A', 4, ['a']),
      B: image('B', 3, ['b']),
      C: image('C', 2, []),
      D: image('D', 1, ['d']),
    }),
    'A by 1, B by 1, C by 1',
  );
  assert.equal(
    expired(
      policy({ p: 1, tags: ['alpha*'], more: 1 }, { p: 2, status: 'untagged', days: 1 }, { p: 3, status: 'any', more: 1 }),
      {
        A: image('A', 4, ['alpha-1', 'beta-1']),
        B: image('B', 3, []),
        C: image('C', 2, ['alpha-2']),
        D: image('D', 1.0001, ['0f3c']),
        E: image('E', 1, []),
      },
    ),
    'A by 1, B by 2, D by 3',
  );
});

test('an image that a higher rule selects is never touched by a lower one', () => {
  const rules = policy({ p: 10, tags: ['Prod-*'], more: 5 }, { p: 900, status: 'any', days: 90 });
  const images = Object.fromEntries([...Array(6).keys()].map((n) => [`i${n}`, image(`i${n}`, 200 - n, [`${n}`, `Prod-${n}`])]));
  assert.equal(expired(rules, { ...images, plain: image('plain', 91, ['7']) }), 'i0 by 10, plain by 900');
});

test('entries of an index are neither marked nor counted: the count seen on AWS', () => {
  const children = [image('c1', 100, []), image('c2', 99, [])];
  const others = [...Array(23).keys()].map((n) => image(`o${n}`, 50 - n, [`${n}`]));
  const index = image('index', 98, ['list'], { children: children.map((child) => child.digest) });
  const verdicts = evaluateLifecycle(policy({ p: 1, status: 'any', more: 20 }), [...children, ...others, index], NOW).map(
    ({ verdict }) => verdict,
  );
  assert.equal(verdicts.filter(({ verdict }) => verdict === 'expire').length, 26 - 2 - 20);
  assert.deepEqual(verdicts[0]?.reason, { kind: 'part-of', digest: index.digest, goes: true });
});

test('a referrer stays with its subject, and is an image like others without it', () => {
  const subject = image('subject', 1, ['v1']);
  const signature = image('signature', 50, [], { subject: subject.digest });
  const orphan = image('orphan', 50, [], { subject: digest('gone') });
  const rules = policy({ p: 1, status: 'untagged', days: 7 });
  assert.equal(expired(rules, { subject, signature, orphan }), 'orphan by 1');
  const reasonOf = (days: number) =>
    evaluateLifecycle(policy({ p: 1, status: 'any', days }), [subject, signature], NOW).find(
      ({ image: { digest } }) => digest === signature.digest,
    )?.verdict.reason;
  assert.deepEqual(reasonOf(7), { kind: 'refers-to', digest: subject.digest, goes: false });
  const old = { ...subject, pushedAt: NOW - 9 * DAY };
  const [judged] = evaluateLifecycle(policy({ p: 1, status: 'any', days: 7 }), [old, signature], NOW).filter(
    ({ image: { digest } }) => digest === signature.digest,
  );
  assert.deepEqual(judged?.verdict.reason, { kind: 'refers-to', digest: subject.digest, goes: true });
});

test('what is held is not expired, and says who needs it', () => {
  const [judged] = evaluateLifecycle(
    policy({ p: 1, status: 'any', days: 1 }),
    [image('A', 9, ['v1'], { holders: ['service web'] })],
    NOW,
  );
  assert.deepEqual(judged?.verdict, {
    digest: digest('A'),
    verdict: 'held',
    rule: 1,
    wouldBe: 'expire',
    holders: ['service web'],
    reason: { kind: 'old-enough', since: 'pushed', ageMs: 9 * DAY, limitDays: 1 },
  });
});

test('the extensions: keep, expire by pull, any of several patterns', () => {
  const rules = parseLifecyclePolicy(
    JSON.stringify({
      holdfast: { version: 1 },
      rules: [
        {
          rulePriority: 1,
          selection: { tagStatus: 'tagged', tagPatternList: ['keep*', 'v*'], tagMatch: 'any' },
          action: { type: 'keep' },
        },
        {
          rulePriority: 2,
          selection: { tagStatus: 'any', countType: 'sinceImagePulled', countUnit: 'days', countNumber: 10 },
          action: { type: 'expire' },
        },
      ],
    }),
  );
  assert.equal(
    expired(rules, {
      kept: image('kept', 90, ['v1']),
      pulled: image('pulled', 90, ['a'], { pulledAt: NOW - 9 * DAY }),
      stale: image('stale', 90, ['b'], { pulledAt: NOW - 11 * DAY }),
      never: image('never', 11, ['c']),
      restored: image('restored', 90, ['d'], { pulledAt: NOW - 50 * DAY, activatedAt: NOW - 2 * DAY }),
    }),
    'stale by 2, never by 2',
  );
});
