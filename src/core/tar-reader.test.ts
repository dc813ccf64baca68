import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, linkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { splitEntryName, TarError, type TarEntry, type TarLimits } from './tar-entry.ts';
import { headerSum } from './tar-header.ts';
import { writePax } from './tar-pax.ts';
import { readTar } from './tar-reader.ts';
import { writeTar, type TarInput } from './tar-writer.ts';

interface Seen {
  name: string;
  type: string;
  linkName: string;
  content: string;
}

/** Hands the bytes out in pieces of one size, so that every boundary is crossed somewhere. */
async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function contentOf(entry: TarEntry): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of entry.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function readAll(
  bytes: Uint8Array,
  size = 65_536,
  limits: Partial<TarLimits> = {},
): Promise<(Seen & { entry: TarEntry })[]> {
  const seen: (Seen & { entry: TarEntry })[] = [];
  for await (const entry of readTar(pieces(bytes, size), limits)) {
    seen.push({
      name: entry.displayName,
      type: entry.type,
      linkName: entry.linkName.toString(),
      content: (await contentOf(entry)).toString(),
      entry,
    });
  }
  return seen;
}

async function pack(...entries: TarInput[]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(entries)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const file = (name: string | Buffer, content = ''): TarInput => ({
  name,
  type: 'file',
  size: Buffer.byteLength(content),
  body: [Buffer.from(content)],
});

const damaged =
  (expected: RegExp) =>
  (error: unknown): true => {
    assert.ok(error instanceof TarError, String(error));
    assert.match(error.message, expected);
    return true;
  };

interface Raw {
  name?: string | Buffer;
  prefix?: string;
  size?: string | Buffer;
  uid?: string | Buffer;
  flag?: string;
  linkName?: string;
  magic?: string;
  body?: string | Buffer;
  sum?: string;
}

/** A header as nobody should write it. */
function raw({
  name = 'a',
  prefix = '',
  size,
  uid = '0000000\0',
  flag = '0',
  linkName = '',
  magic = 'ustar\x0000',
  body = '',
  sum,
}: Raw): Buffer {
  const content = Buffer.from(body as string);
  const block = Buffer.alloc(512);
  Buffer.from(name as string).copy(block, 0, 0, 100);
  block.write('0000644\0', 100);
  Buffer.from(uid as string).copy(block, 108);
  block.write('0000000\0', 116);
  Buffer.from((size ?? `${content.length.toString(8).padStart(11, '0')}\0`) as string).copy(block, 124);
  block.write('00000000000\0', 136);
  block.write(flag, 156);
  block.write(linkName, 157);
  block.write(magic, 257, 'latin1');
  block.write(prefix, 345);
  block.write(sum ?? `${headerSum(block).toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([block, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

const end = Buffer.alloc(1024);
const pax = (...records: [string, string | Buffer][]): Buffer =>
  raw({ name: 'pax', flag: 'x', body: writePax(records.map(([key, value]) => [key, Buffer.from(value as string)])) });

describe('archives of the system’s tar', () => {
  for (const format of ['v7', 'ustar', 'gnu', 'posix', 'oldgnu']) {
    test(`${format}: names, links, bodies and modes`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'holdfast-tar-'));
      t.after(() => rmSync(folder, { recursive: true }));
      const long = `${'d'.repeat(60)}/${'e'.repeat(60)}`;
      const isV7 = format === 'v7';
      mkdirSync(join(folder, long), { recursive: true });
      writeFileSync(join(folder, 'hello'), 'hello', { mode: 0o640 });
      linkSync(join(folder, 'hello'), join(folder, 'same'));
      symlinkSync('hello', join(folder, 'link'));
      writeFileSync(join(folder, 'zeros'), Buffer.alloc(1500));
      if (!isV7) writeFileSync(join(folder, long, 'f'.repeat(90)), 'deep');
      const names = ['hello', 'same', 'link', 'zeros', ...(isV7 ? [] : [long])];
      const archive = execFileSync('tar', [
        '--format',
        format,
        '--owner=1000',
        '--group=1001',
        '-cf',
        '-',
        '-C',
        folder,
        ...names,
      ]);
      for (const size of [1, 511, 4096]) {
        const seen = await readAll(archive, size);
        assert.deepEqual(
          seen.slice(0, 4).map(({ name, type, linkName, content }) => [name, type, linkName, content.length]),
          [
            ['hello', 'file', '', 5],
            ['same', 'hard-link', 'hello', 0],
            ['link', 'symbolic-link', 'hello', 0],
            ['zeros', 'file', '', 1500],
          ],
        );
        assert.deepEqual([seen[0]?.entry.mode, seen[0]?.entry.uid, seen[0]?.entry.gid], [0o640, 1000, 1001]);
        assert.ok((seen[0]?.entry.mtime ?? 0) > 1_600_000_000);
        if (!isV7) {
          assert.deepEqual(
            seen.slice(4).map(({ name, type, content }) => [name, type, content]),
            [
              [`${long}/`, 'folder', ''],
              [`${long}/${'f'.repeat(90)}`, 'file', 'deep'],
            ],
          );
        }
      }
    });
  }
});

test('what was written is read again, and the system’s tar reads it too', async () => {
  const long = `${'x'.repeat(200)}/${'y'.repeat(120)}`;
  const archive = await pack(
    { name: 'etc/', type: 'folder', mode: 0o755 },
    {
      ...file('etc/passwd', 'root'),
      mode: 0o4755,
      uid: 3_000_000,
      gid: 7,
      mtime: 1.5,
      xattrs: new Map([['security.capability', Buffer.from([1, 0, 2])]]),
    },
    file(long, 'long'),
    file('naïve', 'bytes'),
    { name: 'sh', type: 'symbolic-link', linkName: 'z'.repeat(150) },
    { name: 'passwd', type: 'hard-link', linkName: 'etc/passwd' },
    { name: 'null', type: 'character-device', deviceMajor: 1, deviceMinor: 3 },
  );
  const [etc, passwd, deep, naive, sh, hard, device] = await readAll(archive, 100);
  assert.equal(etc?.type, 'folder');
  assert.deepEqual(
    [passwd?.entry.mode, passwd?.entry.uid, passwd?.entry.gid, passwd?.entry.mtime, passwd?.content],
    [0o4755, 3_000_000, 7, 1.5, 'root'],
  );
  assert.deepEqual(passwd?.entry.xattrs.get('security.capability'), Buffer.from([1, 0, 2]));
  assert.deepEqual([deep?.name, deep?.content, naive?.name], [long, 'long', 'naïve']);
  assert.deepEqual([sh?.linkName.length, hard?.linkName], [150, 'etc/passwd']);
  assert.deepEqual([device?.type, device?.entry.deviceMajor, device?.entry.deviceMinor], ['character-device', 1, 3]);

  const listed = execFileSync('tar', ['-tf', '-'], { input: archive }).toString();
  assert.ok(listed.includes(`${long}\n`) && listed.startsWith('etc/\netc/passwd\n'), listed);
});

test('the same entries give the same bytes', async () => {
  const entries = (): TarInput[] => [file('a', 'one'), { name: 'b', type: 'folder', mode: 0o755 }];
  assert.deepEqual(await pack(...entries()), await pack(...entries()));
});

test('a body that is not as long as was said is an error, not a broken archive', async () => {
  await assert.rejects(pack({ name: 'a', type: 'file', size: 5, body: [Buffer.from('four')] }), /fewer bytes than the 5/);
  await assert.rejects(pack({ name: 'a', type: 'file', size: 3, body: [Buffer.from('four')] }), /more bytes than the 3/);
});

test('bodies that nobody reads, or not to their end, are passed over', async () => {
  const archive = await pack(file('a', 'x'.repeat(3000)), file('b', 'y'.repeat(700)), file('c', 'last'));
  const names: string[] = [];
  for await (const entry of readTar(pieces(archive, 97))) {
    names.push(entry.displayName);
    if (entry.displayName === 'b') for await (const _ of entry.body) break;
    if (entry.displayName === 'c') assert.equal((await contentOf(entry)).toString(), 'last');
  }
  assert.deepEqual(names, ['a', 'b', 'c']);

  const offsets = (await readAll(archive)).map(({ entry }) => entry.offset);
  assert.deepEqual(offsets, [512, 512 + 3072 + 512, 512 + 3072 + 512 + 1024 + 512]);
});

test('a body that is read too late is told so', async () => {
  const late: TarEntry[] = [];
  for await (const entry of readTar(pieces(await pack(file('a', 'one'), file('b', 'two')), 10_000))) late.push(entry);
  await assert.rejects(contentOf(late[0] as TarEntry), /was read after the next entry/);
});

test('the source is read to its end, behind the archive’s own, and let go when the reader leaves', async () => {
  const archive = Buffer.concat([await pack(file('a', 'x')), Buffer.alloc(9000, 7)]);
  let given = 0;
  let isLetGo = false;
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of pieces(archive, 500)) {
        given += piece.length;
        yield piece;
      }
    } finally {
      isLetGo = true;
    }
  }
  for await (const _ of readTar(source()));
  assert.equal(given, archive.length);
  isLetGo = false;
  for await (const _ of readTar(source())) break;
  assert.equal(isLetGo, true);
});

test('an archive without its end mark, and one with only half of it, are whole', async () => {
  assert.equal((await readAll(raw({ body: 'x' }))).length, 1);
  assert.equal((await readAll(Buffer.concat([raw({ body: 'x' }), Buffer.alloc(512)]))).length, 1);
  assert.deepEqual(await readAll(Buffer.alloc(0)), []);
});

describe('what extended headers say wins', () => {
  const cases: [string, Buffer, Partial<Record<'name' | 'linkName' | 'type', string>>][] = [
    ['a path over the header’s', Buffer.concat([pax(['path', 'long']), raw({ name: 'short' })]), { name: 'long' }],
    [
      'a path over a long name',
      Buffer.concat([raw({ flag: 'L', body: 'gnu\0' }), pax(['path', 'pax']), raw({ name: 'short' })]),
      { name: 'pax' },
    ],
    [
      'a long link name',
      Buffer.concat([raw({ flag: 'K', body: 'target\0' }), raw({ flag: '2', linkName: 'x' })]),
      { linkName: 'target', type: 'symbolic-link' },
    ],
    [
      'an entry’s own over a global header’s',
      Buffer.concat([raw({ flag: 'g', body: writePax([['path', Buffer.from('all')]]) }), pax(['path', 'own']), raw({})]),
      { name: 'own' },
    ],
    [
      'a global header’s',
      Buffer.concat([raw({ flag: 'g', body: writePax([['linkpath', Buffer.from('all')]]) }), raw({ flag: '1' })]),
      { linkName: 'all', type: 'hard-link' },
    ],
    [
      'an empty value takes it away',
      Buffer.concat([
        raw({ flag: 'g', body: writePax([['path', Buffer.from('all')]]) }),
        pax(['path', '']),
        raw({ name: 'own' }),
      ]),
      { name: 'own' },
    ],
    ['a prefix and a name', raw({ prefix: 'some/where', name: 'else' }), { name: 'some/where/else' }],
    ['no prefix in GNU’s own layout', raw({ prefix: '12345', name: 'x', magic: 'ustar  \0' }), { name: 'x' }],
    ['an old folder', raw({ name: 'folder/', flag: '\0', magic: '\0\0\0\0\0\0\0\0' }), { type: 'folder' }],
    ['a type that nobody knows', raw({ flag: 'Z', body: 'what' }), { type: 'unknown' }],
  ];
  for (const [what, bytes, expected] of cases) {
    test(what, async () => {
      const [entry, ...more] = await readAll(Buffer.concat([bytes, end]));
      for (const [member, value] of Object.entries(expected)) assert.equal(entry?.[member as 'name'], value);
      assert.deepEqual(more, []);
    });
  }
});

test('a size of pax over one that a header cannot hold', async () => {
  const bytes = Buffer.concat([
    pax(['size', '4']),
    raw({ size: '00000000000\0' }),
    Buffer.from('data'),
    Buffer.alloc(508),
    raw({ name: 'next' }),
    end,
  ]);
  assert.deepEqual(
    (await readAll(bytes)).map(({ name, content }) => [name, content]),
    [
      ['a', 'data'],
      ['next', ''],
    ],
  );
});

test('numbers in base 256', async () => {
  const size = Buffer.alloc(12);
  size[0] = 0x80;
  size[11] = 4;
  const uid = Buffer.from([0x80, 0, 0, 0, 0x80, 0, 0, 1]);
  const [entry] = await readAll(Buffer.concat([raw({ size, uid, body: 'data' }), end]));
  assert.deepEqual([entry?.content, entry?.entry.uid], ['data', 2 ** 31 + 1]);
});

describe('hostile archives', () => {
  const big = Buffer.alloc(12, 0xff);
  big[0] = 0x80;
  big[4] = 0x7f;
  const cases: [string, Buffer, RegExp, Partial<TarLimits>?][] = [
    ['a wrong checksum', raw({ sum: '000001\0 ' }), /does not match its checksum/],
    ['no archive at all', Buffer.from('x'.repeat(600)), /checksum of the header at byte 0 is not a number/],
    ['a header cut short', raw({}).subarray(0, 300), /cut short: it ends at byte 300/],
    ['a body cut short', raw({ body: 'x'.repeat(2000) }).subarray(0, 1000), /cut short/],
    ['padding cut short', raw({ body: 'x' }).subarray(0, 600), /cut short/],
    ['a size of 2^63-1', raw({ size: big }), /size of the header at byte 0 is too large/],
    ['a negative size', raw({ size: Buffer.alloc(12, 0xff) }), /size of the header at byte 0 is negative/],
    ['a negative owner', raw({ uid: Buffer.alloc(8, 0xff) }), /uid of the header at byte 0 is negative/],
    ['a size with a minus', raw({ size: '-0000000001\0' }), /size of the header at byte 0 is not a number/],
    ['digits behind the end of a number', raw({ size: '0000\x0000001\0' }), /not a number/],
    [
      'a size of 0 with data behind it',
      Buffer.concat([raw({ size: '00000000000\0' }), Buffer.from('x'.repeat(512))]),
      /checksum/,
    ],
    [
      'a folder with data behind it',
      Buffer.concat([raw({ flag: '5', size: '00000001000\0' }), Buffer.from('x'.repeat(512))]),
      /checksum/,
    ],
    ['a size beyond the limit', raw({ size: '77777777777\0' }), /more than 1000000 bytes/, { bytes: 1_000_000 }],
    ['more behind the end than the limit', Buffer.concat([end, Buffer.alloc(5000)]), /more than 2000 bytes/, { bytes: 2000 }],
    ['too many entries', Buffer.concat([raw({}), raw({}), raw({})]), /more than 2 entries/, { entries: 2 }],
    ['a long name without an end', raw({ flag: 'L', size: '00000200001\0' }), /more than 65536 bytes/],
    ['a name of 5000 bytes', Buffer.concat([raw({ flag: 'L', body: 'n'.repeat(5000) }), raw({})]), /has more than 4096 bytes/],
    [
      'a link name of 5000 bytes',
      Buffer.concat([raw({ flag: 'K', body: 'n'.repeat(5000) }), raw({ flag: '2' })]),
      /link name .* more than 4096 bytes/,
    ],
    ['an extended header of 1 GiB', raw({ flag: 'x', size: '10000000000\0' }), /extended headers of an entry have more than/],
    [
      'extended headers that add up',
      Buffer.concat([pax(['a', 'x'.repeat(900)]), pax(['b', 'x'.repeat(900)]), raw({})]),
      /extended headers/,
      { paxBytes: 1500 },
    ],
    [
      'global headers that add up',
      Buffer.concat([
        raw({ flag: 'g', body: writePax([['a', Buffer.alloc(900, 65)]]) }),
        raw({ flag: 'g', body: writePax([['b', Buffer.alloc(900, 65)]]) }),
      ]),
      /global headers/,
      { paxBytes: 1500 },
    ],
    [
      'an attribute of 64 KiB and one',
      Buffer.concat([pax(['SCHILY.xattr.user.a', 'x'.repeat(65_537)]), raw({})]),
      /more than 65536 bytes/,
    ],
    ['a record longer than its header', raw({ flag: 'x', body: '99 path=x\n' }), /a record is not/],
    ['a record of no length', raw({ flag: 'x', body: '0 path=x\n' }), /a record is not/],
    ['a record whose length has a sign', raw({ flag: 'x', body: '+9 path=x\n' }), /a record is not/],
    ['a record without a line end', raw({ flag: 'x', body: '9 path=xy' }), /a record is not/],
    ['a record without a key', raw({ flag: 'x', body: '5 =x\n' }), /a record is not/],
    ['a record without a value', raw({ flag: 'x', body: '7 path\n' }), /a record is not/],
    ['a path with a NUL', pax(['path', 'a\0b']), /has a NUL in it/],
    ['a size of pax that is no count', Buffer.concat([pax(['size', '-1']), raw({})]), /size of an extended header/],
    [
      'a size of pax beyond counting',
      Buffer.concat([pax(['size', '9223372036854775807']), raw({})]),
      /size of an extended header/,
    ],
    ['a time of pax that is none', Buffer.concat([pax(['mtime', '1e9']), raw({})]), /mtime of an extended header is not a time/],
    ['a sparse file of GNU', raw({ flag: 'S' }), /sparse file/],
    ['a sparse file of pax', pax(['GNU.sparse.realsize', '1152921504606846976']), /sparse file/],
    ['an announcement of nothing', Buffer.concat([pax(['path', 'x']), end]), /announces another entry/],
  ];
  for (const [what, bytes, expected, limits] of cases) {
    test(what, async () => {
      for (const size of [1, 65_536]) {
        await assert.rejects(readAll(bytes, size, limits), damaged(expected));
      }
    });
  }

  test('an endless body is passed through without being kept', async () => {
    const half = 256 * 1024 ** 2;
    async function* source(): AsyncGenerator<Uint8Array> {
      yield raw({ size: `${(half * 2).toString(8).padStart(11, '0')}\0` });
      const piece = Buffer.alloc(1024 ** 2);
      for (let given = 0; given < half * 2; given += piece.length) yield piece;
    }
    let read = 0;
    const before = process.memoryUsage().rss;
    for await (const entry of readTar(source())) for await (const chunk of entry.body) read += chunk.length;
    assert.equal(read, half * 2);
    assert.ok(process.memoryUsage().rss - before < 64 * 1024 ** 2);
  });

  test('names that differ in bytes only stay apart', async () => {
    const seen = await readAll(await pack(file(Buffer.from([0x61, 0xff])), file(Buffer.from([0x61, 0xfe]))));
    assert.equal(seen[0]?.name, seen[1]?.name);
    assert.notDeepEqual(seen[0]?.entry.name, seen[1]?.entry.name);
  });
});

describe('where a name leads', () => {
  const split = (name: string): string[] => splitEntryName(Buffer.from(name)).map(String);
  for (const [name, components] of [
    ['a/b', ['a', 'b']],
    ['/etc/passwd', ['etc', 'passwd']],
    ['.//a/./b/', ['a', 'b']],
    ['./', []],
    ['/', []],
    ['', []],
    ['..a/b..', ['..a', 'b..']],
    ['a\\..\\b', ['a\\..\\b']],
  ] as const) {
    test(JSON.stringify(name), () => assert.deepEqual(split(name), components));
  }
  for (const name of [
    '..',
    '../a',
    'a/../..',
    '/../a',
    'a/..',
    './../a',
    'a/b/../../../c',
    'a\0b',
    'n'.repeat(256),
    'd/'.repeat(257),
  ]) {
    test(`${JSON.stringify(name.slice(0, 40))} is refused`, () => assert.throws(() => split(name), TarError));
  }

  const escape = '../../etc/passwd';
  for (const [way, bytes] of [
    ['a ustar name', raw({ name: escape })],
    ['a ustar prefix', raw({ prefix: '..', name: 'etc/passwd' })],
    ['a path of pax', Buffer.concat([pax(['path', escape]), raw({ name: 'harmless' })])],
    ['a long name of GNU', Buffer.concat([raw({ flag: 'L', body: `${escape}\0` }), raw({ name: 'harmless' })])],
    [
      'a path of a global header',
      Buffer.concat([raw({ flag: 'g', body: writePax([['path', Buffer.from(escape)]]) }), raw({ name: 'harmless' })]),
    ],
  ] as const) {
    test(`an escape by ${way} is seen as one`, async () => {
      const [entry] = await readAll(Buffer.concat([bytes, end]));
      assert.throws(() => splitEntryName(entry?.entry.name ?? Buffer.alloc(0)), /leads out of the archive/);
    });
  }
});
