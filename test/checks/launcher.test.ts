import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readlink, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
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

/** The machine's own Node, of whatever age. */
function machineNode(): string | undefined {
  const path = process.env['PATH'];
  process.env['PATH'] = PATH;
  try {
    return findTool('node');
  } finally {
    process.env['PATH'] = path;
  }
}

test('a Node of the machine that is given the file, old or new, runs it too', (t) => {
  const node = machineNode();
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

for (const by of ['the file itself', 'a Node of the machine'] as const) {
  test(`a server started by ${by} ends well at SIGTERM`, async (t) => {
    const node = by === 'the file itself' ? undefined : machineNode();
    if (by !== 'the file itself' && node === undefined) {
      t.skip('this machine has no Node of its own');
      return;
    }
    const data = await mkdtemp(join(tmpdir(), 'holdfast-launcher-'));
    const [program, ...args] = [...(node === undefined ? [] : [node]), launcher, 'serve'];
    const server = spawn(program ?? launcher, args, {
      env: { PATH, HOLDFAST_PORT: '0', HOLDFAST_DATA: data, HOLDFAST_RUNTIME: 'none', HOLDFAST_LOG: 'off' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(server, 'exit');
    t.after(async () => {
      server.kill('SIGKILL');
      await rm(data, { recursive: true });
    });
    let ready = false;
    for await (const line of createInterface({ input: server.stdout })) {
      if (!line.startsWith('Holdfast ready on ')) continue;
      ready = true;
      if (node === undefined && process.platform === 'linux')
        assert.match(await readlink(`/proc/${server.pid}/exe`), /node$/, 'the shell has become the server');
      server.kill('SIGTERM');
    }
    assert.ok(ready);
    assert.deepEqual(await ended, [0, null]);
  });
}
