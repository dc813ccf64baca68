import { Fault } from '../../core/fault.ts';

/** Part of a blob: `first` and `last` byte, both inside it. */
export interface ByteRange {
  first: number;
  last: number;
}

const RANGE = /^bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*$/;

/**
 * Reads a `Range` header for content of `size` bytes. `undefined` stands for the whole: no header, another unit, a form
 * that does not parse, or several ranges (RFC 9110, 14.2: a server may ignore them). Raises `range-not-satisfiable`
 * where nothing of the content is asked for, and for a range that ends before it starts.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | undefined {
  if (header === undefined) return undefined;
  const [, from = '', to = ''] = RANGE.exec(header) ?? [];
  if (from === '' && to === '') return undefined;
  if (from === '') {
    const length = Math.min(Number(to), size);
    if (length === 0) throw new Fault('range-not-satisfiable', { size });
    return { first: size - length, last: size - 1 };
  }
  const first = Number(from);
  const last = to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (first >= size || last < first) throw new Fault('range-not-satisfiable', { size });
  return { first, last };
}

const CONTENT_RANGE = /^([0-9]{1,15})-([0-9]{1,15})$/;

/** Reads the `Content-Range` of a chunk (distribution-spec: `<first>-<last>`, no unit). Raises `parameter-invalid`. */
export function parseContentRange(header: string | undefined): ByteRange | undefined {
  if (header === undefined) return undefined;
  const [, from, to] = CONTENT_RANGE.exec(header) ?? [];
  const first = Number(from);
  const last = Number(to);
  if (from === undefined || to === undefined || last < first) {
    throw new Fault('parameter-invalid', { member: 'Content-Range', constraint: 'must be <first byte>-<last byte>' });
  }
  return { first, last };
}
