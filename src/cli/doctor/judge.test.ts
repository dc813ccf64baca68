import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAtLeast, parseVersion } from './check.ts';
import { judgeAws } from './clients.ts';
import { cgroupLayout, engineSockets } from './look.ts';
import { judgeClock, judgeDisk } from './machine.ts';
import { judgeBundledNode, judgeNode, judgeSqlite } from './node.ts';
import { judgeCgroups, judgeEngine, judgeRuntimes } from './runtimes.ts';

test('versions compare by number, not by letter', () => {
  for (const [text, least, expected] of [
    ['1.31', [1, 31], true],
    ['1.8.1', [1, 31], false],
    ['v24.21.0', [24], true],
    ['9.9', [24], false],
    ['3.51.2', [3, 51, 3], false],
    ['3.53.0', [3, 51, 3], true],
    ['2.0.0', [1, 31], true],
  ] as const) {
    assert.equal(isAtLeast(parseVersion(text) ?? [], [...least]), expected, text);
  }
  assert.equal(parseVersion('unknown'), undefined);
});

test('Node and SQLite have a least version', () => {
  assert.equal(judgeNode('v20.20.2').status, 'missing');
  assert.equal(judgeNode('v24.0.0').status, 'ok');
  assert.equal(judgeBundledNode(undefined).status, 'warning');
  assert.equal(judgeSqlite('3.50.4').status, 'missing');
  assert.equal(judgeSqlite('3.51.3').status, 'ok');
  assert.equal(judgeSqlite('none in this Node').status, 'missing');
});

test('a runtime with known holes is a warning, and none at all is missing', () => {
  const statuses = (crun?: string, runc?: string): string[] =>
    judgeRuntimes({ ...(crun === undefined ? {} : { crun }), ...(runc === undefined ? {} : { runc }) }).map(
      ({ status }) => status,
    );
  assert.deepEqual(statuses(), ['missing', 'missing']);
  assert.deepEqual(statuses('crun version 1.31\ncommit: abc'), ['ok', 'ok']);
  assert.deepEqual(statuses('crun version 1.8.1'), ['warning', 'ok']);
  assert.deepEqual(statuses(undefined, 'runc version 1.1.5+ds1'), ['ok', 'warning']);
  for (const [version, finding] of [
    ['1.2.7', /CVE-2025-31133/],
    ['1.2.8', /CVE-2026-41579/],
    ['1.3.2', /CVE-2025-31133/],
    ['1.3.5', /CVE-2026-41579/],
    ['1.3.6', undefined],
    ['1.4.2', /CVE-2026-41579/],
    ['1.4.3', undefined],
    ['1.6.0', undefined],
    ['2.0.0', undefined],
  ] as const) {
    const { advice, status } = judgeRuntimes({ runc: `runc version ${version}` })[1] ?? {};
    if (finding === undefined) assert.equal(status, 'ok', version);
    else assert.match(advice ?? '', finding, version);
  }
});

test('cgroup layouts are told apart, and the mixture that crun refuses is a warning', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-cgroup-'));
  t.after(() => rm(root, { recursive: true }));
  assert.equal((await cgroupLayout(root)).kind, 'none');
  await mkdir(join(root, 'memory'));
  assert.equal((await cgroupLayout(root)).kind, 'v1');
  await mkdir(join(root, 'unified'));
  await writeFile(join(root, 'unified/cgroup.controllers'), '\n');
  const empty = await cgroupLayout(root);
  assert.deepEqual(empty, { kind: 'hybrid', unifiedControllers: [] });
  assert.equal(judgeCgroups(empty, '1.8.1', undefined).status, 'ok');
  await writeFile(join(root, 'unified/cgroup.controllers'), 'hugetlb\n');
  const mixed = await cgroupLayout(root);
  assert.deepEqual(mixed.unifiedControllers, ['hugetlb']);
  assert.match(judgeCgroups(mixed, '1.8.1', undefined).advice ?? '', /install runc/);
  assert.equal(judgeCgroups(mixed, undefined, '1.1.5').status, 'ok');
  await writeFile(join(root, 'cgroup.controllers'), 'cpu memory\n');
  assert.equal((await cgroupLayout(root)).kind, 'v2');
});

test('disk and clock', () => {
  assert.equal(judgeDisk('/data', 10 * 1024 ** 3, 1024 ** 4).status, 'ok');
  assert.equal(judgeDisk('/data', 1024 ** 3, 1024 ** 4).status, 'warning');
  assert.equal(judgeDisk('/data', 1024 ** 2, 1024 ** 4).status, 'missing');
  assert.equal(judgeClock(0, undefined).status, 'missing');
  assert.equal(judgeClock(Number.NaN, undefined).status, 'missing');
  assert.equal(judgeClock(Date.UTC(2027, 0, 1), Date.UTC(2027, 0, 1) + 30_000).status, 'ok');
});

test('an engine is looked for where its clients look', () => {
  assert.deepEqual(engineSockets('docker', {}), ['/var/run/docker.sock']);
  assert.deepEqual(engineSockets('docker', { DOCKER_HOST: 'unix:///tmp/d.sock' }), ['/tmp/d.sock']);
  assert.deepEqual(engineSockets('docker', { DOCKER_HOST: 'tcp://10.0.0.1:2375' }), []);
  assert.deepEqual(engineSockets('podman', { XDG_RUNTIME_DIR: '/run/user/1' }), [
    '/run/user/1/podman/podman.sock',
    '/run/podman/podman.sock',
  ]);
  assert.equal(judgeEngine('docker', undefined, undefined).status, 'warning');
  assert.equal(judgeEngine('docker', 'Docker version 28.2.2, build x', '/s').found, 'client 28.2.2, engine answers at /s');
});

test('an aws that would go to Amazon is a warning', () => {
  const judge = (printed: string): string => judgeAws('/usr/bin/aws', printed).status;
  assert.equal(judge('aws-cli/2.9.19 Python/3.11.2 Linux/6.1'), 'warning');
  assert.equal(judge('aws-cli/2.13.0 Python/3.11.4 Linux/6.1'), 'ok');
  assert.equal(judge('aws-cli/1.27.40 Python/3.11.2 Linux/6.1'), 'warning');
  assert.equal(judge('aws-cli/1.45.11 Python/3.11.7 Linux/6.1'), 'ok');
  assert.match(judgeAws('/usr/bin/aws', 'aws-cli/2.9.19').advice ?? '', /2\.13.*--endpoint-url "\$AWS_ENDPOINT_URL"/);
  assert.deepEqual([judgeAws('/usr/bin/aws', undefined).status, judgeAws(undefined, undefined).status], ['ok', 'warning']);
});
