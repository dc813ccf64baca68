import type { JudgedImage } from './evaluate.ts';
import type { LifecyclePolicy } from './policy.ts';

/** Verdicts, counted. */
export interface VerdictCounts {
  images: number;
  expiring: number;
  archiving: number;
  held: number;
  keeping: number;
  /** Tags that the expiring images have. */
  tagsGoing: number;
  /** Of the images that rules can reach, how many expire, in percent: entries of indexes and referrers follow others. */
  sharePercent: number;
  /** Why a run of this waits for a person's word: a sentence. Absent: it does not. */
  waits?: string;
}

export const CONFIRM_ABOVE_PERCENT = 90;

/** Counts the verdicts of one evaluation, and says whether a run would wait. Pure. */
export function summarizeVerdicts(policy: LifecyclePolicy, judged: readonly JudgedImage[]): VerdictCounts {
  const counts = { expire: 0, archive: 0, held: 0, keep: 0 };
  let [reachable, tagsGoing] = [0, 0];
  for (const { image, verdict } of judged) {
    counts[verdict.verdict]++;
    if (verdict.verdict === 'expire') tagsGoing += image.tags.length;
    if (verdict.reason.kind !== 'part-of' && verdict.reason.kind !== 'refers-to') reachable++;
  }
  const sharePercent = reachable === 0 ? 0 : (counts.expire / reachable) * 100;
  const limit = policy.extension?.confirmAbovePercent ?? CONFIRM_ABOVE_PERCENT;
  const isAll = counts.expire > 0 && counts.expire === reachable;
  const waits = isAll
    ? `The policy would expire every image (${counts.expire}).`
    : sharePercent > limit
      ? `The policy would expire ${counts.expire} of ${reachable} images: more than ${limit} %.`
      : undefined;
  return {
    images: judged.length,
    expiring: counts.expire,
    archiving: counts.archive,
    held: counts.held,
    keeping: counts.keep,
    tagsGoing,
    sharePercent: Math.round(sharePercent * 10) / 10,
    ...(waits === undefined ? {} : { waits }),
  };
}
