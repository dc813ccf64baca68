import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDataFolder } from './data-folder.ts';

test('the folder and those above it are made for their owner alone', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-folder-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const deep = join(root, 'a', 'b', 'c');
  await openDataFolder(deep, 'HOLDFAST_DATA');
  await openDataFolder(deep, 'HOLDFAST_DATA');
  for (const folder of [deep, join(root, 'a')]) assert.equal((await stat(folder)).mode & 0o777, 0o700);
});

test('a folder that cannot be had is refused with the reason and the setting', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-folder-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  await writeFile(join(root, 'file'), '');
  await mkdir(join(root, 'folder'));
  const cases: [path: string, reason: RegExp][] = [
    [join(root, 'file'), /a part of the path is not a folder/],
    [join(root, 'file', 'below'), /a part of the path is not a folder/],
    [join(root, 'x'.repeat(300)), /the path is too long/],
    // Node's recursive mkdir hangs here.
    ...(process.platform === 'linux'
      ? [['/proc/holdfast/data', /no folder can be made there|may not write there/] as [string, RegExp]]
      : []),
  ];
  for (const [path, reason] of cases) {
    await assert.rejects(openDataFolder(path, 'HOLDFAST_DATA'), (error: Error) => {
      assert.match(error.message, reason, path);
      assert.match(error.message, /^Cannot keep data in .*\. Choose another folder with HOLDFAST_DATA\.$/);
      return true;
    });
  }
});
