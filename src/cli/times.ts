import { UsageError } from './command.ts';
import { printable } from './format.ts';

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const LONGEST = 10 * 365 * 86_400_000;

/** Milliseconds of `90s`, `15m`, `2h`, `7d` or `4w`. Raises UsageError. */
export function parseTimeSpan(text: string): number {
  const [, count, unit = ''] = /^([0-9]{1,9})([smhdw])$/.exec(text) ?? [];
  const span = Number(count) * (UNITS[unit] ?? Number.NaN);
  if (!(span > 0 && span <= LONGEST))
    throw new UsageError(`"${printable(text.slice(0, 60))}" is not a length of time. Write 90s, 15m, 2h, 7d or 4w.`);
  return span;
}

/**
 * Milliseconds since the epoch of a moment as people write it: `2h ago`, `now`, an ISO 8601 time, or a day with or without
 * a time of day; without a zone it is the machine's own. Raises UsageError, for the future too.
 */
export function parseMoment(text: string, now: number): number {
  const words = text.trim();
  const ago = /^([0-9]+[smhdw])\s+ago$/.exec(words)?.[1];
  if (ago !== undefined) return now - parseTimeSpan(ago);
  if (words === 'now') return now;
  const [, day, time, zone] =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)\s?(Z|[+-]\d\d:\d\d)?)?$/.exec(words) ?? [];
  const moment = day === undefined ? Number.NaN : Date.parse(`${day}T${time ?? '00:00'}${zone ?? ''}`);
  const isDay =
    day !== undefined && !Number.isNaN(Date.parse(`${day}T00:00Z`)) && new Date(`${day}T00:00Z`).toISOString().startsWith(day);
  if (Number.isNaN(moment) || !isDay)
    throw new UsageError(
      `"${printable(text.slice(0, 60))}" is not a time. Write "2h ago", 2026-03-01, "2026-03-01 14:05" or 2026-03-01T14:05:00Z.`,
    );
  if (moment > now) throw new UsageError(`${new Date(moment).toISOString()} has not come yet.`);
  return moment;
}
