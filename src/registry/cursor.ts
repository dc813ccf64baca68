import { Fault } from '../core/fault.ts';
import type { Page } from '../core/page.ts';

type Kind = 'number' | 'string';
type Values<Kinds extends readonly Kind[]> = { -readonly [K in keyof Kinds]: Kinds[K] extends 'number' ? number : string };

/** The sort key of the last row of a page, opaque to clients: the next page begins behind it, whatever comes or goes. */
export function encodeCursor(values: (number | string)[]): string {
  return Buffer.from(JSON.stringify(values)).toString('base64url');
}

/** Raises `parameter-invalid` for anything that `encodeCursor` did not make of values of these kinds. */
export function decodeCursor<const Kinds extends readonly Kind[]>(text: string, kinds: Kinds): Values<Kinds> {
  const invalid = () =>
    new Fault('parameter-invalid', { member: 'nextToken', constraint: 'Must be a token from an earlier page' });
  if (text.length > 2048) throw invalid();
  let values: unknown;
  try {
    values = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    throw invalid();
  }
  const fits = (value: unknown, index: number) =>
    typeof value === kinds[index] && (typeof value !== 'number' || Number.isSafeInteger(value));
  if (!Array.isArray(values) || values.length !== kinds.length || !values.every(fits)) throw invalid();
  return values as Values<Kinds>;
}

/** Makes a page of rows that were read with one more than `limit`. */
export function pageOf<Row, Item>(
  rows: Row[],
  limit: number,
  key: (row: Row) => (number | string)[],
  item: (row: Row) => Item,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const hasMore = rows.length > limit && last !== undefined;
  return { items: shown.map(item), ...(hasMore ? { next: encodeCursor(key(last)) } : {}) };
}
