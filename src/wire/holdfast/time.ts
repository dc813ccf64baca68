const FORM = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/;

/**
 * Milliseconds since the epoch of an ISO 8601 time with its zone, or of a day, which begins in UTC. `undefined` for
 * anything else, a 31st of February among it.
 */
export function parseTime(text: string): number | undefined {
  if (!FORM.test(text)) return undefined;
  const time = Date.parse(text);
  if (Number.isNaN(time)) return undefined;
  // Date.parse takes a 30th of February for a day in March.
  const day = text.slice(0, 10);
  return new Date(`${day}T00:00:00Z`).toISOString().slice(0, 10) === day ? time : undefined;
}

/** As every answer writes a time. */
export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
