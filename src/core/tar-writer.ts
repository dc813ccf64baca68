import { TYPE_FLAGS, type TarHeader } from './tar-entry.ts';
import { BLOCK, headerSum, padding } from './tar-header.ts';
import { paxXattrKey, writePax } from './tar-pax.ts';

export interface TarInput extends Partial<Omit<TarHeader, 'name' | 'type' | 'linkName'>> {
  name: string | Buffer;
  linkName?: string | Buffer;
  type: Exclude<TarHeader['type'], 'unknown'>;
  /** Must bring `size` bytes exactly. */
  body?: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

const LARGEST_OCTAL_8 = 0o7777777;
const LARGEST_OCTAL_12 = 0o77777777777;

/**
 * Writes a tar archive in the order of the entries: the same entries give the same bytes, on every machine. The format is
 * ustar, with an extended header only for what ustar cannot say. Raises an Error when a body is not as long as was said.
 */
export async function* writeTar(
  entries: AsyncIterable<TarInput> | Iterable<TarInput>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const entry of entries) {
    const size = entry.type === 'file' ? (entry.size ?? 0) : 0;
    yield headerOf(entry, size);
    let written = 0;
    if (size > 0) {
      for await (const chunk of entry.body ?? []) {
        written += chunk.length;
        if (written > size) break;
        yield chunk;
      }
    }
    if (written !== size)
      throw new Error(
        `${bytesOf(entry.name).toString()} has ${written > size ? 'more' : 'fewer'} bytes than the ${size} that it had before; it was changed meanwhile`,
      );
    if (padding(size) > 0) yield Buffer.alloc(padding(size));
  }
  yield Buffer.alloc(2 * BLOCK);
}

function headerOf(entry: TarInput, size: number): Buffer {
  const { uid = 0, gid = 0, mtime = 0, xattrs = new Map<string, Buffer>() } = entry;
  const name = bytesOf(entry.name);
  const linkName = bytesOf(entry.linkName ?? '');
  const split = splitName(name);
  const pax: [string, Buffer][] = [];
  if (split === undefined || !isAscii(name)) pax.push(['path', name]);
  if (linkName.length > 100 || !isAscii(linkName)) pax.push(['linkpath', linkName]);
  if (size > LARGEST_OCTAL_12) pax.push(['size', Buffer.from(String(size))]);
  if (uid > LARGEST_OCTAL_8) pax.push(['uid', Buffer.from(String(uid))]);
  if (gid > LARGEST_OCTAL_8) pax.push(['gid', Buffer.from(String(gid))]);
  if (!Number.isInteger(mtime) || mtime < 0 || mtime > LARGEST_OCTAL_12) pax.push(['mtime', Buffer.from(String(mtime))]);
  for (const key of [...xattrs.keys()].sort()) pax.push([paxXattrKey(key), xattrs.get(key) ?? Buffer.alloc(0)]);

  const block = headerBlock({
    prefix: split?.prefix ?? Buffer.alloc(0),
    name: split?.name ?? name.subarray(0, 100),
    linkName: linkName.subarray(0, 100),
    typeFlag: TYPE_FLAGS[entry.type],
    numbers: [
      entry.mode ?? 0o644,
      Math.min(uid, LARGEST_OCTAL_8),
      Math.min(gid, LARGEST_OCTAL_8),
      Math.min(size, LARGEST_OCTAL_12),
      clampTime(mtime),
    ],
    devices: [entry.deviceMajor ?? 0, entry.deviceMinor ?? 0],
  });
  if (pax.length === 0) return block;
  const records = writePax(pax);
  const announcement = headerBlock({
    prefix: Buffer.alloc(0),
    name: Buffer.from('PaxHeaders/entry'),
    linkName: Buffer.alloc(0),
    typeFlag: 'x',
    numbers: [0o644, 0, 0, records.length, 0],
    devices: [0, 0],
  });
  return Buffer.concat([announcement, records, Buffer.alloc(padding(records.length)), block]);
}

interface HeaderFields {
  prefix: Buffer;
  name: Buffer;
  linkName: Buffer;
  typeFlag: string;
  /** mode, uid, gid, size, mtime */
  numbers: [number, number, number, number, number];
  devices: [major: number, minor: number];
}

function headerBlock({
  prefix,
  name,
  linkName,
  typeFlag,
  numbers: [mode, uid, gid, size, mtime],
  devices: [major, minor],
}: HeaderFields): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number): void =>
    void block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  name.copy(block, 0);
  octal(mode, 100, 8);
  octal(uid, 108, 8);
  octal(gid, 116, 8);
  octal(size, 124, 12);
  octal(mtime, 136, 12);
  block.write(typeFlag, 156, 'latin1');
  linkName.copy(block, 157);
  block.write('ustar\x0000', 257, 'latin1');
  octal(major, 329, 8);
  octal(minor, 337, 8);
  prefix.copy(block, 345);
  block.write(`${headerSum(block).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** As ustar keeps names: whole in 100 bytes, or cut at a slash into at most 155 and 100; `undefined` when it cannot. */
function splitName(name: Buffer): { prefix: Buffer; name: Buffer } | undefined {
  if (name.length <= 100) return { prefix: Buffer.alloc(0), name };
  // The last byte may be the slash of a folder, which cannot be the cut.
  const slash = name.subarray(0, Math.min(156, name.length - 1)).lastIndexOf(0x2f);
  const rest = name.length - slash - 1;
  return slash > 0 && rest <= 100 ? { prefix: name.subarray(0, slash), name: name.subarray(slash + 1) } : undefined;
}

function clampTime(mtime: number): number {
  return Math.min(Math.max(0, Math.floor(mtime)), LARGEST_OCTAL_12);
}

function isAscii(bytes: Buffer): boolean {
  return bytes.every((byte) => byte < 0x80);
}

function bytesOf(text: string | Buffer): Buffer {
  return typeof text === 'string' ? Buffer.from(text) : text;
}
