import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { digestOf } from '../core/digest.ts';
import { createFileReplacer, machineFiles } from './pin-files.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-pin-files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const NEW = Buffer.from('new');

test('a file is replaced with its mode, and nothing shows before', async () => {
  const path = join(folder, 'a.yaml');
  writeFileSync(path, 'old');
  chmodSync(path, 0o754);
  const staged = await createFileReplacer(process.pid).stage(path, NEW);
  assert.equal(readFileSync(path, 'utf8'), 'old');
  assert.equal(await staged.commit(digestOf('old')), 'replaced');
  assert.equal(readFileSync(path, 'utf8'), 'new');
  assert.equal(statSync(path).mode & 0o7777, 0o754);
  assert.deepEqual(readdirSync(folder), ['a.yaml']);
});

test('a file that somebody else has changed stays as it is', async () => {
  const path = join(folder, 'a.yaml');
  writeFileSync(path, 'old');
  const staged = await createFileReplacer(process.pid).stage(path, NEW);
  writeFileSync(path, 'theirs');
  assert.equal(await staged.commit(digestOf('old')), 'changed');
  assert.equal(readFileSync(path, 'utf8'), 'theirs');
  assert.deepEqual(readdirSync(folder), ['a.yaml']);
});

test('a link stays a link, and its file is replaced', async () => {
  writeFileSync(join(folder, 'real.yaml'), 'old');
  symlinkSync('real.yaml', join(folder, 'link.yaml'));
  const staged = await createFileReplacer(process.pid).stage(join(folder, 'link.yaml'), NEW);
  await staged.commit(digestOf('old'));
  assert.ok(lstatSync(join(folder, 'link.yaml')).isSymbolicLink());
  assert.equal(readFileSync(join(folder, 'real.yaml'), 'utf8'), 'new');
});

test('what a dead run left behind goes, what a living one stages stays', async () => {
  const path = join(folder, 'a.yaml');
  writeFileSync(path, 'old');
  // Above the largest process id that Linux gives.
  const [dead, alive] = ['.holdfast-pin.4194999.1.tmp', `.holdfast-pin.${process.ppid}.1.tmp`];
  writeFileSync(join(folder, dead), 'x');
  writeFileSync(join(folder, alive), 'x');
  const staged = await createFileReplacer(process.pid).stage(path, NEW);
  await staged.discard();
  assert.deepEqual(readdirSync(folder).sort(), [alive, 'a.yaml'].sort());
});

test('a dangling link is nothing, a loop of links is nothing', async () => {
  symlinkSync('nowhere', join(folder, 'dangling'));
  symlinkSync('loop', join(folder, 'loop'));
  assert.equal(await machineFiles.stat(join(folder, 'dangling')), undefined);
  assert.equal(await machineFiles.stat(join(folder, 'loop')), undefined);
  assert.equal(await machineFiles.stat(join(folder, 'dangling', 'below')), undefined);
});
