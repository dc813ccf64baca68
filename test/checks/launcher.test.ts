import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findTool } from '../support/tools.ts';

const launcher = fileURLToPath(new URL('../../bin/holdfast', import.meta.url));

/** The path of a user's shell, where npm's scripts have put nothing. */
const PATH = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes('node_modules'))
  .join(delimiter);

test('bin/holdfast starts from anywhere, through links, and gives the exit code', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-launcher-'));
  t.after(() => rm(folder, { recursive: true }));
  await symlink(launcher, join(folder, 'one'));
  await symlink('one', join(folder, 'two'));
  const run = spawnSync(join(folder, 'two'), ['--version'], { cwd: folder, env: { PATH }, encoding: 'utf8' });
  assert.match(run.stdout, /^\d+\.\d+\.\d+/);
  assert.equal(run.status, 0);
  assert.equal(spawnSync(launcher, ['no-such-command'], { env: { PATH } }).status, 2);
});

test('arguments arrive as they were typed', () => {
  const run = spawnSync(launcher, ['a b "c" $d'], { env: { PATH }, encoding: 'utf8' });
  assert.match(run.stderr, /"a b "c" \$d"/);
});

test('a Node of the machine that is given the file, old or new, runs it too', (t) => {
  const path = process.env['PATH'];
  process.env['PATH'] = PATH;
  const node = findTool('node');
  process.env['PATH'] = path;
  if (node === undefined) {
    t.skip('this machine has no Node of its own');
    return;
  }
  const run = spawnSync(node, [launcher, 'doctor', '--json'], {
    env: { PATH, HOLDFAST_PORT: '0', HOLDFAST_DATA: tmpdir() },
    encoding: 'utf8',
  });
  const { checks } = JSON.parse(run.stdout) as { checks: { name: string; status: string }[] };
  assert.equal(checks[0]?.name, 'Node');
  assert.equal(checks[0].status, 'ok');
  assert.equal(spawnSync(node, [launcher, 'no-such-command'], { env: { PATH } }).status, 2);
});
