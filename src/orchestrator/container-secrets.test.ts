import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ecsFault, fargate, NETWORK } from '../../test/support/ecs.ts';
import { caller, createWorld } from '../../test/support/orchestrator.ts';
import { digestOf } from '../core/digest.ts';
import { parseSecretSource, readContainerSecrets } from './container-secrets.ts';
import { containerSpec, taskSpec } from './supervise/testing.ts';
import { newTaskState } from './supervise/task-state.ts';
import { writeRecord } from './supervise/record.ts';

const MANAGER = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:team/db-a1B2c3';
const IMAGE = 'registry.example.com/app:1';

describe('valueFrom', () => {
  it('names a secret or a parameter, by its name or any form of ARN', () => {
    const names = ['team/db-a1B2c3', 'team/db'];
    for (const [valueFrom, source] of [
      ['team/db', { names: ['team/db'] }],
      ['/team/db', { names: ['/team/db'] }],
      [MANAGER, { names }],
      [`${MANAGER}:::`, { names }],
      [`${MANAGER}:password::`, { names, jsonKey: 'password' }],
      [`${MANAGER}:password:AWSCURRENT:`, { names, jsonKey: 'password' }],
      ['arn:aws:ssm:us-east-1:123456789012:parameter/db', { names: ['db'] }],
      ['arn:aws:ssm:us-east-1:123456789012:parameter/team/db', { names: ['/team/db', 'team/db'] }],
    ] as const)
      assert.deepEqual(parseSecretSource(valueFrom), source, valueFrom);
  });

  it('is refused when it asks for another version, or is no name', () => {
    for (const [valueFrom, said] of [
      [`${MANAGER}:password:AWSPREVIOUS:`, /leave AWSPREVIOUS out/],
      [`${MANAGER}:::7a1b`, /leave 7a1b out/],
      [`${MANAGER}:password`, /neither a secret's name nor an ARN/],
      ['arn:aws:s3:::bucket/key', /neither a secret's name nor an ARN/],
      ['', /neither a secret's name nor an ARN/],
    ] as const) {
      const source = parseSecretSource(valueFrom);
      assert.match('failure' in source ? source.failure : '', said, valueFrom);
    }
  });
});

describe('the secrets of a container', () => {
  const place = { account: '123456789012', region: 'us-east-1' };
  const read = (secrets: Record<string, string>, valueFrom: string) =>
    readContainerSecrets({ readSecret: async (_place, name) => secrets[name] }, place, [{ name: 'DB', valueFrom }]);

  it('are the whole of what is kept, or one member of it', async () => {
    const team = '{"password":"p4ss","port":5432,"nested":{"a":[1]}}';
    assert.deepEqual(await read({ 'team/db': team }, MANAGER), { values: { DB: team } });
    for (const [key, value] of [
      ['password', 'p4ss'],
      ['port', '5432'],
      ['nested', '{"a":[1]}'],
    ])
      assert.deepEqual(await read({ 'team/db': team }, `${MANAGER}:${key}::`), { values: { DB: value } });
  });

  it('fail with a reason that says what to type, and has no part of the value', async () => {
    for (const [kept, said] of [
      [{}, /^secret DB: there is no secret 'team\/db' in us-east-1\. Set it with: holdfast secret set team\/db$/],
      [{ 'team/db': 'sesame' }, /no JSON object with a member 'password'/],
      [{ 'team/db': '{"other":"sesame"}' }, /no JSON object with a member 'password'/],
      [{ 'team/db': '["sesame"]' }, /no JSON object with a member 'password'/],
    ] as const) {
      const answer = await read(kept, `${MANAGER}:password::`);
      assert.ok('failure' in answer);
      assert.match(answer.failure, said);
      assert.doesNotMatch(answer.failure, /sesame/);
    }
  });

  it('reach a task when it starts, and stop one that lacks them', async (test) => {
    const kept = new Map<string, string>();
    const world = await createWorld(test, { secrets: kept });
    world.elsewhere.set(IMAGE, digestOf('app'));
    const { operations } = world.orchestrator;
    const definition = (more: object) =>
      fargate(IMAGE, { containerDefinitions: [{ name: 'app', image: IMAGE, ...more }] }) as never;
    await operations.RegisterTaskDefinition(caller, definition({ secrets: [{ name: 'DB', valueFrom: MANAGER }] }));
    const run = async (more: object = {}) => {
      const { tasks } = await operations.RunTask(caller, {
        taskDefinition: 'web',
        launchType: 'FARGATE',
        networkConfiguration: NETWORK,
        ...more,
      });
      await world.advance(1_000);
      return (await operations.DescribeTasks(caller, { tasks: [tasks?.[0]?.taskArn ?? ''] })).tasks?.[0];
    };
    const failed = await run();
    assert.deepEqual([failed?.lastStatus, failed?.stopCode], ['STOPPED', 'TaskFailedToStart']);
    assert.match(
      failed?.stoppedReason ?? '',
      /^ResourceInitializationError: unable to pull secrets or registry auth: container 'app': secret DB: there is no secret/,
    );
    kept.set('team/db', 'sesame');
    assert.equal((await run())?.lastStatus, 'RUNNING');
    await assert.rejects(
      run({ overrides: { containerOverrides: [{ name: 'app', environment: [{ name: 'DB', value: 'mine' }] }] } }),
      ecsFault('ClientException', /^The secret name must be unique .* such as 'DB'\.$/),
    );
    await assert.rejects(
      operations.RegisterTaskDefinition(
        caller,
        definition({ environment: [{ name: 'DB', value: 'x' }], secrets: [{ name: 'DB', valueFrom: 'a' }] }),
      ),
      ecsFault('ClientException', /such as 'DB'/),
    );
    await operations.RegisterTaskDefinition(
      caller,
      definition({ secrets: [{ name: 'DB', valueFrom: `${MANAGER}::AWSPREVIOUS:` }] }),
    );
    await assert.rejects(run(), ecsFault('InvalidParameterException', /leave AWSPREVIOUS out/));
  });

  it('are in the record of a task only until their container has run', () => {
    const spec = taskSpec([containerSpec('app', { secrets: { DB: 'sesame' } })]);
    const state = newTaskState(spec, 0, () => 'endpoint');
    const [container] = state.containers;
    assert.ok(container);
    for (const [phase, runs, isThere] of [
      ['new', 0, true],
      ['created', 0, true],
      ['running', 1, false],
      ['stopped', 0, false],
    ] as const) {
      Object.assign(container, { phase, runs });
      assert.equal(writeRecord({ spec, state }).includes('sesame'), isThere, phase);
    }
  });
});
