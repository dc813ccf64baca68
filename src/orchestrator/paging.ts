import { invalidParameter } from './ecs-faults.ts';

/** How many at most the lists of the ECS API give at once, and do unless they are asked for fewer. */
export const LONGEST_PAGE = 100;

/** Checks `maxResults`. Raises `ecs`. */
export function readLimit(maxResults: number | undefined, fallback = LONGEST_PAGE, longest = LONGEST_PAGE): number {
  if (maxResults === undefined) return fallback;
  if (maxResults < 1 || maxResults > longest) throw invalidParameter(`maxResults must be between 1 and ${longest}.`);
  return maxResults;
}

type Position = (string | number)[];

/** The sort key of the last row of a page, opaque to clients: the next page begins behind it, whatever comes or goes. */
export function encodeToken(list: string, position: Position): string {
  return Buffer.from(JSON.stringify([list, ...position])).toString('base64url');
}

/** Raises `ecs` for anything that `encodeToken` did not make for this list. `sample` has the types of a position. */
export function decodeToken<const Sample extends Position>(
  list: string,
  token: string,
  sample: Sample,
): { -readonly [K in keyof Sample]: Sample[K] extends number ? number : string } {
  const invalid = () => invalidParameter('Invalid token. Use the nextToken of an earlier page of the same list.');
  if (token.length > 4096) throw invalid();
  let values: unknown;
  try {
    values = JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    throw invalid();
  }
  if (!Array.isArray(values) || values[0] !== list || values.length !== sample.length + 1) throw invalid();
  const position = values.slice(1) as unknown[];
  if (!position.every((value, index) => typeof value === typeof sample[index])) throw invalid();
  return position as { -readonly [K in keyof Sample]: Sample[K] extends number ? number : string };
}

/** Makes a page of rows that were read with one more than `limit`. */
export function pageOf<Row>(
  list: string,
  rows: Row[],
  limit: number,
  position: (row: Row) => Position,
): { rows: Row[]; nextToken?: string } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return rows.length > limit && last !== undefined
    ? { rows: shown, nextToken: encodeToken(list, position(last)) }
    : { rows: shown };
}
