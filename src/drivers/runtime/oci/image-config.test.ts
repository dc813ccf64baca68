import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseImageConfig } from './image-config.ts';
import { findUser } from './image-user.ts';
import type { LayerView } from './layer-view.ts';

const parse = (config: unknown, more: object = {}): ReturnType<typeof parseImageConfig> =>
  parseImageConfig(
    Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', config, rootfs: { diff_ids: [] }, ...more })),
  );

describe("an image's config", () => {
  it('reads signals by every name that they have', () => {
    const signals = { 'SIGQUIT': 3, 'quit': 3, '9': 9, 'SIGRTMIN+3': 37, '': 15 };
    for (const [written, number] of Object.entries(signals)) assert.equal(parse({ StopSignal: written }).stopSignal, number);
  });

  it('takes what is absent, or null, for nothing', () => {
    assert.deepEqual(parse({ Cmd: null, Env: null }).command, []);
    assert.equal(parse(null).user, '');
  });

  for (const [name, config] of Object.entries<object>({
    'a signal that is none': { StopSignal: '99999' },
    'a signal of a strange name': { StopSignal: '; rm -rf' },
    'a user of a megabyte': { User: 'a'.repeat(1024 * 1024) },
    'a variable with a NUL': { Env: ['A=\0'] },
    'a command that is a text': { Cmd: 'sh' },
    'a folder with a NUL': { WorkingDir: '/a\0' },
    'too many variables': { Env: Array.from({ length: 10_001 }, () => 'A=1') },
    'a list of numbers': { Entrypoint: [1] },
    'too many volumes': { Volumes: Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`/${index}`, {}])) },
  })) {
    it(`refuses ${name}`, () => assert.throws(() => parse(config), { code: 'CannotPullContainerError' }));
  }

  it('refuses layers without a digest, and more than a mount takes', () => {
    assert.throws(() => parse({}, { rootfs: { diff_ids: ['sha256:../../x'] } }), /no digest/);
    const diff_ids = Array.from({ length: 128 }, (_, index) => `sha256:${String(index).padStart(64, '0')}`);
    assert.throws(() => parse({}, { rootfs: { diff_ids } }), /more than 127/);
  });
});

describe('the account of a container', () => {
  const files: Record<string, string> = {
    '/etc/passwd': 'root:x:0:0::/root:/bin/sh\napp:x:10:20::/home/app:/bin/sh\nbad:x:4294967296:0::/:\nminus:x:-1:0::/:\n',
    '/etc/group': 'app:x:20:\nmore:x:30:other,app\nhuge:x:4294967295:\n',
  };
  const view: LayerView = {
    find: () => Promise.resolve({ kind: 'missing', at: '' }),
    kindOf: () => Promise.resolve('missing'),
    read: (path) => Promise.resolve(files[path] === undefined ? undefined : Buffer.from(files[path])),
  };

  for (const [written, uid, gid, groups] of [
    ['', 0, 0, []],
    ['app', 10, 20, [30]],
    ['10', 10, 20, [30]],
    ['app:more', 10, 30, []],
    ['77', 77, 0, []],
    ['77:88', 77, 88, []],
    ['4294967294', 4_294_967_294, 0, []],
  ] as const) {
    it(`finds ${JSON.stringify(written)}`, async () => {
      const user = await findUser(view, written);
      assert.deepEqual([user.uid, user.gid, user.additionalGids], [uid, gid, groups]);
    });
  }
  for (const written of [
    'nobody-here',
    '4294967295',
    '4294967296',
    '-1',
    '0x0',
    '1e3',
    'bad',
    'minus',
    'app:huge',
    'app:nothing',
    ' 0',
  ])
    it(`refuses ${JSON.stringify(written)}`, () =>
      assert.rejects(findUser(view, written), { code: 'CannotCreateContainerError' }));
});
