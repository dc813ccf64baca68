import { shortDigest } from '../core/digest.ts';
import type { ImageVerdict } from './evaluate.ts';

const DAY = 86_400_000;

/** Why an image has its verdict, for people: a sentence without a full stop. */
export function describeVerdict({ rule, reason, holders = [], wouldBe }: ImageVerdict): string {
  const why = describeReason(rule, reason);
  if (wouldBe === undefined) return why;
  const shown = holders.slice(0, 3).join(', ');
  const more = holders.length > 3 ? ` and ${holders.length - 3} more` : '';
  return `needed by ${shown}${more}; else rule ${rule ?? 0} would ${wouldBe} it: ${why}`;
}

function describeReason(rule: number | undefined, reason: ImageVerdict['reason']): string {
  switch (reason.kind) {
    case 'part-of':
      return `part of the index ${shortDigest(reason.digest)}, which is here`;
    case 'refers-to':
      return `refers to ${shortDigest(reason.digest)}, and stays as long as that does`;
    case 'no-rule':
      return 'no rule selects it';
    case 'kept':
      return `rule ${rule} keeps all that it selects`;
    case 'within-count':
    case 'beyond-count':
      return `number ${reason.place} of ${reason.of} by rule ${rule}, which keeps the newest ${reason.limit}`;
    case 'too-young':
    case 'old-enough': {
      const age = Math.floor(Math.max(0, reason.ageMs) / DAY);
      return `${reason.since} ${age} d ago; the limit of rule ${rule} is ${reason.limitDays} d`;
    }
  }
}
