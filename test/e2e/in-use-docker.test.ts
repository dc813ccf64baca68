import assert from 'node:assert/strict';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { startDockerEngine } from '../support/docker-engine.ts';
import { buildImage, layoutFiles, temporaryFolder, writeTree } from '../support/image-source.ts';
import { startHoldfast, type Finished } from '../support/server.ts';
import { requireTool } from '../support/tools.ts';

interface Shown {
  images: { digest?: string; tags: string[]; usedBy: string[]; risks: { kind: string }[] }[];
  held: object[];
}

function output({ code, stdout, stderr }: Finished): string {
  assert.equal(code, 0, stderr || stdout);
  return stdout;
}

test('the containers of a Docker host: what runs is found by its digest, also when its tag has moved on', async (t) => {
  const engine = await startDockerEngine(t);
  const busybox = requireTool(t, 'busybox');
  if (engine === undefined || busybox === undefined) return;
  const server = await startHoldfast(t);
  const folder = await temporaryFolder(t);
  const image = `${server.registryHost}/team/app:1`;
  output(await server.run(['push', await writeTree(join(folder, 'x'), layoutFiles(buildImage('x'))), 'team/app:0', '--create']));
  const { accessKeyId: user, secretAccessKey: password } = server.credentials;
  output(await engine.docker(['login', '--username', user, '--password-stdin', server.registryHost], { stdin: password }));
  await mkdir(join(folder, 'bin'));
  await copyFile(busybox, join(folder, 'bin', 'busybox'));
  const build = async (version: string): Promise<string> => {
    await writeFile(join(folder, 'Dockerfile'), `FROM scratch\nCOPY bin /bin\nLABEL version=${version}\n`);
    output(await engine.docker(['build', '-t', image, folder]));
    return /digest: (sha256:[0-9a-f]{64})/.exec(output(await engine.docker(['push', image])))?.[1] ?? '';
  };
  const start = (name: string, what = image) =>
    engine.docker(['run', '-d', '--name', name, '--network', 'none', what, '/bin/busybox', 'sleep', '3600']);
  const old = await build('old');
  output(await start('blue'));
  const young = await build('young');
  output(await start('green'));
  output(await engine.docker(['tag', image, 'not-from-here']));
  output(await start('foreign', 'not-from-here'));
  output(await start('ended'));
  output(await engine.docker(['kill', 'ended']));

  const run = await server.run(['in-use', '--docker', '--hold', '--json'], { env: { ...engine.env } });
  assert.equal(run.code, 1, run.stderr);
  const { images, held } = JSON.parse(run.stdout) as Shown;
  const shown = new Map(images.map(({ digest, usedBy, risks }) => [digest, [usedBy, risks.map(({ kind }) => kind)]]));
  assert.deepEqual(shown.get(old), [['container blue'], ['tag-moved', 'tag-mutable']]);
  assert.deepEqual(shown.get(young), [['container green'], ['tag-mutable']]);
  assert.equal(shown.size, 2);
  assert.equal(held.length, 2);
  const listed = JSON.parse((await server.run(['hold', 'list', '--json'])).stdout) as {
    holds: { digest: string; holder: string }[];
  };
  const holders = new Map(listed.holds.map(({ digest, holder }) => [digest, holder]));
  assert.deepEqual([holders.get(old), holders.get(young)], ['blue', 'green']);
});

test('an engine that is none: errors in a sentence, and no hold', async (t) => {
  const server = await startHoldfast(t);
  const folder = await temporaryFolder(t);
  const socket = join(folder, 'docker.sock');
  const docker = (host = `unix://${socket}`) => server.run(['in-use', '--docker'], { env: { DOCKER_HOST: host } });
  assert.match((await docker()).stderr, /The Docker engine at .*docker\.sock did not answer: ENOENT/);
  assert.equal((await docker('tcp://10.0.0.1:2375')).code, 2);

  let body = '';
  const engine = createServer((_request, response) => response.end(body));
  await new Promise<void>((resolve) => engine.listen(socket, () => resolve()));
  t.after(() => new Promise<void>((resolve) => engine.close(() => resolve()).closeAllConnections()));
  for (const [answer, code, message] of [
    ['<html>', 1, /it is not JSON/],
    ['[{"Id":', 1, /it is not JSON/],
    ['['.repeat(10_000), 1, /it is not JSON/],
    ['{"not":"a list"}', 0, /^$/],
    ['[null, 5, {"Id": 7, "Names": "x", "Image": null, "ImageID": []}]', 0, /^$/],
  ] as const) {
    body = answer;
    const run = await docker();
    assert.equal(run.code, code, `${answer}: ${run.stdout} ${run.stderr}`);
    assert.match(run.stderr, message);
  }
});
