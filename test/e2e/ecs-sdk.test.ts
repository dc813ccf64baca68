import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ECR } from '@aws-sdk/client-ecr';
import {
  ECS,
  ECSServiceException,
  waitUntilServicesInactive,
  waitUntilServicesStable,
  waitUntilTasksRunning,
  waitUntilTasksStopped,
} from '@aws-sdk/client-ecs';
import { pushImage } from '../support/aws-server.ts';
import { createCleanup } from '../support/cleanup.ts';
import { fargate, NETWORK, WAIT } from '../support/ecs.ts';
import { startHoldfast, type HoldfastProcess } from '../support/server.ts';

/** For `assert.rejects`: the exception of this name, its message matching. */
function refused(name: string, message: RegExp): (error: unknown) => true {
  return (error) => {
    if (!(error instanceof ECSServiceException)) throw error;
    assert.equal(error.name, name);
    assert.match(error.message, message);
    return true;
  };
}

describe('the AWS SDK for ECS', () => {
  const cleanup = createCleanup();
  let server: HoldfastProcess;
  let ecs: ECS;
  let image: string;
  let digest: string;
  const waiting = () => ({ client: ecs, ...WAIT });

  before(async () => {
    server = await startHoldfast(cleanup, { HOLDFAST_RUNTIME: 'simulated', HOLDFAST_SETTLE: '50ms' });
    const options = { endpoint: server.url, region: 'us-east-1', credentials: server.credentials, maxAttempts: 1 };
    ecs = new ECS(options);
    const ecr = new ECR(options);
    await ecr.createRepository({ repositoryName: 'web' });
    ({ digest } = await pushImage(ecr, 'web', 'one', 'v1'));
    ecr.destroy();
    image = `${server.registryHost}/web:v1`;
    await ecs.createCluster({});
    await ecs.registerTaskDefinition(fargate(image));
  });
  after(async () => {
    ecs.destroy();
    await cleanup.run();
  });

  test('tasks run and stop, and their waiters come to their end', async () => {
    const { tasks } = await ecs.runTask({
      taskDefinition: 'web',
      launchType: 'FARGATE',
      networkConfiguration: NETWORK,
      count: 2,
    });
    const arns = (tasks ?? []).map(({ taskArn = '' }) => taskArn);
    await waitUntilTasksRunning(waiting(), { tasks: arns });
    const running = await ecs.describeTasks({ tasks: arns });
    assert.ok(
      running.tasks?.every(({ containers, startedAt }) => containers?.[0]?.imageDigest === digest && startedAt instanceof Date),
    );
    for (const task of arns) await ecs.stopTask({ task });
    await waitUntilTasksStopped(waiting(), { tasks: arns });
  });

  test('a service becomes stable on one digest, and inactive', async () => {
    await ecs.createService({
      serviceName: 'web',
      taskDefinition: 'web',
      desiredCount: 3,
      launchType: 'FARGATE',
      networkConfiguration: NETWORK,
    });
    await waitUntilServicesStable(waiting(), { services: ['web'] });
    const { taskArns } = await ecs.listTasks({ serviceName: 'web' });
    const { tasks } = await ecs.describeTasks({ tasks: taskArns });
    assert.deepEqual(tasks?.map(({ containers }) => containers?.[0]?.image).sort(), [
      image,
      `${server.registryHost}/web@${digest}`,
      `${server.registryHost}/web@${digest}`,
    ]);
    const { protectedTasks } = await ecs.updateTaskProtection({ cluster: 'default', tasks: taskArns, protectionEnabled: true });
    assert.equal(protectedTasks?.length, 3);
    await ecs.deleteService({ service: 'web', force: true });
    await waitUntilServicesInactive(waiting(), { services: ['web'] });
  });

  test('errors are the modelled exceptions', async () => {
    await assert.rejects(
      ecs.runTask({ cluster: 'none', taskDefinition: 'web' }),
      refused('ClusterNotFoundException', /^Cluster not found\.$/),
    );
    await assert.rejects(
      ecs.runTask({ taskDefinition: 'web', launchType: 'MOON' as never }),
      refused(
        'InvalidParameterException',
        /^1 validation error detected: Value 'MOON' at 'launchType' failed to satisfy constraint/,
      ),
    );
    await assert.rejects(
      ecs.deleteCluster({ cluster: undefined }),
      refused('InvalidParameterException', /Value null at 'cluster'/),
    );
    await assert.rejects(
      ecs.listDaemons({}),
      refused('UnsupportedFeatureException', /Use a service of scheduling strategy DAEMON/),
    );
    await assert.rejects(
      ecs.executeCommand({ task: 'x', command: 'sh', interactive: true }),
      refused('ClientException', /holdfast logs/),
    );
    const other = new ECS({
      endpoint: server.url,
      region: 'us-east-1',
      credentials: { ...server.credentials, secretAccessKey: 'wrong' },
      maxAttempts: 1,
    });
    await assert.rejects(other.listClusters({}), refused('InvalidSignatureException', /signature/));
    other.destroy();
  });

  test('a key may do what its policy allows, on the resources that it names', async () => {
    const made = await server.run(['key', 'create', '--allow', 'read-only', '--json']);
    assert.equal(made.code, 0, made.stderr);
    const { accessKeyId, secretAccessKey } = JSON.parse(made.stdout) as { accessKeyId: string; secretAccessKey: string };
    const client = new ECS({
      endpoint: server.url,
      region: 'us-east-1',
      credentials: { accessKeyId, secretAccessKey },
      maxAttempts: 1,
    });
    assert.equal((await client.describeClusters({})).clusters?.length, 1);
    await assert.rejects(
      client.stopTask({ task: 'abc' }),
      refused(
        'AccessDeniedException',
        /not authorized to perform: ecs:StopTask on resource: arn:aws:ecs:us-east-1:\d+:task\/default\/abc/,
      ),
    );
    client.destroy();
  });
});
