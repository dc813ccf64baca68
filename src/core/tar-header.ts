import { TarError } from './tar-entry.ts';

/** One header block, 512 bytes, as POSIX and GNU lay it out (POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar, "Basic Tar Format"). */
export const BLOCK = 512;

export interface RawHeader {
  name: Buffer;
  linkName: Buffer;
  typeFlag: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  deviceMajor: number;
  deviceMinor: number;
}

/** `undefined` for a block of zeros, which ends an archive. Raises `TarError`. */
export function readHeader(block: Buffer, at: number): RawHeader | undefined {
  if (isZero(block)) return undefined;
  checkSum(block, at);
  const number = (start: number, end: number, what: string): number => readNumber(block.subarray(start, end), what, at);
  // GNU keeps times where ustar has a prefix; its magic is "ustar  ".
  const isUstar = block.toString('latin1', 257, 263) === 'ustar\0';
  const isGnu = block.toString('latin1', 257, 265) === 'ustar  \0';
  const prefix = isUstar ? text(block.subarray(345, 500)) : Buffer.alloc(0);
  const name = text(block.subarray(0, 100));
  return {
    name: prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), name]) : name,
    linkName: text(block.subarray(157, 257)),
    typeFlag: String.fromCharCode(block[156] ?? 0),
    mode: number(100, 108, 'mode') & 0o7777,
    uid: whole(number(108, 116, 'uid'), 'uid', at),
    gid: whole(number(116, 124, 'gid'), 'gid', at),
    size: whole(number(124, 136, 'size'), 'size', at),
    mtime: number(136, 148, 'mtime'),
    deviceMajor: isUstar || isGnu ? whole(number(329, 337, 'device'), 'device', at) : 0,
    deviceMinor: isUstar || isGnu ? whole(number(337, 345, 'device'), 'device', at) : 0,
  };
}

/** The sum of all bytes, the field of the sum itself counted as spaces. */
export function headerSum(block: Uint8Array): number {
  let sum = 8 * 0x20;
  for (let index = 0; index < BLOCK; index++) if (index < 148 || index >= 156) sum += block[index] ?? 0;
  return sum;
}

function checkSum(block: Buffer, at: number): void {
  const written = readNumber(block.subarray(148, 156), 'checksum', at);
  if (written === headerSum(block)) return;
  // Some old programs summed bytes with a sign.
  let signed = 8 * 0x20;
  for (let index = 0; index < BLOCK; index++) if (index < 148 || index >= 156) signed += block.readInt8(index);
  if (written !== signed)
    throw new TarError(`the header at byte ${at} does not match its checksum: this is no tar archive, or it is damaged`);
}

/** Octal digits between spaces and NULs, or, with the first bit set, a big-endian number in two's complement (GNU). */
function readNumber(field: Buffer, what: string, at: number): number {
  const first = field[0] ?? 0;
  if (first & 0x80) {
    let value = first & 0x40 ? (first & 0x3f) - 0x40 : first & 0x3f;
    for (const byte of field.subarray(1)) {
      value = value * 256 + byte;
      if (!Number.isSafeInteger(value)) throw new TarError(`the ${what} of the header at byte ${at} is too large`);
    }
    return value;
  }
  const digits = /^[ \0]*([0-7]*)[ \0]*$/.exec(field.toString('latin1'))?.[1];
  if (digits === undefined) throw new TarError(`the ${what} of the header at byte ${at} is not a number`);
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function whole(value: number, what: string, at: number): number {
  if (value < 0) throw new TarError(`the ${what} of the header at byte ${at} is negative`);
  return value;
}

/** Up to the first NUL. */
function text(field: Buffer): Buffer {
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end));
}

function isZero(block: Buffer): boolean {
  for (const byte of block) if (byte !== 0) return false;
  return true;
}

/** Zeros behind a body, up to the next block. */
export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}
