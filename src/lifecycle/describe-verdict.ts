import { shortDigest } from '../core/digest.ts';
import type { ImageVerdict } from './evaluate.ts';

const DAY = 86_400_000;

/**
 * Why an image has its verdict, for people: as few words as will do, since a table has to hold them beside the verdict and
 * the rule.
 */
export function describeVerdict({ rule, reason, holders = [], wouldBe }: ImageVerdict): string {
  const why = describeReason(reason);
  if (wouldBe === undefined) return why;
  // ECS's holders are ARNs; what follows their type is what everybody says.
  const shown = holders
    .slice(0, 3)
    .map((holder) => holder.replace(/ arn:aws:ecs:[^/]*\//, ' '))
    .join(', ');
  const more = holders.length > 3 ? ` and ${holders.length - 3} more` : '';
  return `needed by ${shown}${more}; else rule ${rule ?? 0} would ${wouldBe} it: ${why}`;
}

function describeReason(reason: ImageVerdict['reason']): string {
  switch (reason.kind) {
    case 'part-of':
      return reason.goes
        ? `in index ${short(reason.digest)}, which goes: the next run judges it`
        : `in index ${short(reason.digest)}, which stays`;
    case 'refers-to':
      return reason.goes
        ? `refers to ${short(reason.digest)}, which goes, and follows it`
        : `refers to ${short(reason.digest)}, which stays`;
    case 'no-rule':
      return 'no rule selects it';
    case 'kept':
      return 'the rule keeps all that it selects';
    case 'within-count':
    case 'beyond-count':
      return `number ${reason.place} of ${reason.of}; the newest ${reason.limit} stay`;
    case 'too-young':
    case 'old-enough': {
      const age = Math.floor(Math.max(0, reason.ageMs) / DAY);
      return `${reason.since} ${age} d ago; the limit is ${reason.limitDays} d`;
    }
  }
}

function short(digest: Parameters<typeof shortDigest>[0]): string {
  return shortDigest(digest).replace(/^sha256:/, '');
}
