import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAwsCaller } from '../../src/client/aws-call.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { startHoldfast } from '../support/server.ts';
import { createTree, push } from './pin-world.ts';

test('pin finds a running Holdfast and its key by itself, and gets a login for it', async (t) => {
  const server = await startHoldfast(t);
  const tree = await createTree();
  t.after(() => tree.remove());
  const aws = createAwsCaller(
    { now: Date.now, monotonic: Date.now },
    { endpointHosts: [server.registryHost], userAgent: 'test' },
  );
  t.after(() => aws.close());
  const ecr = (operation: string, input: JsonObject) =>
    aws(server.credentials, {
      endpoint: new URL(server.url),
      region: server.env['AWS_REGION'] ?? '',
      service: 'ecr',
      target: `AmazonEC2ContainerRegistry_V20150921.${operation}`,
      input,
    });
  await ecr('CreateRepository', { repositoryName: 'team/web' });
  const answer = await ecr('GetAuthorizationToken', {});
  const { authorizationToken } = (answer['authorizationData'] as { authorizationToken: string }[])[0]!;
  const authorization = `Basic ${authorizationToken}`;
  const image = await push(server.registryHost, 'team/web', '1', 'web', ['linux/amd64', 'linux/arm64'], authorization);

  const text = (reference: string): string => `services:\n  web:\n    image: ${reference}\n`;
  const name = `${server.registryHost}/team/web:1`;
  await tree.write({ 'compose.yaml': text(name) });
  const alone = await tree.run(['pin', '--write']);
  assert.equal(alone.code, 1);
  assert.match(alone.stderr, /^denied: .*docker login/m);
  const ran = await tree.run(['pin', '--write'], { HOLDFAST_DATA: server.dataFolder });
  assert.equal(ran.code, 0, ran.stderr);
  assert.equal(await tree.read('compose.yaml'), text(`${name}@${image.digest}`));
  assert.equal((await tree.run(['pin', 'check'], server.env)).code, 0);
});
