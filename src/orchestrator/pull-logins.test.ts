import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { fargate, NETWORK } from '../../test/support/ecs.ts';
import { caller, createWorld, type WorldOptions } from '../../test/support/orchestrator.ts';
import { digestOf } from '../core/digest.ts';
import type { ImageToRun } from './ports.ts';
import { secretNames } from './pull-logins.ts';

const IMAGE = 'registry.example.com/app:1';
const LOGIN = { username: 'robot', password: 'open-sesame' };

/** A service of one container whose image is pulled with a secret. */
async function begin(test: TestContext, credentialsParameter: string, options: WorldOptions = {}) {
  const pulled: ImageToRun[] = [];
  const secrets = new Map<string, string>();
  const world = await createWorld(test, { secrets, onPull: (image) => void pulled.push(image), ...options });
  world.elsewhere.set(IMAGE, digestOf('app'));
  world.elsewhere.set(`registry.example.com/app@${digestOf('app')}`, digestOf('app'));
  await world.orchestrator.operations.RegisterTaskDefinition(
    caller,
    fargate(IMAGE, {
      containerDefinitions: [{ name: 'app', image: IMAGE, repositoryCredentials: { credentialsParameter } }],
    }) as never,
  );
  const run = async () => {
    const { tasks } = await world.orchestrator.operations.RunTask(caller, {
      taskDefinition: 'web',
      launchType: 'FARGATE',
      networkConfiguration: NETWORK,
    });
    await world.advance(1_000);
    const described = await world.orchestrator.operations.DescribeTasks(caller, { tasks: [tasks?.[0]?.taskArn ?? ''] });
    return described.tasks?.[0];
  };
  return { world, pulled, secrets, run };
}

describe('repositoryCredentials', () => {
  it('log in with the secret of that name, or of that ARN', async (test) => {
    const { secrets, pulled, run } = await begin(
      test,
      'arn:aws:secretsmanager:eu-west-1:123456789012:secret:team/registry-a1B2c3',
    );
    secrets.set('team/registry', JSON.stringify(LOGIN));
    assert.equal((await run())?.lastStatus, 'RUNNING');
    assert.deepEqual(
      pulled.map(({ reference, credentials }) => [reference, credentials]),
      [[IMAGE, LOGIN]],
    );
  });

  it('stop a task whose secret is missing or is no login, and say what to type', async (test) => {
    const { world, secrets, pulled, run } = await begin(test, 'team/registry');
    const missing = await run();
    assert.deepEqual([missing?.lastStatus, missing?.stopCode], ['STOPPED', 'TaskFailedToStart']);
    assert.match(
      missing?.stoppedReason ?? '',
      /^ResourceInitializationError: unable to pull secrets or registry auth: container 'app': there is no secret 'team\/registry' in .*holdfast secret set team\/registry$/,
    );
    for (const value of [
      'open-sesame',
      '["open-sesame"]',
      '{"username":"open-sesame"}',
      '{"username":"","password":"open-sesame"}',
    ]) {
      secrets.set('team/registry', value);
      const reason = (await run())?.stoppedReason ?? '';
      assert.match(reason, /the secret 'team\/registry' is not of the form/);
      assert.doesNotMatch(reason, /sesame/);
    }
    assert.deepEqual([pulled, world.errors], [[], []]);
    secrets.set('team/registry', JSON.stringify(LOGIN));
    assert.equal((await run())?.lastStatus, 'RUNNING');
  });

  it('are used where tags are resolved at the registry', async (test) => {
    const asked: unknown[] = [];
    const { world, secrets } = await begin(test, 'team/registry', {
      settings: { resolve: 'registry' },
      resolver: {
        resolve: async (_reference, login) => {
          asked.push(login);
          return { ok: true, value: { digest: digestOf('app') } };
        },
      },
    });
    secrets.set('team/registry', JSON.stringify(LOGIN));
    const create = (serviceName: string) =>
      world.orchestrator.operations.CreateService(caller, {
        serviceName,
        taskDefinition: 'web',
        desiredCount: 1,
        launchType: 'FARGATE',
        networkConfiguration: NETWORK,
      });
    await create('good');
    await world.advance(2_000);
    assert.deepEqual(asked, [LOGIN]);
    const look = async (name: string) =>
      (await world.orchestrator.operations.DescribeServices(caller, { services: [name] })).services?.[0];
    assert.equal((await look('good'))?.runningCount, 1);
    secrets.clear();
    await create('bad');
    await world.advance(2_000);
    const bad = await look('bad');
    assert.ok(bad?.events?.some(({ message = '' }) => message.includes('Set it with: holdfast secret set team/registry')));
    assert.deepEqual([bad?.runningCount, asked.length], [0, 1]);
  });

  it('name secrets in no other way', () => {
    assert.deepEqual(secretNames('team/registry'), ['team/registry']);
    assert.deepEqual(secretNames('arn:aws:secretsmanager:us-east-1:1:secret:a-b'), ['a-b']);
    assert.deepEqual(secretNames('arn:aws-cn:secretsmanager:cn-north-1:1:secret:a-123456'), ['a-123456', 'a']);
    for (const other of ['', 'arn:aws:ssm:us-east-1:1:parameter/a', 'arn:aws:secretsmanager:us-east-1:1:secret:a:b::', 'a b'])
      assert.deepEqual(secretNames(other), [], other);
  });
});
