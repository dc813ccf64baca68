import { matchesWildcard } from '../core/wildcard.ts';
import type { LifecycleImage } from './evaluate.ts';
import type { LifecyclePolicy, LifecycleRule } from './policy.ts';
import { findMatches } from './select-images.ts';
import { inOneGo, type Steps } from './steps.ts';

/** What is allowed and probably not meant. */
export interface PolicyWarning {
  kind: 'list-means-all' | 'catch-all-too-young' | 'never-acts' | 'matches-no-tag' | 'no-such-tag-here';
  /** The priority of the rule. */
  rule: number;
  /** What, and what to do: sentences. */
  message: string;
}

/** A team that releases every month needs what it had before for as long. */
const RELEASE_CYCLE_DAYS = 30;
/** Of a large repository, so many of the latest images are looked at for a tag that was meant. */
const MOST_LOOKED_AT = 10_000;

/** The common mistakes in a policy, in the order of its rules; `images` are those that are there now. Pure. */
export function warnPolicy(policy: LifecyclePolicy, images: readonly LifecycleImage[]): PolicyWarning[] {
  return inOneGo(warnInSteps(policy, images));
}

/** `warnPolicy`, step by step. */
export function* warnInSteps(policy: LifecyclePolicy, images: readonly LifecycleImage[]): Steps<PolicyWarning[]> {
  const warnings: PolicyWarning[] = [];
  const patterns = policy.rules.flatMap((rule) => rule.patterns);
  const matches = yield* findMatches(patterns, images);
  const near = yield* findNear(
    patterns.filter((pattern) => !matches.has(pattern)),
    images.slice(-MOST_LOOKED_AT),
  );
  for (const [index, rule] of policy.rules.entries()) {
    yield;
    const warn = (kind: PolicyWarning['kind'], message: string): void => {
      warnings.push({ kind, rule: rule.priority, message: `Rule ${rule.priority}: ${message}` });
    };
    const impossible = rule.patterns.find((pattern) => !/^[A-Za-z0-9_*][A-Za-z0-9_.*-]*$/.test(pattern));
    if (impossible !== undefined) {
      warn('matches-no-tag', `no tag can match "${impossible}": tags have letters, digits, "_", "." and "-" only.`);
      continue;
    }
    const shade = policy.rules.slice(0, index).find((earlier) => covers(earlier, rule));
    if (shade !== undefined)
      warn(
        'never-acts',
        `it never acts, because rule ${shade.priority} goes first and selects all that it selects. Give it a lower rulePriority, or remove it.`,
      );
    else if (rule.patterns.length > 1 && rule.tagMatch === 'all' && meansAny(rule, images)) {
      warn(
        'list-means-all',
        `an image must match all of ${rule.patterns.map((pattern) => `"${pattern}"`).join(', ')} at once, and none here does. Write a rule for each, or "tagMatch": "any" with "holdfast": {"version": 1}.`,
      );
    } else if (rule.tagStatus === 'tagged' && images.length > 0) {
      const missing = rule.patterns.find((pattern) => !matches.has(pattern));
      if (missing !== undefined) {
        const tag = near.get(missing);
        const hint = tag === undefined ? 'Is it spelt right?' : `"${tag}" differs in its capitals only.`;
        warn('no-such-tag-here', `no image here has a tag that matches "${missing}". ${hint}`);
      }
    }
    if (
      rule.tagStatus === 'any' &&
      rule.action === 'expire' &&
      rule.countType !== 'imageCountMoreThan' &&
      rule.storageClass === 'standard' &&
      (rule.countNumber ?? 0) < RELEASE_CYCLE_DAYS
    ) {
      warn(
        'catch-all-too-young',
        `it takes every image that no other rule selects after ${rule.countNumber} d. What was released before that and is still needed goes too; ${RELEASE_CYCLE_DAYS} d or more leave time to notice.`,
      );
    }
  }
  return warnings;
}

/** For each of the patterns, a tag that it would match if capitals were small letters. */
function* findNear(patterns: readonly string[], images: readonly LifecycleImage[]): Steps<Map<string, string>> {
  const near = new Map<string, string>();
  if (patterns.length === 0) return near;
  const written = new Map<string, string>();
  const lowered = images.map(({ tags }) => ({
    tags: tags.map((tag) => {
      const small = tag.toLowerCase();
      written.set(small, tag);
      return small;
    }),
  }));
  yield;
  const matches = yield* findMatches(
    patterns.map((pattern) => pattern.toLowerCase()),
    lowered,
  );
  for (const pattern of patterns) {
    const tag = written.get(matches.get(pattern.toLowerCase()) ?? '');
    if (tag !== undefined) near.set(pattern, tag);
  }
  return near;
}

/** Where images show it, by them; in an empty repository, by prefixes of which no tag can have two. */
function meansAny(rule: LifecycleRule, images: readonly LifecycleImage[]): boolean {
  const matches = (image: LifecycleImage, pattern: string): boolean => image.tags.some((tag) => matchesWildcard(pattern, tag));
  if (images.some((image) => rule.patterns.every((pattern) => matches(image, pattern)))) return false;
  const some = images.some((image) => rule.patterns.some((pattern) => matches(image, pattern)));
  return some || images.length === 0;
}

/** True when `earlier` selects every image that `later` selects. May miss some such pairs, and is never wrong. */
function covers(earlier: LifecycleRule, later: LifecycleRule): boolean {
  if (earlier.storageClass !== later.storageClass) return false;
  if (earlier.tagStatus === 'any') return true;
  if (earlier.tagStatus === 'untagged' || later.tagStatus !== 'tagged') return earlier.tagStatus === later.tagStatus;
  // A pattern that matches another as text, stars and all, matches whatever that one matches.
  const pairs = (wide: string, narrow: string): boolean => matchesWildcard(wide, narrow);
  const earlierNeedsAll = earlier.tagMatch === 'all';
  const laterHasAll = later.tagMatch === 'all';
  if (laterHasAll) {
    const implied = (wide: string): boolean => later.patterns.some((narrow) => pairs(wide, narrow));
    return earlierNeedsAll ? earlier.patterns.every(implied) : earlier.patterns.some(implied);
  }
  return later.patterns.every((narrow) =>
    earlierNeedsAll
      ? earlier.patterns.every((wide) => pairs(wide, narrow))
      : earlier.patterns.some((wide) => pairs(wide, narrow)),
  );
}
