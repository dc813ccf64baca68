import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ECR } from '@aws-sdk/client-ecr';
import type { SETTINGS } from '../../src/config.ts';
import { digestOf } from '../../src/core/digest.ts';
import { freePort } from '../support/free-port.ts';
import { buildImage, layoutFiles, temporaryFolder, writeTree } from '../support/image-source.ts';
import { plainEnv, runProgram, startHoldfast, type HoldfastProcess } from '../support/server.ts';

const holdfast = fileURLToPath(new URL('../../bin/holdfast', import.meta.url));

/** What shows that a setting has reached what it is about, on a server that was started with it. */
interface Effect {
  env: Record<string, string>;
  shows(server: HoldfastProcess, t: TestContext, folder: string): Promise<void>;
}

function client(server: HoldfastProcess, t: TestContext, region = 'us-east-1'): ECR {
  const ecr = new ECR({ endpoint: server.url, region, credentials: server.credentials, maxAttempts: 1 });
  t.after(() => ecr.destroy());
  return ecr;
}

function login({ credentials }: HoldfastProcess): { Authorization: string } {
  const text = `${credentials.accessKeyId}:${credentials.secretAccessKey}`;
  return { Authorization: `Basic ${Buffer.from(text).toString('base64')}` };
}

async function push(server: HoldfastProcess, folder: string, name: string, image: string): Promise<string> {
  const layout = await writeTree(join(folder, name), layoutFiles(buildImage(name)));
  const { code, stdout, stderr } = await server.run(['push', layout, image, '--create']);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

const port = await freePort();

/** One entry for each variable that others set from outside and rely on. */
const effects: Partial<Record<(typeof SETTINGS)[number]['variable'], (folder: string) => Effect>> = {
  HOLDFAST_HOST: () => ({
    env: { HOLDFAST_HOST: '127.0.0.2' },
    async shows(server) {
      assert.match(server.url, /^http:\/\/127\.0\.0\.2:/);
      await assert.rejects(fetch(server.url.replace('127.0.0.2', '127.0.0.1')), 'no other address answers');
    },
  }),
  HOLDFAST_PORT: () => ({
    env: { HOLDFAST_PORT: String(port) },
    shows: (server) => Promise.resolve(assert.equal(server.registryHost, `127.0.0.1:${port}`)),
  }),
  HOLDFAST_DATA: () => ({
    env: {},
    shows: (server) => Promise.resolve(assert.ok(existsSync(join(server.dataFolder, 'holdfast.db')))),
  }),
  HOLDFAST_ACCOUNT_ID: () => ({
    env: { HOLDFAST_ACCOUNT_ID: '999988887777' },
    async shows(server, t) {
      const { repository } = await client(server, t).createRepository({ repositoryName: 'app' });
      assert.equal(repository?.repositoryArn, 'arn:aws:ecr:us-east-1:999988887777:repository/app');
    },
  }),
  HOLDFAST_REGION: () => ({
    env: { HOLDFAST_REGION: 'eu-west-1,us-east-1' },
    async shows(server, t) {
      for (const region of ['us-east-1', 'eu-west-1']) {
        const { repository } = await client(server, t, region).createRepository({ repositoryName: 'app' });
        assert.equal(repository?.repositoryArn, `arn:aws:ecr:${region}:123456789012:repository/app`);
      }
      await assert.rejects(client(server, t, 'ap-south-1').describeRepositories({}), /valid region.*eu-west-1, us-east-1/);
      assert.match((await server.run(['env'])).stdout, /AWS_REGION='eu-west-1'/);
    },
  }),
  HOLDFAST_PUBLIC_HOST: () => ({
    env: { HOLDFAST_PUBLIC_HOST: 'images.example.com' },
    async shows(server, t) {
      const { repository } = await client(server, t).createRepository({ repositoryName: 'app' });
      assert.equal(repository?.repositoryUri, 'images.example.com/app');
      assert.match((await server.run(['env'])).stdout, /HOLDFAST_REGISTRY='images\.example\.com'/);
    },
  }),
  HOLDFAST_ACCESS_KEY_ID: () => ({
    env: { HOLDFAST_ACCESS_KEY_ID: 'given', HOLDFAST_SECRET_ACCESS_KEY: 'given-secret' },
    async shows(server, t) {
      assert.equal(server.credentials.accessKeyId, 'given');
      await client(server, t).describeRepositories({});
    },
  }),
  HOLDFAST_SECRET_ACCESS_KEY: () => ({
    env: { HOLDFAST_ACCESS_KEY_ID: 'given', HOLDFAST_SECRET_ACCESS_KEY: 'given-secret' },
    async shows(server, t) {
      assert.equal(server.credentials.secretAccessKey, 'given-secret');
      await client(server, t).describeRepositories({});
    },
  }),
  HOLDFAST_BLOBS: (folder) => ({
    env: { HOLDFAST_BLOBS: `file:${join(folder, 'elsewhere')}` },
    async shows(server) {
      const digest = await push(server, folder, 'one', 'app:1');
      assert.match(digest, /^sha256:/);
      assert.ok(existsSync(join(folder, 'elsewhere', 'blobs')));
      assert.ok(!existsSync(join(server.dataFolder, 'blobs')));
    },
  }),
  HOLDFAST_LOG: () => ({
    env: { HOLDFAST_LOG: 'debug' },
    async shows(server) {
      await (await fetch(`${server.url}/healthz`)).text();
      await server.stop();
      assert.match(server.log(), /"level":"debug","message":"request".*"path":"\/healthz"/);
    },
  }),
  HOLDFAST_TAG_IMMUTABLE_MESSAGE: (folder) => ({
    env: { HOLDFAST_TAG_IMMUTABLE_MESSAGE: 'tag' },
    async shows(server, t) {
      await client(server, t).createRepository({ repositoryName: 'app', imageTagMutability: 'IMMUTABLE' });
      await push(server, folder, 'one', 'app:1');
      const layout = await writeTree(join(folder, 'two'), layoutFiles(buildImage('two')));
      const refused = await server.run(['push', layout, 'app:1']);
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, /because the tag is immutable/);
    },
  }),
  HOLDFAST_GRACE: (folder) => ({
    env: { HOLDFAST_GRACE: '0' },
    async shows(server, t) {
      const imageDigest = await push(server, folder, 'one', 'app:1');
      await client(server, t).batchDeleteImage({ repositoryName: 'app', imageIds: [{ imageDigest }] });
      await server.run(['gc']);
      const { code, stderr } = await server.run(['images', 'restore', 'app', imageDigest]);
      assert.equal(code, 1, stderr);
    },
  }),
  HOLDFAST_LEASE: () => ({
    env: { HOLDFAST_LEASE: '0', HOLDFAST_COLLECT_EVERY: '0' },
    async shows(server, t) {
      await client(server, t).createRepository({ repositoryName: 'app' });
      const content = 'no image refers to this';
      const blob = `${server.url}/v2/app/blobs`;
      const digest = digestOf(content);
      const pushed = await fetch(`${blob}/uploads/?digest=${digest}`, { method: 'POST', body: content, headers: login(server) });
      assert.equal(pushed.status, 201);
      assert.equal((await server.run(['gc'])).code, 0);
      assert.equal((await fetch(`${blob}/${digest}`, { method: 'HEAD', headers: login(server) })).status, 404);
    },
  }),
  HOLDFAST_COLLECT_EVERY: (folder) => ({
    env: { HOLDFAST_COLLECT_EVERY: '20ms', HOLDFAST_GRACE: '0' },
    async shows(server, t) {
      const imageDigest = await push(server, folder, 'one', 'app:1');
      await client(server, t).batchDeleteImage({ repositoryName: 'app', imageIds: [{ imageDigest }] });
      // Ends by the limit of the test runner when no pass ever comes.
      for (;;) {
        const answer = await fetch(`${server.url}/holdfast/v1/deleted-images?repository=app`, { headers: login(server) });
        if (!(await answer.text()).includes(imageDigest)) return;
      }
    },
  }),
};

describe('each setting of the contract has its effect', () => {
  for (const [variable, effectIn] of Object.entries(effects)) {
    test(variable, async (t) => {
      const folder = await temporaryFolder(t);
      const effect = effectIn(folder);
      await effect.shows(await startHoldfast(t, effect.env), t, folder);
    });
  }
});

test('a flag of serve wins over the variable', async (t) => {
  const folder = await temporaryFolder(t);
  const { code, stderr } = await runProgram(holdfast, ['serve', '--data', '/proc/holdfast', '--port', '0'], {
    env: { ...plainEnv(), HOLDFAST_DATA: folder },
  });
  assert.equal(code, 1);
  assert.match(stderr, /Cannot keep data in \/proc\/holdfast/);
});

test('a second server on the same folder, and on the same port, is told so', async (t) => {
  const server = await startHoldfast(t);
  const serve = (...args: string[]) => runProgram(holdfast, ['serve', ...args], { env: plainEnv() });
  const sameFolder = await serve('--data', server.dataFolder, '--port', '0');
  assert.equal(sameFolder.code, 1);
  assert.match(sameFolder.stderr, /Another Holdfast server is using .*HOLDFAST_DATA/);
  const samePort = await serve('--data', await temporaryFolder(t), '--port', new URL(server.url).port);
  assert.equal(samePort.code, 1);
  assert.match(samePort.stderr, /is in use.*HOLDFAST_PORT/);
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
});
