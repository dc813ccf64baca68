import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import { after, before, beforeEach, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { TarError } from '../../../core/tar-entry.ts';
import { readTar } from '../../../core/tar-reader.ts';
import type { TarInput } from '../../../core/tar-writer.ts';
import { inflate } from './inflate.ts';
import { capable, file, folder, link, reasonToSkip, tarOf } from './testing.ts';
import { writeLayer, type WrittenLayer } from './write-layer.ts';

const skip = await reasonToSkip();
const NET_BIND_SERVICE = 10;
const capability = (hex: string): Pick<TarInput, 'xattrs'> => ({
  xattrs: new Map([['security.capability', Buffer.from(hex, 'hex')]]),
});

/** Every extended attribute, of links themselves, too. */
function attributesBelow(path: string): string {
  return execFileSync('getfattr', ['-R', '-P', '-h', '-d', '-m', '-', '-e', 'hex', '.'], { cwd: path, encoding: 'latin1' });
}

describe('unpacking a layer', { skip, timeout: 60_000 }, () => {
  let base: string;
  let root: string;
  let count = 0;
  before(() => void (base = fs.mkdtempSync(`${os.tmpdir()}/holdfast-layer-`)));
  after(() => fs.rmSync(base, { recursive: true, force: true }));
  beforeEach(() => {
    const at = `${base}/${count++}`;
    root = `${at}/root`;
    for (const path of [root, `${at}/scratch`, `${at}/outside/folder`]) fs.mkdirSync(path, { recursive: true });
    fs.writeFileSync(`${at}/outside/secret`, 'secret', { mode: 0o600 });
  });

  async function write(entries: TarInput[]): Promise<WrittenLayer> {
    const archive = await tarOf(entries);
    async function* bytes(): AsyncGenerator<Uint8Array> {
      yield archive;
    }
    return writeLayer(readTar(bytes()), root, `${root}/../scratch`);
  }
  /** Everything around the root, so that one byte or bit that changes there shows. */
  function outside(): string {
    const lines: string[] = [];
    const walk = (path: string): void => {
      const stat = fs.lstatSync(path);
      const content = stat.isFile() ? fs.readFileSync(path, 'utf8') : '';
      lines.push([path, stat.mode, stat.uid, stat.gid, stat.mtimeMs, stat.nlink, content].join(' '));
      if (stat.isDirectory()) for (const name of fs.readdirSync(path)) walk(`${path}/${name}`);
    };
    walk(`${root}/../outside`);
    return lines.join('\n') + attributesBelow(`${root}/../outside`);
  }
  const text = (path: string): string => fs.readFileSync(`${root}/${path}`, 'utf8');
  const out = (): string => fs.realpathSync(`${root}/../outside`);

  it('writes files, folders and links with owner, mode and time', async () => {
    await write([
      folder('etc', { mode: 0o750, uid: 3, gid: 4, mtime: 1000 }),
      file('etc/conf', 'x', { mode: 0o4755, uid: 5, gid: 6, mtime: 2000 }),
      link('etc/link', 'conf'),
      link('etc/second', 'etc/conf', 'hard-link'),
      { name: 'pipe', type: 'fifo', mode: 0o600 },
      { name: 'dev/null', type: 'character-device', deviceMajor: 1, deviceMinor: 3 },
    ]);
    const conf = fs.lstatSync(`${root}/etc/conf`);
    assert.deepEqual([conf.mode & 0o7777, conf.uid, conf.gid, conf.mtimeMs, conf.nlink], [0o4755, 5, 6, 2_000_000, 2]);
    const etc = fs.lstatSync(`${root}/etc`);
    assert.deepEqual([etc.mode & 0o7777, etc.uid, etc.gid, etc.mtimeMs], [0o750, 3, 4, 1_000_000]);
    assert.equal(fs.readlinkSync(`${root}/etc/link`), 'conf');
    assert.ok(fs.lstatSync(`${root}/pipe`).isFIFO());
    assert.equal(fs.existsSync(`${root}/dev/null`), false);
  });

  it('keeps names as bytes, and lets the last entry of a name win', async () => {
    const odd = Buffer.from([0x61, 0xff, 0xfe]);
    const other = Buffer.from([0x61, 0xfe, 0xff]);
    await write([
      { ...file('x', 'one'), name: odd },
      { ...file('x', 'two'), name: other },
      folder('a'),
      file('a/x', '1'),
      file('a', 'now a file'),
      link('b', 'a'),
      file('b', 'no longer a link'),
    ]);
    assert.equal(fs.readFileSync(Buffer.concat([Buffer.from(`${root}/`), odd]), 'utf8'), 'one');
    assert.equal(fs.readFileSync(Buffer.concat([Buffer.from(`${root}/`), other]), 'utf8'), 'two');
    assert.equal(text('a'), 'now a file');
    assert.equal(text('b'), 'no longer a link');
  });

  it('makes whiteouts as overlayfs has them, in whatever order they come', async () => {
    const layer = await write([
      folder('kept'),
      file('kept/.wh.gone', ''),
      folder('both'),
      file('both/new', 'n'),
      file('.wh.both', ''),
      file('fresh/.wh..wh..opq', ''),
      file('fresh/new', 'f'),
      folder('fresh/sub', { mtime: 5 }),
      file('.wh..wh.plnk', ''),
    ]);
    const gone = fs.lstatSync(`${root}/kept/gone`);
    assert.ok(gone.isCharacterDevice() && gone.rdev === 0);
    assert.deepEqual(layer.opaque.map((path) => Buffer.from(path, 'base64').toString()).sort(), ['/both', '/fresh']);
    assert.equal(text('both/new') + text('fresh/new'), 'nf');
    assert.equal(fs.lstatSync(`${root}/fresh/sub`).mtimeMs, 5000);
    assert.deepEqual(fs.readdirSync(root).sort(), ['both', 'fresh', 'kept']);
  });

  it('keeps the capabilities of files, whatever they are called, and no other attribute', async () => {
    const second = `01000002${'00040000'}${'00'.repeat(12)}`;
    const third = `00000003${'ffffffff'.repeat(4)}e8030000`;
    const others = new Map([
      ['trusted.overlay.opaque', Buffer.from('y')],
      ['user.note', Buffer.from('n')],
    ]);
    const layer = await write([
      file('second', 'x', { ...capability(second), mode: 0o4755, uid: 5, gid: 6, mtime: 2000 }),
      { ...file('', 'x', capability(third)), name: Buffer.from('third\n# file: second\xff', 'latin1') },
      file('first', 'x', capability('0100000100040000' + '00'.repeat(4))),
      link('name of second', 'second', 'hard-link'),
      file('plain', 'x'),
      { ...link('name of plain', 'plain', 'hard-link'), ...capable(NET_BIND_SERVICE) },
      file('last', 'x', capable(NET_BIND_SERVICE)),
      file('last', 'y'),
      folder('folder', { xattrs: new Map([...others, ...(capable(NET_BIND_SERVICE).xattrs ?? [])]) }),
    ]);
    const kept = `security.capability=0x${second}\n\n`;
    const names = ['first', 'name of plain', 'name of second', 'plain', 'second'];
    const third_ = `# file: third\\012# file: second\xff\nsecurity.capability=0x${third}\n\n`;
    const seen = attributesBelow(root).split(/(?=^# file: )/m);
    assert.deepEqual(seen.sort(), [...names.map((name) => `# file: ${name}\n${kept}`), third_].sort());
    const stat = fs.lstatSync(`${root}/second`);
    assert.deepEqual([stat.mode & 0o7777, stat.uid, stat.gid, stat.mtimeMs, stat.nlink], [0o4755, 5, 6, 2_000_000, 2]);
    assert.equal(layer.droppedAttributes, 1);
    assert.deepEqual(fs.readdirSync(`${root}/../scratch`), []);
  });

  it('bounds how many files have capabilities', async () => {
    const many = (count: number): TarInput[] =>
      Array.from({ length: count }, (_, index) => file(String(index), '', capable(NET_BIND_SERVICE)));
    await write(many(1000));
    assert.equal(attributesBelow(root).match(/security\.capability/g)?.length, 1000);
    await assert.rejects(write(many(1001)), /more than 1000 files of the layer have capabilities/);
  });

  for (const [what, hex] of Object.entries({
    'nothing': '',
    'less than a word': '010000',
    'too few bytes': '01000002' + '00'.repeat(15),
    'too many bytes': '01000002' + '00'.repeat(17),
    'the size of another revision': '01000003' + '00'.repeat(16),
    'a revision that is none': '01000004' + '00'.repeat(20),
    'a flag that is none': '02000002' + '00'.repeat(16),
    'a user number that is none': '01000003' + '00'.repeat(16) + 'ffffffff',
  })) {
    it(`refuses capabilities that no kernel takes: ${what}`, async () => {
      await assert.rejects(write([file('a', 'x', capability(hex))]), (error: Error) => {
        assert.ok(error instanceof TarError);
        assert.match(error.message, /^"a" has a security\.capability that no kernel takes: \d+ bytes/);
        return true;
      });
    });
  }

  /** What must be refused, or land within the root: nothing outside may change in either case. */
  const hostile: Record<string, (out: string) => TarInput[]> = {
    'root as a link': (o) => [link('./', o), file('x', 'x')],
    'root as a link, named /': (o) => [link('/', o), file('x', 'x')],
    'root as a file': () => [file('.', 'x')],
    'root as a hard link': () => [link('.', 'x', 'hard-link')],
    '.. at the start': () => [file('../outside/new', 'x')],
    '.. in the middle': () => [file('a/../../outside/new', 'x')],
    '.. behind a folder that is there': () => [folder('a'), file('a/../../outside/new', 'x')],
    '.. at the end': () => [folder('a/..')],
    'an absolute name': (o) => [file(`${o}/new`, 'x')],
    'an absolute name of what is there': (o) => [file(`${o}/secret`, 'changed')],
    'a file through an absolute link': (o) => [link('a', o), file('a/new', 'x')],
    'a file over what is there through a link': (o) => [link('a', o), file('a/secret', 'changed')],
    'a file through a relative link': () => [link('a', '../outside'), file('a/new', 'x')],
    'a file through a link of many dots': () => [link('a', '../../../../../../../../tmp'), file('a/holdfast-new', 'x')],
    'a file through two links': (o) => [link('a', o), link('b', 'a'), file('b/new', 'x')],
    'a file through a link within a folder': () => [folder('d'), link('d/a', '../../outside'), file('d/a/new', 'x')],
    'a folder through a link': (o) => [link('a', o), folder('a/new')],
    'a folder over a folder through a link': (o) => [link('a', o), folder('a/folder', { mode: 0o777, uid: 1 })],
    'a mode through a link': (o) => [link('a', `${o}/secret`), file('a', 'x', { mode: 0o777 })],
    'a folder over a link to a folder': (o) => [link('a', `${o}/folder`), folder('a', { mode: 0o777, uid: 9, mtime: 1 })],
    'a time through a link that replaces the folder': (o) => [folder('a', { mtime: 1 }), link('a', `${o}/folder`)],
    'a time through a parent that became a link': (o) => [folder('a'), folder('a/folder', { mtime: 1 }), link('a', o)],
    'a link through a link': (o) => [link('a', o), link('a/new', '/')],
    'a hard link to outside, absolute': (o) => [link('a', `${o}/secret`, 'hard-link')],
    'a hard link to outside, relative': () => [link('a', '../outside/secret', 'hard-link')],
    'a hard link through a link': (o) => [link('a', o), link('b', 'a/secret', 'hard-link')],
    'a hard link to a link, then written': (o) => [link('a', `${o}/secret`), link('b', 'a', 'hard-link'), file('b', 'changed')],
    'a hard link below a link': (o) => [link('a', o), file('x', 'x'), link('a/new', 'x', 'hard-link')],
    'a hard link to a folder': () => [folder('a'), link('b', 'a', 'hard-link')],
    'a hard link to the root': () => [link('b', '/', 'hard-link')],
    'a hard link to a later file': () => [link('b', 'later', 'hard-link'), file('later', 'x')],
    'a hard link to itself': () => [file('a', 'x'), link('a', 'a', 'hard-link')],
    "a hard link in place of its target's folder": () => [folder('a'), file('a/x', 'x'), link('a', 'a/x', 'hard-link')],
    'a whiteout through a link': (o) => [link('a', o), file('a/.wh.secret', '')],
    'a whiteout of a parent': () => [file('.wh...', '')],
    'a whiteout of a folder by ..': () => [folder('a'), file('a/.wh...', '')],
    'a whiteout of nothing': () => [file('.wh.', '')],
    'a whiteout of .': () => [file('.wh..', '')],
    'an opaque folder through a link': (o) => [link('a', o), file('a/.wh..wh..opq', '')],
    'a whiteout device through a link': (o) => [link('a', o), { name: 'a/secret', type: 'character-device' }],
    'a whiteout below a link that comes later': (o) => [folder('a'), file('a/.wh.secret', ''), link('a', o)],
    'an opaque folder that becomes a link': (o) => [file('a/.wh..wh..opq', ''), link('a', o)],
    'a device outside of /dev': () => [{ name: 'disk', type: 'block-device', deviceMajor: 8, deviceMinor: 0 }],
    'a device by a name that only looks like /dev': () => [
      { name: 'dev/../disk', type: 'block-device', deviceMajor: 8, deviceMinor: 0 },
    ],
    'a device through a link at /dev': (o) => [
      link('dev', o),
      { name: 'dev/disk', type: 'block-device', deviceMajor: 8, deviceMinor: 0 },
    ],
    'a pipe through a link': (o) => [link('a', o), { name: 'a/new', type: 'fifo' }],
    'a file with capabilities through a link': (o) => [link('a', o), file('a/secret', 'x', capable(0))],
    'a file with capabilities that a link replaces': (o) => [file('a', 'x', capable(0)), link('a', `${o}/secret`)],
    'a file with capabilities whose folder a link replaces': (o) => [
      folder('a'),
      file('a/secret', 'x', capable(0)),
      link('a', o),
    ],
    'a link with capabilities': (o) => [{ ...link('a', `${o}/secret`), ...capable(0) }],
    'a hard link to a link, with capabilities': (o) => [
      link('a', `${o}/secret`),
      { ...link('b', 'a', 'hard-link'), ...capable(0) },
    ],
    'a hard link to outside, with capabilities': (o) => [{ ...link('a', `${o}/secret`, 'hard-link'), ...capable(0) }],
    'links in a circle': () => [link('a', 'b'), link('b', 'a'), file('a/x', 'x')],
    'a link to itself': () => [link('a', 'a/a/a/a/a'), file('a/x', 'x')],
    'a link to nothing': () => [link('a', '')],
    'a file below a file': () => [file('a', 'x'), file('a/b', 'x')],
    'a user number that wraps': () => [file('a', 'x', { uid: 2 ** 32 - 1 })],
    'a user number beyond 32 bits': () => [file('a', 'x', { uid: 2 ** 32 })],
    'ten thousand folders deep': () => [file(`${'d/'.repeat(2000)}x`, 'x')],
  };
  const mayPass = new Set([
    'an absolute name',
    'an absolute name of what is there',
    ...Object.keys(hostile).filter(
      (name) =>
        / link/.test(name) &&
        /^a (file|folder|mode|time|link|pipe|hard link to a link|hard link below|device through)/.test(name),
    ),
  ]);
  for (const [name, entries] of Object.entries(hostile)) {
    it(`changes nothing outside: ${name}`, async () => {
      const before = outside();
      const refused = await write(entries(out())).then(
        () => undefined,
        (error: unknown) => error,
      );
      assert.equal(outside(), before);
      assert.equal(fs.existsSync('/tmp/holdfast-new'), false);
      if (refused !== undefined) assert.ok(refused instanceof TarError);
      else assert.ok(mayPass.has(name), 'was not refused');
    });
  }

  it('puts what lies behind a link where the container will look for it', async () => {
    await write([link('lib', '/usr/lib'), file('lib/x', 'x'), link('up', '../../../usr'), file('up/y', 'y')]);
    assert.equal(text('usr/lib/x') + text('usr/y'), 'xy');
  });

  it('refuses what blows up, and what is no archive', async () => {
    const path = `${base}/bomb`;
    const read = async (bytes: Buffer, limits = { bytes: 1e9, ratio: 200, ratioFrom: 1024 * 1024 }): Promise<number> => {
      fs.writeFileSync(path, bytes);
      let total = 0;
      for await (const chunk of inflate(path, { size: bytes.length, start: bytes.subarray(0, 4) }, limits)) total += chunk.length;
      return total;
    };
    const zeros = gzipSync(Buffer.alloc(32 * 1024 * 1024));
    await assert.rejects(read(zeros), /more than 200 times/);
    await assert.rejects(read(zeros, { bytes: 1000, ratio: 1e9, ratioFrom: 0 }), /more than 1000 bytes/);
    assert.equal(await read(gzipSync(Buffer.from('abc'))), 3);
    await assert.rejects(read(zeros.subarray(0, 100)), TarError);
    await assert.rejects(read(Buffer.concat([gzipSync(Buffer.from('abc')).subarray(0, 12), Buffer.alloc(40, 7)])), TarError);
  });
});
