/** What a tar archive holds: the words that its reader and its writer share. */
export type TarType =
  | 'file'
  | 'hard-link'
  | 'symbolic-link'
  | 'character-device'
  | 'block-device'
  | 'folder'
  | 'fifo'
  | 'unknown';

/** The single characters that stand for the types in a header (POSIX.1-2017, pax, "ustar Header Block"). */
export const TYPE_FLAGS: Readonly<Record<Exclude<TarType, 'unknown'>, string>> = {
  'file': '0',
  'hard-link': '1',
  'symbolic-link': '2',
  'character-device': '3',
  'block-device': '4',
  'folder': '5',
  'fifo': '6',
};

/** Everything of one entry but its bytes. Names are bytes: two that differ may decode to the same text. */
export interface TarHeader {
  name: Buffer;
  /** Empty where there is none. Of a hard link: the name of an earlier entry. */
  linkName: Buffer;
  type: TarType;
  /** Permission bits with setuid, setgid and sticky. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of the body; 0 for everything that has none. */
  size: number;
  /** Seconds since the epoch, with a fraction where the archive has one. */
  mtime: number;
  deviceMajor: number;
  deviceMinor: number;
  /** Extended attributes by their full name: `security.capability`. */
  xattrs: ReadonlyMap<string, Buffer>;
}

export interface TarEntry extends TarHeader {
  /** The character of the header; tells what an `unknown` entry is. */
  typeFlag: string;
  /** Where its body begins in the archive, in bytes. */
  offset: number;
  /** For people only. */
  displayName: string;
  /** Must be read before the next entry is asked for, or not at all: what is left of it is skipped then. */
  body: AsyncIterable<Uint8Array>;
}

/** An archive that cannot be read, or that would exhaust whoever reads it: what is wrong, and where. */
export class TarError extends Error {
  override readonly name = 'TarError';
}

export interface TarLimits {
  /** Of the whole archive, in bytes, what comes after its end included. */
  bytes: number;
  entries: number;
  nameBytes: number;
  linkNameBytes: number;
  /** Of the extended headers of one entry together, and of what global headers leave behind. */
  paxBytes: number;
  /** Of a name in GNU's own long form. */
  longNameBytes: number;
  /** Of one extended attribute. */
  xattrBytes: number;
}

const KIB = 1024;

export const TAR_LIMITS: TarLimits = {
  bytes: 64 * KIB ** 3,
  entries: 2_000_000,
  nameBytes: 4096,
  linkNameBytes: 4096,
  paxBytes: KIB ** 2,
  longNameBytes: 64 * KIB,
  xattrBytes: 64 * KIB,
};

const LONGEST_COMPONENT = 255;
const DEEPEST = 256;

/**
 * The components of a name below the archive's root: leading slashes, empty components and `.` are gone, and the root
 * itself is an empty list. Raises `TarError` for `..`, for NUL, and for what no file system takes.
 */
export function splitEntryName(name: Buffer): Buffer[] {
  const components: Buffer[] = [];
  for (let start = 0; start <= name.length;) {
    const slash = name.indexOf(0x2f, start);
    const end = slash < 0 ? name.length : slash;
    const component = name.subarray(start, end);
    start = end + 1;
    if (component.length === 0 || (component.length === 1 && component[0] === 0x2e)) continue;
    if (component.length === 2 && component[0] === 0x2e && component[1] === 0x2e)
      refuse(name, 'leads out of the archive by ".."');
    if (component.includes(0)) refuse(name, 'has a NUL in it');
    if (component.length > LONGEST_COMPONENT) refuse(name, `has a component longer than ${LONGEST_COMPONENT} bytes`);
    if (components.push(component) > DEEPEST) refuse(name, `lies deeper than ${DEEPEST} folders`);
  }
  return components;
}

/** A name as an error may show it. */
export function showName(name: Buffer): string {
  return JSON.stringify(name.subarray(0, 200).toString('utf8'));
}

function refuse(name: Buffer, what: string): never {
  throw new TarError(`the name ${showName(name)} ${what}`);
}
