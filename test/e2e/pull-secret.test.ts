import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ECR } from '@aws-sdk/client-ecr';
import { ECS, waitUntilTasksRunning, waitUntilTasksStopped } from '@aws-sdk/client-ecs';
import { pushImage } from '../support/aws-server.ts';
import { createCleanup } from '../support/cleanup.ts';
import { fargate, NETWORK, WAIT } from '../support/ecs.ts';
import { startHoldfast } from '../support/server.ts';

test('an image of a private registry is pulled with a secret, and with nothing else', async (t) => {
  const cleanup = createCleanup();
  t.after(() => cleanup.run());
  const elsewhere = await startHoldfast(cleanup);
  const ecr = new ECR({ endpoint: elsewhere.url, region: 'us-east-1', credentials: elsewhere.credentials, maxAttempts: 1 });
  t.after(() => ecr.destroy());
  await ecr.createRepository({ repositoryName: 'web' });
  const { digest } = await pushImage(ecr, 'web', 'one', 'v1');

  const server = await startHoldfast(cleanup, { HOLDFAST_RUNTIME: 'simulated' });
  const ecs = new ECS({ endpoint: server.url, region: 'us-east-1', credentials: server.credentials, maxAttempts: 1 });
  t.after(() => ecs.destroy());
  await ecs.createCluster({});
  const image = `${elsewhere.registryHost}/web:v1`;
  const repositoryCredentials = {
    credentialsParameter: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:team/registry-a1B2c3',
  };
  await ecs.registerTaskDefinition(
    fargate(image, { family: 'private', containerDefinitions: [{ name: 'app', image, repositoryCredentials }] }),
  );
  await ecs.registerTaskDefinition(fargate(image));
  const waiting = { client: ecs, ...WAIT };
  const run = async (taskDefinition: string): Promise<string> => {
    const { tasks } = await ecs.runTask({ taskDefinition, launchType: 'FARGATE', networkConfiguration: NETWORK });
    return tasks?.[0]?.taskArn ?? '';
  };
  const describe = async (task: string) => (await ecs.describeTasks({ tasks: [task] })).tasks?.[0];
  const fails = async (taskDefinition: string, reason: RegExp): Promise<void> => {
    const task = await run(taskDefinition);
    await waitUntilTasksStopped(waiting, { tasks: [task] });
    assert.match((await describe(task))?.stoppedReason ?? '', reason);
  };
  const set = async (password: string): Promise<void> => {
    const login = { username: elsewhere.credentials.accessKeyId, password };
    const { code, stderr } = await server.run(['secret', 'set', 'team/registry'], { stdin: JSON.stringify(login) });
    assert.equal(code, 0, stderr);
  };

  await fails('private', /^ResourceInitializationError: .*holdfast secret set team\/registry$/);
  await set('not-the-password');
  await fails('private', /^CannotPullContainerError: .*may not read web/);
  await set(elsewhere.credentials.secretAccessKey);
  const task = await run('private');
  await waitUntilTasksRunning(waiting, { tasks: [task] });
  assert.equal((await describe(task))?.containers?.[0]?.imageDigest, digest);
  // What one task was let in with is not for the others.
  await fails('web', /^CannotPullContainerError: .*needs a login/);
  for (const secret of ['not-the-password', elsewhere.credentials.secretAccessKey]) assert.ok(!server.log().includes(secret));
});
