import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { findTool, requireAbility } from '../support/tools.ts';

const root = new URL('../..', import.meta.url);

/** A path with what a shell script needs, and no apt, skopeo or aws. */
async function barePath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-setup-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const name of ['sh', 'uname', 'id', 'sort', 'tr', 'env', 'readlink']) {
    const path = findTool(name);
    assert.ok(path, name);
    await symlink(path, join(folder, name));
  }
  return folder;
}

function setup(env: Record<string, string>, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('/bin/sh', ['scripts/setup.sh', ...args], { cwd: root, env, encoding: 'utf8' });
}

test('without apt it says what is missing and carries on; only with CI=true it fails', async (t) => {
  if (!requireAbility(t, process.platform === 'linux', 'there are system packages to install on Linux only')) return;
  const PATH = await barePath(t);
  const carried = setup({ PATH }, 'test');
  assert.equal(carried.status, 0);
  assert.match(carried.stderr, /^Missing system packages: .*awscli.*skopeo/);
  assert.match(carried.stderr, /no apt/);
  assert.match(carried.stderr, /Tests that need them are skipped/);
  assert.equal(setup({ PATH, CI: 'true' }, 'test').status, 1);
});

test('for running it never fails, with CI=true or without', async (t) => {
  const PATH = await barePath(t);
  assert.equal(setup({ PATH, CI: 'true' }, 'runtime').status, 0);
  assert.equal(setup({ PATH }).status, 0);
});

test('HOLDFAST_SETUP=off is silent', async (t) => {
  const PATH = await barePath(t);
  const { status, stdout, stderr } = setup({ PATH, CI: 'true', HOLDFAST_SETUP: 'off' }, 'test');
  assert.deepEqual([status, stdout, stderr], [0, '', '']);
});

test('another word than runtime and test is wrong usage', () => {
  assert.equal(setup({ PATH: process.env['PATH'] ?? '' }, 'production').status, 2);
});
