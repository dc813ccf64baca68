import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startDockerEngine } from '../support/docker-engine.ts';
import { plainEnv, runProgram, startHoldfast } from '../support/server.ts';
import { requireTool } from '../support/tools.ts';

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
  const tour = readme.slice(readme.indexOf('## Five minutes'), readme.indexOf('## More'));
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
