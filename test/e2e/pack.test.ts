import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

// What a user has, far from the repository: neither its node_modules/.bin nor what npm says to its scripts.
const env: Record<string, string> = Object.fromEntries(
  Object.entries(process.env).flatMap(([name, value]) =>
    value === undefined ||
    /^(?:npm_(?:package|lifecycle|command|execpath|node)|HOLDFAST_|AWS_|INIT_CWD$|NODE_OPTIONS$|NODE_COMPILE_CACHE$|NODE_TEST)/.test(
      name,
    )
      ? []
      : [[name, value]],
  ),
);
env['PATH'] = (env['PATH'] ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes('node_modules'))
  .join(delimiter);

describe('the packed package, installed elsewhere', () => {
  let folder = '';
  let holdfast = '';

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-pack-'));
    await run('npm', ['pack', '--pack-destination', folder, '--loglevel=error'], { cwd: root, env });
    const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
    assert.ok(tarball);
    await run('npm', ['install', '--global', '--prefix', join(folder, 'prefix'), join(folder, tarball), '--loglevel=error'], {
      cwd: folder,
      env,
    });
    holdfast = join(folder, 'prefix/bin/holdfast');
  });

  after(() => rm(folder, { recursive: true, force: true }));

  test('carries what it runs, and neither sources nor tests', async () => {
    const installed = join(folder, 'prefix/lib/node_modules/holdfast');
    const names = await readdir(installed);
    for (const name of ['bin', 'dist', 'scripts', 'LICENSE', 'README.md', 'package.json']) assert.ok(names.includes(name), name);
    for (const name of ['src', 'test', 'docs', 'layers.ts']) assert.ok(!names.includes(name), name);
    const emitted = await readdir(join(installed, 'dist'), { recursive: true });
    assert.deepEqual(
      emitted.filter((name) => /\.ts$|\.test\.|\.contract\./.test(name)),
      [],
    );
  });

  test('runs under the Node that it brought, through links too', async () => {
    const { stdout } = await run(holdfast, ['doctor', '--json'], {
      cwd: folder,
      env: { ...env, HOLDFAST_PORT: '0', HOLDFAST_DATA: join(folder, 'data') },
    });
    const { checks } = JSON.parse(stdout) as { checks: { name: string; status: string }[] };
    assert.equal(checks.find(({ name }) => name === 'Node')?.status, 'ok');
    const linked = join(folder, 'linked');
    await mkdir(linked);
    await symlink(holdfast, join(linked, 'hf'));
    assert.match((await run(join(linked, 'hf'), ['--version'], { env })).stdout, /^\d+\.\d+\.\d+/);
  });

  test('gives exit codes through', async () => {
    await assert.rejects(run(holdfast, ['no-such-command'], { env }), (error: { code?: unknown }) => error.code === 2);
  });

  test('serves', async (t) => {
    const server = spawn(holdfast, ['serve'], {
      cwd: folder,
      env: { ...env, HOLDFAST_PORT: '0', HOLDFAST_DATA: join(folder, 'data'), HOLDFAST_RUNTIME: 'none' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(server, 'exit');
    t.after(() => server.kill('SIGKILL'));
    const address = await readyAddress(server);
    const answer = await fetch(new URL('/healthz', address));
    await answer.arrayBuffer();
    assert.equal(answer.status, 200);
    assert.equal((await fetch(new URL('/v2/', address))).status, 401);
    server.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
  });
});

/** The address of the line `Holdfast ready on http://…`; fails when the server ends before it. */
async function readyAddress(server: ChildProcess): Promise<string> {
  assert.ok(server.stdout);
  const seen: string[] = [];
  for await (const line of createInterface({ input: server.stdout })) {
    seen.push(line);
    const address = /Holdfast ready on (http:\/\/\S+)/.exec(line)?.[1];
    if (address !== undefined) return address;
  }
  throw new Error(`the server ended before it was ready:\n${seen.join('\n')}`);
}
