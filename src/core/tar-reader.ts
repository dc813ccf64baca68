import { createByteSource, type ByteSource } from './byte-source.ts';
import { showName, TAR_LIMITS, TarError, TYPE_FLAGS, type TarEntry, type TarLimits, type TarType } from './tar-entry.ts';
import { BLOCK, padding, readHeader, type RawHeader } from './tar-header.ts';
import { paxBytes, paxCount, paxTime, paxXattrs, readPax, type PaxRecords } from './tar-pax.ts';

const TYPES: ReadonlyMap<string, TarType> = new Map([
  ...Object.entries(TYPE_FLAGS).map(([type, flag]): [string, TarType] => [flag, type as TarType]),
  ['\0', 'file'],
  // A contiguous file, which no system treats in another way.
  ['7', 'file'],
]);

/** What the entry that comes next has been given beforehand. */
interface Announced {
  pax: PaxRecords;
  longName?: Buffer;
  longLinkName?: Buffer;
  bytes: number;
}

/**
 * Reads a tar archive from a stream in constant memory: v7, ustar, pax (extended and global headers, extended
 * attributes), GNU's long names and base-256 numbers. Every header's checksum is verified. Names are given as they
 * stand: `splitEntryName` says where they lead. Types that it does not know are given as `unknown`, with their bytes.
 *
 * The source is read to its very end, also behind the end of the archive, so that who hashes it beside has all of it.
 * Raises `TarError` for what is damaged, cut short, sparse, or beyond the limits; errors of the source come through.
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
  given: Partial<TarLimits> = {},
): AsyncGenerator<TarEntry, void, undefined> {
  const limits = { ...TAR_LIMITS, ...given };
  const bytes = createByteSource(source);
  try {
    yield* readEntries(bytes, limits);
  } finally {
    await bytes.close();
  }
}

async function* readEntries(bytes: ByteSource, limits: TarLimits): AsyncGenerator<TarEntry, void, undefined> {
  const globals: PaxRecords = new Map();
  let announced = nothing();
  let entries = 0;
  for (;;) {
    const at = bytes.position;
    if (at > limits.bytes) tooLarge(limits);
    const block = await bytes.take(BLOCK);
    // Some writers leave the end mark out.
    if (block.length === 0) break;
    if (block.length < BLOCK) cutShort(bytes);
    const header = readHeader(block, at);
    if (header === undefined) {
      await drain(bytes, limits);
      break;
    }
    if (++entries > limits.entries) throw new TarError(`the archive has more than ${limits.entries} entries`);
    if (await readAnnouncement(bytes, header, announced, globals, limits)) continue;
    const entry = describe(header, announced, globals, limits);
    announced = nothing();
    if (at + entry.size > limits.bytes) tooLarge(limits);
    const body = createBody(bytes, entry.size);
    yield { ...entry, offset: bytes.position, body: body.chunks };
    await body.finish();
  }
  if (announced.bytes > 0) throw new TarError('the archive ends behind a header that announces another entry');
}

function nothing(): Announced {
  return { pax: new Map(), bytes: 0 };
}

/** Takes in a header that only speaks of what follows; false for a real entry. */
async function readAnnouncement(
  bytes: ByteSource,
  { typeFlag, size }: RawHeader,
  announced: Announced,
  globals: PaxRecords,
  limits: TarLimits,
): Promise<boolean> {
  if (typeFlag === 'L' || typeFlag === 'K') {
    if (size > limits.longNameBytes) throw new TarError(`a long name has more than ${limits.longNameBytes} bytes`);
    const text = await takePadded(bytes, size);
    const end = text.indexOf(0);
    const name = Buffer.from(end < 0 ? text : text.subarray(0, end));
    if (typeFlag === 'L') announced.longName = name;
    else announced.longLinkName = name;
  } else if (typeFlag === 'x' || typeFlag === 'g') {
    if (size + announced.bytes > limits.paxBytes)
      throw new TarError(`the extended headers of an entry have more than ${limits.paxBytes} bytes`);
    const records = readPax(await takePadded(bytes, size));
    const into = typeFlag === 'x' ? announced.pax : globals;
    for (const [key, value] of records) into.set(key, Buffer.from(value));
    if (typeFlag === 'g') {
      if (sizeOf(globals) > limits.paxBytes) throw new TarError(`the global headers have more than ${limits.paxBytes} bytes`);
      return true;
    }
  } else {
    return false;
  }
  announced.bytes += BLOCK + size;
  return true;
}

function describe(
  header: RawHeader,
  announced: Announced,
  globals: PaxRecords,
  limits: TarLimits,
): Omit<TarEntry, 'body' | 'offset'> {
  const records: PaxRecords = globals.size === 0 ? announced.pax : new Map([...globals, ...announced.pax]);
  const name = paxBytes(records, 'path') ?? announced.longName ?? header.name;
  const linkName = paxBytes(records, 'linkpath') ?? announced.longLinkName ?? header.linkName;
  if (name.length > limits.nameBytes) throw new TarError(`the name ${showName(name)} has more than ${limits.nameBytes} bytes`);
  if (linkName.length > limits.linkNameBytes)
    throw new TarError(`the link name ${showName(linkName)} has more than ${limits.linkNameBytes} bytes`);
  if (header.typeFlag === 'S')
    throw new TarError(`${showName(name)} is a sparse file, which is not supported; make the archive without --sparse`);
  const known = TYPES.get(header.typeFlag) ?? 'unknown';
  // Before ustar a folder was a file whose name ends with a slash.
  const type = known === 'file' && name.at(-1) === 0x2f ? 'folder' : known;
  const hasBody = type === 'file' || type === 'unknown';
  return {
    name,
    linkName,
    type,
    typeFlag: header.typeFlag,
    displayName: name.toString('utf8'),
    mode: header.mode,
    uid: paxCount(records, 'uid') ?? header.uid,
    gid: paxCount(records, 'gid') ?? header.gid,
    size: hasBody ? (paxCount(records, 'size') ?? header.size) : 0,
    mtime: paxTime(records, 'mtime') ?? header.mtime,
    deviceMajor: header.deviceMajor,
    deviceMinor: header.deviceMinor,
    xattrs: paxXattrs(records, limits.xattrBytes),
  };
}

function createBody(bytes: ByteSource, size: number): { chunks: AsyncIterable<Uint8Array>; finish(): Promise<void> } {
  let missing = size;
  let isOver = false;
  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    while (missing > 0) {
      if (isOver) throw new Error('the body of a tar entry was read after the next entry had been asked for');
      const chunk = await bytes.some(missing);
      if (chunk === undefined) cutShort(bytes);
      missing -= chunk.length;
      yield chunk;
    }
  }
  return {
    chunks: { [Symbol.asyncIterator]: () => read() },
    async finish() {
      isOver = true;
      const rest = missing + padding(size);
      if ((await bytes.skip(rest)) < rest) cutShort(bytes);
    },
  };
}

async function takePadded(bytes: ByteSource, size: number): Promise<Buffer> {
  const content = await bytes.take(size);
  const rest = padding(size);
  if (content.length < size || (await bytes.skip(rest)) < rest) cutShort(bytes);
  return content;
}

async function drain(bytes: ByteSource, limits: TarLimits): Promise<void> {
  while ((await bytes.some(BLOCK * 128)) !== undefined) if (bytes.position > limits.bytes) tooLarge(limits);
}

function sizeOf(records: PaxRecords): number {
  let bytes = 0;
  for (const [key, value] of records) bytes += key.length + value.length;
  return bytes;
}

function tooLarge(limits: TarLimits): never {
  throw new TarError(`the archive has more than ${limits.bytes} bytes`);
}

function cutShort(bytes: ByteSource): never {
  throw new TarError(`the archive is cut short: it ends at byte ${bytes.position}, within an entry`);
}
