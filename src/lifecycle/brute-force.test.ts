import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../core/digest.ts';
import { evaluateLifecycle, type LifecycleImage } from './evaluate.ts';
import type { LifecyclePolicy, LifecycleRule } from './policy.ts';

const DAY = 86_400_000;
const NOW = 1_000 * DAY;

function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4_294_967_296) * below);
  };
}

/** The rules as the documentation words them, one image and one rule at a time, with nothing shared and nothing clever. */
function bruteForce(policy: LifecyclePolicy, images: LifecycleImage[]): Map<string, string> {
  const has = (digest: string): boolean => images.some((image) => image.digest === digest);
  const visible = images.filter(
    (image) =>
      !images.some(
        (index) => index.storageClass === 'standard' && index.digest !== image.digest && index.children?.includes(image.digest),
      ) && !(image.subject !== undefined && image.subject !== image.digest && has(image.subject)),
  );
  const glob = (pattern: string): RegExp =>
    new RegExp(
      `^${pattern
        .split('*')
        .map((part) => part.replace(/[^\w]/g, '\\$&'))
        .join('.*')}$`,
    );
  const selects = (rule: LifecycleRule, image: LifecycleImage): boolean => {
    if (image.storageClass !== rule.storageClass) return false;
    if (rule.tagStatus === 'any') return true;
    if (rule.tagStatus === 'untagged') return image.tags.length === 0;
    return rule.patterns.every((pattern) => image.tags.some((tag) => glob(pattern).test(tag)));
  };
  const from = (image: LifecycleImage): number => image.activatedAt ?? image.pushedAt;
  const marks = (rule: LifecycleRule, image: LifecycleImage): boolean => {
    const number = rule.countNumber ?? 0;
    const older = (time: number): boolean => NOW - time > number * DAY;
    if (rule.countType === 'imageCountMoreThan') {
      const newer = visible.filter(
        (other) =>
          selects(rule, other) &&
          (from(other) > from(image) ||
            (from(other) === from(image) &&
              (other.pushedAt > image.pushedAt || (other.pushedAt === image.pushedAt && other.digest > image.digest)))),
      );
      return newer.length >= number;
    }
    if (rule.countType === 'sinceImagePushed') return older(from(image));
    if (rule.countType === 'sinceImagePulled') {
      const restored = image.activatedAt !== undefined && (image.pulledAt === undefined || image.pulledAt < image.activatedAt);
      return older(restored ? from(image) : (image.pulledAt ?? image.pushedAt));
    }
    return older(image.archivedAt ?? NOW);
  };
  const acted = new Map<string, string>();
  for (const image of visible) {
    const owner = [...policy.rules].sort((a, b) => a.priority - b.priority).find((rule) => selects(rule, image));
    if (owner !== undefined && marks(owner, image)) acted.set(image.digest, `${owner.action} by ${owner.priority}`);
  }
  return acted;
}

test('2,000 random repositories: the evaluator and brute force agree on every image', () => {
  for (let seed = 1; seed <= 2_000; seed++) {
    const random = createRandom(seed);
    const tagPool = ['prod-1', 'prod-2', 'beta-1', 'beta-2', 'alpha', 'x', 'prod', '1.2.3'];
    const images: LifecycleImage[] = [];
    for (let n = random(12); n >= 0; n--) {
      const digest = digestOf(`${seed}/${n}`);
      const archived = random(6) === 0;
      const earlier = images[random(Math.max(images.length, 1))];
      images.push({
        digest,
        tags: Array.from({ length: random(4) }, () => tagPool[random(tagPool.length)] ?? ''),
        pushedAt: NOW - random(12) * DAY,
        storageClass: archived ? 'archive' : 'standard',
        ...(random(3) === 0 ? { pulledAt: NOW - random(12) * DAY } : {}),
        ...(archived ? { archivedAt: NOW - random(200) * DAY } : random(4) === 0 ? { activatedAt: NOW - random(12) * DAY } : {}),
        ...(earlier !== undefined && random(5) === 0 ? { children: [earlier.digest, digestOf('elsewhere')] } : {}),
        ...(earlier !== undefined && random(5) === 0 ? { subject: earlier.digest } : {}),
      });
    }
    const patterns = ['prod*', '*-1', 'beta-*', '*', 'prod', '*o*d*', '1.*'];
    const rules = Array.from({ length: 1 + random(4) }, (_, index): LifecycleRule => {
      const archive = random(5) === 0;
      const tagStatus = (['tagged', 'tagged', 'untagged', 'any'] as const)[random(4)] ?? 'any';
      return {
        priority: (index + 1) * 10,
        tagStatus,
        patterns:
          tagStatus === 'tagged' ? Array.from({ length: 1 + random(2) }, () => patterns[random(patterns.length)] ?? '*') : [],
        tagMatch: 'all',
        storageClass: archive ? 'archive' : 'standard',
        action: archive || random(3) > 0 ? 'expire' : 'transition',
        countType: archive
          ? 'sinceImageTransitioned'
          : ((['imageCountMoreThan', 'sinceImagePushed', 'sinceImagePulled'] as const)[random(3)] ?? 'imageCountMoreThan'),
        countNumber: archive ? 90 + random(60) : 1 + random(6),
      };
    });
    const expected = bruteForce({ rules }, images);
    const found = evaluateLifecycle({ rules: [...rules].reverse().sort((a, b) => a.priority - b.priority) }, images, NOW).map(
      ({ verdict }) => verdict,
    );
    assert.equal(found.length, images.length);
    for (const { digest, verdict, rule } of found) {
      const said = verdict === 'keep' ? undefined : `${verdict === 'archive' ? 'transition' : 'expire'} by ${rule}`;
      assert.equal(said, expected.get(digest), `seed ${seed}, ${digest}`);
    }
  }
});
