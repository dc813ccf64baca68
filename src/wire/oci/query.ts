import { Fault } from '../../core/fault.ts';

/** Values of a query string, decoded; several of one name in their order. Few and short: bounded by the request's head. */
export interface Query {
  get(name: string): string | undefined;
  all(name: string): string[];
}

const NONE: Query = { get: () => undefined, all: () => [] };

export function parseQuery(text: string): Query {
  if (text === '') return NONE;
  const values = new URLSearchParams(text);
  return {
    get: (name) => values.get(name) ?? undefined,
    all: (name) => values.getAll(name),
  };
}

/** Answers hold at most this many entries; a larger `n` is cut to it, as the spec allows, and `Link` leads on. */
export const LARGEST_PAGE = 1000;

/** The page size that `n` asks for. Raises `parameter-invalid` for anything but a whole number. */
export function parsePageSize(text: string | undefined): number {
  if (text === undefined) return LARGEST_PAGE;
  if (!/^[0-9]{1,20}$/.test(text))
    throw new Fault('parameter-invalid', { member: 'n', constraint: 'must be a whole number, 0 or more' });
  return Math.min(Number(text), LARGEST_PAGE);
}

/** `Link` to the next page (RFC 8288), as the spec's listings give it. */
export function nextLink(
  { path, namespace }: { path: string; namespace: string | undefined },
  parameters: [name: string, value: string][],
): string {
  const query = new URLSearchParams(parameters);
  if (namespace !== undefined) query.append('ns', namespace);
  return `<${path}?${query.toString()}>; rel="next"`;
}
