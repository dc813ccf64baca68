import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  type Dirent,
  type Stats,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { EntryKind, FileSystem } from '../ports.ts';
import { walkTree, type WalkOptions } from './walk-tree.ts';

const kindOf = (of: Dirent | Stats): EntryKind =>
  of.isFile() ? 'file' : of.isDirectory() ? 'directory' : of.isSymbolicLink() ? 'link' : 'other';

const disk: FileSystem = {
  readDirectory: async (path) =>
    readdirSync(path, { withFileTypes: true }).map((entry) => ({ name: entry.name, kind: kindOf(entry) })),
  readFile: async (path) => readFileSync(path),
  stat: async (path) => {
    const status = statSync(path, { throwIfNoEntry: false });
    return status && { kind: kindOf(status), size: status.size, mode: status.mode };
  },
};

function tree(context: TestContext, files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'walk-'));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

async function walk(root: string, options: WalkOptions = {}, paths = [root]): Promise<string[]> {
  const seen: string[] = [];
  for await (const walked of walkTree(disk, paths, options))
    seen.push(walked.path.slice(root.length + 1) + (walked.kind === 'problem' ? `: ${walked.message}` : ''));
  return seen;
}

describe('walking a tree', () => {
  test('gives the files that may hold references, by name, and none of what tools put there', async (context) => {
    const root = tree(context, {
      'b/compose.yaml': 'x',
      'a.yaml': 'x',
      'c.png': 'x',
      'node_modules/a.yaml': 'x',
      '.git/a.yaml': 'x',
      'b/.terraform/a.tf': 'x',
      'vendor/modules.txt': '',
      'vendor/a.yaml': 'x',
      'mine/vendor/a.yaml': 'x',
      '.github/workflows/ci.yml': 'x',
      'empty.yaml': '',
    });
    assert.deepEqual(await walk(root), ['a.yaml', '.github/workflows/ci.yml', 'b/compose.yaml', 'mine/vendor/a.yaml']);
  });

  test('follows no link, so that it neither loops nor leaves the tree', async (context) => {
    const outside = tree(context, { 'secret.yaml': 'x' });
    const root = tree(context, { 'a/a.yaml': 'x' });
    symlinkSync('..', join(root, 'a/up'));
    symlinkSync(outside, join(root, 'out'));
    symlinkSync(join(outside, 'secret.yaml'), join(root, 'b.yaml'));
    symlinkSync('nowhere', join(root, 'dangling.yaml'));
    assert.deepEqual(await walk(root), ['a/a.yaml']);
    symlinkSync(root, join(outside, 'link'));
    assert.deepEqual(await walk(join(outside, 'link')), ['a/a.yaml'], 'a link that is given is meant');
  });

  test('obeys .pinignore at every level, --include and --exclude', async (context) => {
    const root = tree(context, {
      '.pinignore': '*.tf\n/old/\n',
      'a.tf': 'x',
      'a.yaml': 'x',
      'old/a.yaml': 'x',
      'b/old/a.yaml': 'x',
      'b/.pinignore': '!a.tf\n',
      'b/a.tf': 'x',
    });
    assert.deepEqual(await walk(root), ['a.yaml', 'b/a.tf', 'b/old/a.yaml']);
    assert.deepEqual(await walk(root, { exclude: ['b/**'] }), ['a.yaml']);
    assert.deepEqual(await walk(root, { include: ['*.tf'] }), ['b/a.tf']);
    assert.deepEqual(await walk(root, { pinignore: false }), ['a.tf', 'a.yaml', 'b/a.tf', 'b/old/a.yaml', 'old/a.yaml']);
    assert.deepEqual(await walk(root, {}, [join(root, 'a.tf')]), ['a.tf'], 'a file that is given is meant');
  });

  test('obeys .gitignore for what git does not track, and only in a checkout', async (context) => {
    const root = tree(context, {
      '.gitignore': 'out/\n*.local.yaml\n',
      'out/tracked.yaml': 'x',
      'out/new.yaml': 'x',
      'a.local.yaml': 'x',
      'sub/b.local.yaml': 'x',
      'sub/c.yaml': 'x',
    });
    assert.deepEqual(await walk(root), ['a.local.yaml', 'out/new.yaml', 'out/tracked.yaml', 'sub/b.local.yaml', 'sub/c.yaml']);
    const git = (...args: string[]): void =>
      void execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { cwd: root, stdio: 'ignore' });
    git('init', '-q');
    git('add', '-f', 'out/tracked.yaml', '.gitignore');
    const kept = ['out/tracked.yaml', 'sub/c.yaml'];
    for (const version of ['2', '3', '4']) {
      git('update-index', '--index-version', version);
      assert.deepEqual(await walk(root), kept, `index version ${version}`);
    }
    assert.deepEqual(await walk(join(root, 'sub')), ['c.yaml'], 'the rules above hold below');
    assert.deepEqual((await walk(root, { gitignore: false })).length, 5);
  });

  test('tells of what is too large, gone or forbidden, and goes on', async (context) => {
    const root = tree(context, { 'big.yaml': 'x'.repeat(2048), 'small.yaml': 'x', 'shut/a.yaml': 'x', 'z.yaml': 'x' });
    assert.deepEqual(await walk(root, { maxFileBytes: 1024 }), [
      'big.yaml: larger than 1 KiB, so it was not read',
      'small.yaml',
      'z.yaml',
      'shut/a.yaml',
    ]);
    assert.deepEqual(await walk(root, {}, [join(root, 'missing')]), ['missing: there is no such file or folder']);
    chmodSync(join(root, 'shut'), 0);
    const isRoot = process.getuid?.() === 0;
    if (!isRoot) assert.match((await walk(root)).at(-1) ?? '', /^shut: the folder may not be read/);
    chmodSync(join(root, 'shut'), 0o755);
    const failing: FileSystem = {
      ...disk,
      readDirectory: async (path) =>
        path.endsWith('shut') ? Promise.reject(Object.assign(new Error('no'), { code: 'EACCES' })) : disk.readDirectory(path),
    };
    const seen: string[] = [];
    for await (const walked of walkTree(failing, [root])) if (walked.kind === 'problem') seen.push(walked.message);
    assert.deepEqual(seen, ['the folder may not be read (permission denied)']);
  });
});
