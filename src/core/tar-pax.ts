import { TarError } from './tar-entry.ts';

/** Records of an extended header: `LENGTH KEY=VALUE\n`, one after another (POSIX.1-2017, pax, "pax Extended Header"). */
export type PaxRecords = Map<string, Buffer>;

const XATTR = 'SCHILY.xattr.';
const LONGEST_LENGTH = 8;

/** Raises `TarError`. An empty value takes a record of a global header away, and is kept as such. */
export function readPax(bytes: Buffer): PaxRecords {
  const records: PaxRecords = new Map();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const written = space < 0 || space - at > LONGEST_LENGTH ? '' : bytes.toString('latin1', at, space);
    const length = /^[1-9][0-9]*$/.test(written) ? Number(written) : 0;
    const end = at + length;
    const equals = bytes.indexOf(0x3d, space);
    if (
      length === 0 ||
      end > bytes.length ||
      bytes[end - 1] !== 0x0a ||
      equals < 0 ||
      equals >= end - 1 ||
      equals === space + 1
    ) {
      throw new TarError('an extended header cannot be read: a record is not "LENGTH KEY=VALUE" and a line end');
    }
    const key = bytes.toString('utf8', space + 1, equals);
    const value = bytes.subarray(equals + 1, end - 1);
    if (key.startsWith('GNU.sparse.'))
      throw new TarError('the archive has a sparse file, which is not supported; make it without --sparse');
    if (value.includes(0) && !key.startsWith(XATTR))
      throw new TarError(`the record ${JSON.stringify(key.slice(0, 100))} of an extended header has a NUL in it`);
    records.set(key, value);
    at = end;
  }
  return records;
}

/** A whole number that is not negative; `undefined` when there is no such record. */
export function paxCount(records: PaxRecords, key: string): number | undefined {
  const text = paxText(records, key);
  if (text === undefined) return undefined;
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new TarError(`the ${key} of an extended header is not a whole number that can be`);
  return value;
}

/** Seconds, with a sign and a fraction where they have one. */
export function paxTime(records: PaxRecords, key: string): number | undefined {
  const text = paxText(records, key);
  if (text === undefined) return undefined;
  if (!/^-?[0-9]{1,15}(?:\.[0-9]{0,30})?$/.test(text)) throw new TarError(`the ${key} of an extended header is not a time`);
  return Number(text);
}

export function paxBytes(records: PaxRecords, key: string): Buffer | undefined {
  const value = records.get(key);
  return value === undefined || value.length === 0 ? undefined : Buffer.from(value);
}

/** Extended attributes, as star and GNU tar write them. Raises `TarError` for one longer than `limit` bytes. */
export function paxXattrs(records: PaxRecords, limit: number): Map<string, Buffer> {
  const xattrs = new Map<string, Buffer>();
  for (const [key, value] of records) {
    if (!key.startsWith(XATTR)) continue;
    if (value.length > limit) throw new TarError(`an extended attribute has more than ${limit} bytes`);
    xattrs.set(key.slice(XATTR.length), Buffer.from(value));
  }
  return xattrs;
}

/** The bytes of an extended header. */
export function writePax(records: Iterable<readonly [key: string, value: Buffer]>): Buffer {
  const parts: Buffer[] = [];
  for (const [key, value] of records) {
    const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
    // The length counts its own digits.
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
    parts.push(Buffer.from(String(length)), rest);
  }
  return Buffer.concat(parts);
}

export const paxXattrKey = (name: string): string => `${XATTR}${name}`;

function paxText(records: PaxRecords, key: string): string | undefined {
  return paxBytes(records, key)?.toString('latin1');
}
