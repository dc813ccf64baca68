import assert from 'node:assert/strict';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Check } from './doctor/check.ts';
import { doctor } from './doctor.ts';
import { runCommand, type CommandRun } from './testing.ts';

const now = Date.UTC(2026, 5, 1);

async function dataFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-doctor-'));
  t.after(() => rm(folder, { recursive: true }));
  await utimes(folder, now / 1000, now / 1000);
  return folder;
}

async function listen(t: TestContext, server: Server): Promise<number> {
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function examine(env: Record<string, string>): Promise<{ run: CommandRun; ok: boolean; check(name: string): Check }> {
  const run = await runCommand([doctor], ['doctor', '--json'], { env: { HOLDFAST_PORT: '0', ...env }, now: () => now });
  const result = JSON.parse(run.stdout) as { ok: boolean; checks: Check[] };
  return {
    run,
    ok: result.ok,
    check(name) {
      const found = result.checks.find((each) => each.name === name);
      assert.ok(found, name);
      return found;
    },
  };
}

test('a machine that runs these tests can run the server', async (t) => {
  const { run, ok, check } = await examine({ HOLDFAST_DATA: await dataFolder(t) });
  assert.equal(ok, true);
  assert.equal(run.code, 0);
  for (const name of ['Node', 'SQLite', 'data folder', 'disk', 'clock', 'port'])
    assert.notEqual(check(name).status, 'missing', name);
  for (const name of ['crun', 'runc', 'docker', 'podman', 'cgroups', 'FUSE', 'user', 'ip', 'nft', 'setfattr', 'aws'])
    assert.equal(check(name).needed, false, name);
});

test('everything that is not ok says what to do', async (t) => {
  const { run } = await examine({ HOLDFAST_DATA: await dataFolder(t), PATH: '/nowhere' });
  for (const each of (JSON.parse(run.stdout) as { checks: Check[] }).checks) {
    assert.equal(each.status === 'ok', each.advice === undefined, each.name);
  }
});

test('a port that another program has is missing, and its own server is not', async (t) => {
  const data = await dataFolder(t);
  const other = await listen(
    t,
    createServer((_request, response) => response.end('hello')),
  );
  const taken = await examine({ HOLDFAST_DATA: data, HOLDFAST_PORT: String(other) });
  assert.equal(taken.check('port').status, 'missing');
  assert.match(taken.check('port').advice ?? '', /HOLDFAST_PORT/);
  assert.equal(taken.run.code, 1);

  const own = await listen(
    t,
    createServer((_request, response) => response.setHeader('Server', 'Holdfast/0.1.0').end()),
  );
  const running = await examine({ HOLDFAST_DATA: data, HOLDFAST_PORT: String(own) });
  assert.equal(running.check('port').status, 'ok');
  assert.equal(running.run.code, 0);
});

test('a program that takes the connection and says nothing does not hold the doctor up for ever', async (t) => {
  const silent = await listen(
    t,
    createServer(() => undefined),
  );
  const { check } = await examine({ HOLDFAST_DATA: await dataFolder(t), HOLDFAST_PORT: String(silent) });
  assert.match(check('port').found, /another program/);
});

test('an address of no machine of ours is refused', async (t) => {
  const { check, run } = await examine({ HOLDFAST_DATA: await dataFolder(t), HOLDFAST_HOST: '192.0.2.1' });
  assert.equal(check('port').status, 'missing');
  assert.equal(run.code, 1);
});

test('a data folder written in the future points at the clock', async (t) => {
  const data = await dataFolder(t);
  const file = join(data, 'holdfast.sqlite');
  await writeFile(file, '');
  await utimes(data, now / 1000, now / 1000);
  await utimes(file, now / 1000, now / 1000 + 3 * 3600);
  const { check } = await examine({ HOLDFAST_DATA: data });
  assert.equal(check('clock').status, 'warning');
  assert.match(check('clock').advice ?? '', /3 h in the future/);
});

test('a data folder that is not there yet is created by the server; a file in its place is not one', async (t) => {
  const data = await dataFolder(t);
  assert.match(
    (await examine({ HOLDFAST_DATA: join(data, 'deep/er') })).check('data folder').found,
    /created at the first start/,
  );
  const file = join(data, 'file');
  await writeFile(file, '');
  const { check, run } = await examine({ HOLDFAST_DATA: join(file, 'data') });
  assert.equal(check('data folder').status, 'missing');
  assert.equal(run.code, 1);
});

test('a port that is no number is one clear sentence', async () => {
  const run = await runCommand([doctor], ['doctor'], { env: { HOLDFAST_PORT: 'http' } });
  assert.deepEqual([run.code, run.stderr], [1, 'holdfast: HOLDFAST_PORT is "http", and a port is a number from 0 to 65535.\n']);
});

test('people get marks and sentences that fit a terminal', async (t) => {
  const run = await runCommand([doctor], ['doctor'], {
    env: { HOLDFAST_DATA: await dataFolder(t), HOLDFAST_PORT: '0' },
    now: () => now,
  });
  assert.match(run.stdout, /^ok {7}Node +v\d+/);
  assert.match(run.stdout, /The server has what it needs\.\n$/);
  for (const line of run.stdout.split('\n')) assert.ok(line.length <= 100, line);
  assert.ok(!run.stdout.includes('\x1b'));
});
