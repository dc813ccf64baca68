import type { Digest } from '../core/digest.ts';
import type { LifecyclePolicy, LifecycleRule, RuleStorageClass } from './policy.ts';
import { compileSelection } from './select-images.ts';
import { inOneGo, STEP, type Steps } from './steps.ts';

/** An image as the evaluator needs it. Times are milliseconds since the epoch. */
export interface LifecycleImage {
  digest: Digest;
  tags: readonly string[];
  pushedAt: number;
  pulledAt?: number;
  storageClass: RuleStorageClass;
  archivedAt?: number;
  /** When it was last restored from the archive. */
  activatedAt?: number;
  /** An index's entries. */
  children?: readonly Digest[];
  subject?: Digest;
  /** Who needs it: live holds on it, or on an index that it is part of. */
  holders?: readonly string[];
}

export type Verdict = 'keep' | 'expire' | 'archive' | 'held';

/**
 * Why an image has its verdict:
 * - `part-of`: an index that is here lists it; `refers-to`: its subject is here. Both are outside every rule's sight.
 *   `goes`: that one expires, so that this one is an image like others for the next run.
 * - `no-rule`: no rule selects it.
 * - `kept`: its rule keeps all that it selects.
 * - `within-count`: among the newest that its rule keeps; `beyond-count`: not.
 * - `too-young`, `old-enough`: by the age that its rule looks at.
 */
export type Reason =
  | { kind: 'part-of' | 'refers-to'; digest: Digest; goes: boolean }
  | { kind: 'no-rule' }
  | { kind: 'kept' }
  | { kind: 'within-count' | 'beyond-count'; place: number; limit: number; of: number }
  | { kind: 'too-young' | 'old-enough'; since: 'pushed' | 'pulled' | 'activated' | 'archived'; ageMs: number; limitDays: number };

export interface ImageVerdict {
  digest: Digest;
  verdict: Verdict;
  /** Priority of the rule that owns the image. */
  rule?: number;
  reason: Reason;
  /** For `held`: who needs it, and what the rule would have done. */
  holders?: readonly string[];
  wouldBe?: 'expire' | 'archive';
}

type Follower = Extract<Reason, { goes: boolean }>;

const DAY = 86_400_000;

/** An image and what a policy says of it. */
export interface JudgedImage<Image extends LifecycleImage = LifecycleImage> {
  image: Image;
  verdict: ImageVerdict;
}

/**
 * What a policy says of each image of a repository, oldest first. Pure: the preview and the run both call it, so they
 * cannot disagree.
 *
 * The rules are evaluated independently, then each image belongs to the rule of the lowest priority number whose
 * *selection* (storage class, tag status, patterns) takes it; that rule alone decides. A lower rule counts the image
 * but never acts on it (lifecycle_policies, "How lifecycle policies work"; reproduces every worked example there).
 * Cost: a lookup for each tag and each length of a prefix, one sort.
 */
export function evaluateLifecycle<Image extends LifecycleImage>(
  policy: LifecyclePolicy,
  images: readonly Image[],
  now: number,
): JudgedImage<Image>[] {
  return inOneGo(evaluateInSteps(policy, images, now));
}

/** `evaluateLifecycle`, step by step. */
export function* evaluateInSteps<Image extends LifecycleImage>(
  policy: LifecyclePolicy,
  images: readonly Image[],
  now: number,
): Steps<JudgedImage<Image>[]> {
  const oldestFirst = [...images].sort(
    (a, b) => countedFrom(a) - countedFrom(b) || a.pushedAt - b.pushedAt || (a.digest < b.digest ? -1 : 1),
  );
  yield;
  const outside = yield* findOutside(images);
  const { rules } = policy;
  const selectRules = compileSelection(policy);

  // Newest first, so that an image's place in a rule's count is the number of images the rule has selected so far.
  const selected = new Int32Array(rules.length);
  const owners = new Int32Array(oldestFirst.length).fill(-1);
  const places = new Int32Array(oldestFirst.length);
  for (let at = oldestFirst.length - 1; at >= 0; at--) {
    if (at % STEP === 0) yield;
    const image = oldestFirst[at];
    if (image === undefined || outside.has(image.digest)) continue;
    let owner = rules.length;
    selectRules(image, (index) => {
      selected[index] = (selected[index] ?? 0) + 1;
      if (index < owner) owner = index;
    });
    if (owner === rules.length) continue;
    owners[at] = owner;
    places[at] = selected[owner] ?? 0;
  }

  const judged: JudgedImage<Image>[] = [];
  for (const [at, image] of oldestFirst.entries()) {
    if (at % STEP === 0) yield;
    const owner = owners[at] ?? -1;
    const rule = rules[owner];
    const verdict =
      rule === undefined
        ? unowned(image, outside.get(image.digest))
        : owned(image, rule, judge(rule, image, places[at] ?? 0, selected[owner] ?? 0, now));
    judged.push({ image, verdict });
  }
  yield* markFollowers(judged, outside);
  return judged;
}

function unowned({ digest }: LifecycleImage, excluded: Reason | undefined): ImageVerdict {
  return { digest, verdict: 'keep', reason: excluded ?? { kind: 'no-rule' } };
}

function owned(
  { digest, holders }: LifecycleImage,
  { priority, action }: LifecycleRule,
  { acts, reason }: { acts: boolean; reason: Reason },
): ImageVerdict {
  if (!acts) return { digest, verdict: 'keep', rule: priority, reason };
  const wouldBe = action === 'transition' ? 'archive' : 'expire';
  if (holders === undefined || holders.length === 0) return { digest, verdict: wouldBe, rule: priority, reason };
  return { digest, verdict: 'held', rule: priority, reason, holders, wouldBe };
}

function judge(
  rule: LifecycleRule,
  image: LifecycleImage,
  place: number,
  of: number,
  now: number,
): { acts: boolean; reason: Reason } {
  const limit = rule.countNumber ?? 0;
  switch (rule.countType) {
    case undefined:
      return { acts: false, reason: { kind: 'kept' } };
    case 'imageCountMoreThan': {
      const acts = place > limit;
      return { acts, reason: { kind: acts ? 'beyond-count' : 'within-count', place, limit, of } };
    }
    case 'sinceImagePushed':
      return byAge(image.activatedAt === undefined ? 'pushed' : 'activated', countedFrom(image), limit, now);
    case 'sinceImagePulled': {
      const { activatedAt, pulledAt, pushedAt } = image;
      // A restored image that nobody has pulled since counts from its restoration.
      if (activatedAt !== undefined && (pulledAt === undefined || pulledAt < activatedAt))
        return byAge('activated', activatedAt, limit, now);
      return pulledAt === undefined ? byAge('pushed', pushedAt, limit, now) : byAge('pulled', pulledAt, limit, now);
    }
    case 'sinceImageTransitioned':
      return byAge('archived', image.archivedAt ?? now, limit, now);
  }
}

/** Strictly older: an image pushed exactly one day ago survives "1 day" (the documentation's own example). */
function byAge(
  since: 'pushed' | 'pulled' | 'activated' | 'archived',
  from: number,
  limitDays: number,
  now: number,
): { acts: boolean; reason: Reason } {
  const ageMs = now - from;
  const acts = ageMs > limitDays * DAY;
  return { acts, reason: { kind: acts ? 'old-enough' : 'too-young', since, ageMs, limitDays } };
}

function countedFrom(image: LifecycleImage): number {
  return image.activatedAt ?? image.pushedAt;
}

/**
 * Entries of an index that is here, and referrers whose subject is here: no rule marks or counts them. (Seen on AWS: of 26
 * images with two old entries of an index among them, "any, more than 20" expired exactly four.)
 */
function* findOutside(images: readonly LifecycleImage[]): Steps<Map<Digest, Follower>> {
  const outside = new Map<Digest, Follower>();
  const listed = new Map<Digest, Digest>();
  const subjects = new Set<Digest>();
  for (const { digest, storageClass, children = [], subject } of images) {
    if (storageClass === 'standard') for (const child of children) if (child !== digest) listed.set(child, digest);
    if (subject !== undefined && subject !== digest) subjects.add(subject);
  }
  if (listed.size + subjects.size === 0) return outside;
  const present = new Set<Digest>();
  for (const [at, { digest }] of images.entries()) {
    if (at % STEP === 0) yield;
    const parent = listed.get(digest);
    if (parent !== undefined) outside.set(digest, { kind: 'part-of', digest: parent, goes: false });
    if (subjects.has(digest)) present.add(digest);
  }
  for (const [at, { digest, subject }] of images.entries()) {
    if (at % STEP === 0) yield;
    if (subject !== undefined && subject !== digest && present.has(subject) && !outside.has(digest))
      outside.set(digest, { kind: 'refers-to', digest: subject, goes: false });
  }
  return outside;
}

function* markFollowers(judged: readonly JudgedImage[], outside: ReadonlyMap<Digest, Follower>): Steps<void> {
  if (outside.size === 0) return;
  const going = new Set<Digest>();
  for (const { verdict } of judged) if (verdict.verdict === 'expire') going.add(verdict.digest);
  yield;
  for (const follower of outside.values()) follower.goes = going.has(follower.digest);
}
