import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { quickenWaiters } from '../support/aws-waiters.ts';
import { startDockerEngine } from '../support/docker-engine.ts';
import { plainEnv, runProgram, startHoldfast } from '../support/server.ts';
import { requireRoot, requireTool } from '../support/tools.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('the tour of the README, word for word', async (t) => {
  const engine = await startDockerEngine(t);
  const aws = requireTool(t, 'aws');
  const busybox = requireTool(t, 'busybox');
  if (engine === undefined || aws === undefined || busybox === undefined) return;
  const server = await startHoldfast(t);
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-tour-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await symlink(join(root, 'bin'), join(folder, 'bin'));
  await copyFile(busybox, join(folder, 'busybox'));
  await writeFile(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY busybox /bin/busybox\n');
  assert.equal((await engine.docker(['build', '-t', 'busybox', folder])).code, 0);

  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const tour = readme.slice(readme.indexOf('## Five minutes'), readme.indexOf('## A service'));
  const blocks = [...tour.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block ?? '');
  assert.ok(blocks.length >= 6);
  // The image is built above instead: tests need no network. Older versions of aws read no AWS_ENDPOINT_URL.
  const script = blocks.join('\n').replace('docker pull busybox\n', '');
  assert.notEqual(script, blocks.join('\n'));
  const prelude = 'set -eu -o pipefail\naws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }\nset -x\n';
  const { code, stdout, stderr } = await runProgram('bash', ['-c', prelude + script], {
    cwd: folder,
    env: {
      ...plainEnv(),
      PATH: `${dirname(aws)}:${process.env['PATH']}`,
      HOME: folder,
      HOLDFAST_DATA: server.dataFolder,
      AWS_PAGER: '',
      AWS_EC2_METADATA_DISABLED: 'true',
      ...engine.env,
    },
  });
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  for (const said of [
    /is held by cluster 'prod-eu'/,
    /team\/site:latest points at sha256:/,
    /is back in team\/app, as 1\.0/,
    /Anybody may pull from team\/app now/,
    /Status: (?:Image is up to date|Downloaded newer image)/,
  ])
    assert.match(stdout, said);
});

test('the service of the README, word for word', async (t) => {
  const aws = requireTool(t, 'aws');
  if (aws === undefined || requireTool(t, 'busybox') === undefined || !requireRoot(t)) return;
  const server = await startHoldfast(t, { HOLDFAST_RUNTIME: 'oci' });
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-tour-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await symlink(join(root, 'bin'), join(folder, 'bin'));
  await quickenWaiters(aws, folder);
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const section = readme.slice(readme.indexOf('## A service'), readme.indexOf('## Cleanup'));
  const [demo, ...blocks] = [...section.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block ?? '');
  assert.equal(demo, 'npm run demo\n');
  // The tasks are gone before their server is.
  const last = 'aws ecs wait services-inactive --cluster shop --services web\n';
  const prelude = 'set -eu -o pipefail\naws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }\nset -x\n';
  const { code, stdout, stderr } = await runProgram('bash', ['-c', `${prelude}${blocks.join('\n')}${last}`], {
    cwd: folder,
    env: { ...server.env, PATH: `${dirname(aws)}:${process.env['PATH']}`, HOME: folder, AWS_PAGER: '' },
  });
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  const [one, two] = stdout.split('\n').filter((line) => /^sha256:[0-9a-f]{64}$/.test(line));
  const short = (digest = ''): string => digest.slice('sha256:'.length, 'sha256:'.length + 12);
  const shown = stdout.split('\n').filter((line) => /^[0-9a-f]{8} +web +web +team\/web:stable/.test(line));
  assert.ok(shown.length >= 12);
  // Each ps shows tasks of version one: before and after the tag moved, and after the way back.
  for (const line of shown) assert.match(line, new RegExp(`team/web:stable +${short(one)} `));
  assert.match(shown.at(-1) ?? '', new RegExp(`${short(two)}$`));
  assert.match(stdout, new RegExp(`^\\* [0-9]+ .*${short(two)}$`, 'm'));
  await server.stop();
});
