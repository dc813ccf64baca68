import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { ECR } from '@aws-sdk/client-ecr';
import { pushImage } from '../support/aws-server.ts';
import { plainEnv, runProgram, startHoldfast, type Finished } from '../support/server.ts';
import { requireRoot, requireTool } from '../support/tools.ts';

/** `ctr …` against a containerd of the test's own: its data, its socket, no plugin of Kubernetes. */
async function startContainerd(
  t: TestContext,
): Promise<{ folder: string; ctr(...args: string[]): Promise<Finished> } | undefined> {
  const containerd = requireTool(t, 'containerd');
  const ctr = requireTool(t, 'ctr');
  if (containerd === undefined || ctr === undefined || !requireRoot(t)) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-containerd-'));
  const address = join(folder, 'socket');
  const config = join(folder, 'config.toml');
  const toml = [
    'version = 2',
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    `root = "${join(folder, 'root')}"`,
    `state = "${join(folder, 'state')}"`,
    '[grpc]',
    `address = "${address}"`,
    '[ttrpc]',
    `address = "${address}.ttrpc"`,
  ];
  await writeFile(config, `${toml.join('\n')}\n`);
  const daemon = spawn(containerd, ['--config', config], { stdio: ['ignore', 'ignore', 'pipe'], env: plainEnv() });
  const ended = new Promise<void>((resolve) => daemon.once('close', () => resolve()));
  t.after(async () => {
    daemon.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  });
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: daemon.stderr }).on('line', (line) => {
      said.push(line);
      if (line.includes('containerd successfully booted')) resolve();
    });
    void ended.then(() => reject(new Error(`containerd ended:\n${said.slice(-20).join('\n')}`)));
  });
  return { folder, ctr: (...args) => runProgram(ctr, ['--address', address, '--namespace', 'test', ...args]) };
}

test('containerd pushes and pulls, and reaches each region through a mirror', async (t) => {
  const started = await startContainerd(t);
  if (started === undefined) return;
  const { folder, ctr } = started;
  const server = await startHoldfast(t, { HOLDFAST_REGION: 'us-east-1,eu-west-1' });
  const digests: Record<string, string> = {};
  for (const region of ['us-east-1', 'eu-west-1']) {
    const ecr = new ECR({ endpoint: server.url, region, credentials: server.credentials });
    t.after(() => ecr.destroy());
    await ecr.createRepository({ repositoryName: 'team/app' });
    digests[region] = (await pushImage(ecr, 'team/app', `of ${region}`, 'v1')).digest;
  }
  const { accessKeyId, secretAccessKey } = server.credentials;
  const user = ['--user', `${accessKeyId}:${secretAccessKey}`];
  const done = ({ code, stdout, stderr }: Finished): void => assert.equal(code, 0, stderr || stdout);
  const pulled = async (reference: string): Promise<string | undefined> => {
    const { stdout } = await ctr('images', 'list');
    return stdout
      .split('\n')
      .flatMap((line) => (line.startsWith(`${reference} `) ? (/sha256:[0-9a-f]{64}/.exec(line) ?? []) : []))[0];
  };

  const image = `${server.registryHost}/team/app:v1`;
  done(await ctr('content', 'fetch', '--plain-http', ...user, image));
  assert.equal(await pulled(image), digests['us-east-1']);
  done(await ctr('images', 'tag', image, `${server.registryHost}/team/app:pushed`));
  done(await ctr('images', 'push', '--plain-http', ...user, `${server.registryHost}/team/app:pushed`));
  const nowhere = await ctr('images', 'push', '--plain-http', ...user, `${server.registryHost}/team/none:v1`, image);
  assert.match(nowhere.stderr, /404 Not Found/);

  // Images named as at AWS come from here; the region is in what containerd tells its mirror, not in the mirror's name.
  for (const [region, digest] of Object.entries(digests)) {
    const host = `123456789012.dkr.ecr.${region}.amazonaws.com`;
    await mkdir(join(folder, 'hosts', host), { recursive: true });
    await writeFile(
      join(folder, 'hosts', host, 'hosts.toml'),
      `server = "http://127.0.0.1:1"\n[host."${server.url}"]\ncapabilities = ["pull", "resolve"]\n`,
    );
    done(await ctr('content', 'fetch', '--hosts-dir', join(folder, 'hosts'), ...user, `${host}/team/app:v1`));
    assert.equal(await pulled(`${host}/team/app:v1`), digest);
  }
});
