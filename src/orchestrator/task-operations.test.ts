import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ecsFault, fargate, NETWORK } from '../../test/support/ecs.ts';
import { caller, createWorld, IMAGE, type World } from '../../test/support/orchestrator.ts';
import { isFault } from '../core/fault.ts';
import type { ObservedTask } from './ports.ts';

async function begin(t: Parameters<typeof createWorld>[0], options?: Parameters<typeof createWorld>[1]) {
  const world = await createWorld(t, options);
  const digest = await world.push('one', 'v1');
  await world.orchestrator.operations.RegisterTaskDefinition(caller, fargate(`${IMAGE}:v1`) as never);
  return { world, digest, operations: world.orchestrator.operations };
}
const RUN = { taskDefinition: 'web', launchType: 'FARGATE' as const, networkConfiguration: NETWORK };

async function describe(world: World, arn: string | undefined) {
  const { tasks } = await world.orchestrator.operations.DescribeTasks(caller, { tasks: [arn ?? ''], include: ['TAGS'] });
  return tasks?.[0];
}

test('a task runs by what its definition and its overrides say, and is stopped for a reason', async (t) => {
  const { world, digest, operations } = await begin(t);
  const { tasks, failures } = await operations.RunTask(caller, {
    ...RUN,
    startedBy: 'me',
    tags: [{ key: 'a', value: 'b' }],
    enableECSManagedTags: true,
    overrides: { containerOverrides: [{ name: 'app', command: ['sleep', '1'], environment: [{ name: 'A', value: '1' }] }] },
  });
  assert.deepEqual(failures, []);
  const [made] = tasks ?? [];
  assert.deepEqual(
    [made?.lastStatus, made?.desiredStatus, made?.group, made?.startedBy],
    ['PROVISIONING', 'RUNNING', 'family:web', 'me'],
  );
  await world.advance(1000);
  const task = await describe(world, made?.taskArn);
  assert.equal(task?.lastStatus, 'RUNNING');
  assert.deepEqual(task?.tags, [
    { key: 'a', value: 'b' },
    { key: 'aws:ecs:clusterName', value: 'default' },
  ]);
  const [app] = task?.containers ?? [];
  assert.deepEqual([app?.image, app?.imageDigest, app?.lastStatus], [`${IMAGE}:v1`, digest, 'RUNNING']);
  assert.equal(task?.attachments?.[0]?.status, 'ATTACHED');
  assert.deepEqual(task?.overrides?.containerOverrides?.[0]?.command, ['sleep', '1']);
  assert.ok(task?.startedAt instanceof Date && (task?.version ?? 0) > (made?.version ?? 0));

  const stopped = await operations.StopTask(caller, { task: task?.taskArn ?? '', reason: 'enough' });
  assert.deepEqual([stopped.task?.desiredStatus, stopped.task?.lastStatus], ['STOPPED', 'RUNNING']);
  await world.advance(60_000);
  const after = await describe(world, task?.taskArn);
  assert.deepEqual([after?.lastStatus, after?.stopCode, after?.stoppedReason], ['STOPPED', 'UserInitiated', 'enough']);
  assert.deepEqual((await operations.ListTasks(caller, {})).taskArns, []);
  assert.deepEqual((await operations.ListTasks(caller, { desiredStatus: 'STOPPED', startedBy: 'me' })).taskArns, [task?.taskArn]);
  await world.advance(2 * 60 * 60 * 1000);
  assert.equal(await describe(world, task?.taskArn), undefined);
  assert.deepEqual(world.errors, []);
});

test('an image that is not there fails the task in the words of a pull', async (t) => {
  const { world, operations } = await begin(t);
  await operations.RegisterTaskDefinition(caller, fargate(`${IMAGE}:v9`) as never);
  const { tasks } = await operations.RunTask(caller, RUN);
  await world.advance(1000);
  const task = await describe(world, tasks?.[0]?.taskArn);
  assert.equal(task?.stopCode, 'TaskFailedToStart');
  assert.match(task?.stoppedReason ?? '', /^CannotPullContainerError: .*not found/);
});

test('the same client token gives the same tasks, and another request with it is a conflict', async (t) => {
  const { operations } = await begin(t);
  const run = { ...RUN, clientToken: 'once', count: 2 };
  const [first, second] = [await operations.RunTask(caller, run), await operations.RunTask(caller, run)];
  const arns = (answer: typeof first) => answer.tasks?.map(({ taskArn }) => taskArn).sort();
  assert.equal(first.tasks?.length, 2);
  assert.deepEqual(arns(second), arns(first));
  await assert.rejects(operations.RunTask(caller, { ...run, count: 1 }), (error) => {
    assert.ok(isFault(error, 'ecs') && error.facts.code === 'ConflictException');
    assert.deepEqual(error.facts.resourceIds?.toSorted(), arns(first));
    return true;
  });
});

test('a client token is good for a day, or until its tasks are forgotten, by no clock that somebody sets', async (t) => {
  const HOUR = 3_600_000;
  const { world } = await begin(t);
  const run = async (clientToken: string): Promise<string | undefined> => {
    const { tasks } = await world.orchestrator.operations.RunTask(caller, { ...RUN, clientToken });
    assert.equal(tasks?.length, 1);
    return tasks[0]?.taskArn;
  };
  const set = (hours: number): void => world.clock.set(world.clock.now() + hours * HOUR);
  const first = await run('a');
  for (const hours of [48, -24 * 365, 24 * 365]) {
    set(hours);
    await world.advance(2 * HOUR);
    assert.equal(await run('a'), first, `set by ${hours} hours`);
  }
  await run('b');
  // That the server was away, and that its clock was set meanwhile, makes no token older.
  set(48);
  await world.restart();
  await world.advance(17 * HOUR);
  assert.equal(await run('a'), first);
  await world.advance(2 * HOUR);
  const second = await run('a');
  assert.notEqual(second, first);
  assert.equal(await run('a'), second);

  await world.orchestrator.operations.StopTask(caller, { task: second ?? '' });
  await world.advance(HOUR / 2);
  assert.equal(await run('a'), second);
  await world.advance(HOUR);
  const third = await run('a');
  assert.notEqual(third, second);
  await world.orchestrator.operations.StopTask(caller, { task: third ?? '' });
  await world.advance(1000);
  set(48);
  await world.restart();
  assert.equal(await describe(world, third), undefined);
  const { tasks, failures } = await world.orchestrator.operations.RunTask(caller, { ...RUN, clientToken: 'a' });
  assert.deepEqual([tasks, failures], [[], [{ arn: third, reason: 'MISSING' }]], 'a task that ran was run again');
});

test('what RunTask refuses', async (t) => {
  const { operations } = await begin(t);
  const refused = async (input: object, code: string, message: string | RegExp): Promise<void> =>
    assert.rejects(operations.RunTask(caller, { ...RUN, ...input }), ecsFault(code, message));
  await refused({ taskDefinition: 'other' }, 'ClientException', 'TaskDefinition not found.');
  await refused({ count: 11 }, 'InvalidParameterException', /between 1 and 10/);
  await refused(
    { networkConfiguration: undefined },
    'InvalidParameterException',
    "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
  );
  await refused(
    { capacityProviderStrategy: [{ capacityProvider: 'FARGATE' }] },
    'InvalidParameterException',
    'Specify either Launch Type or Capacity Provider Strategy, but not both.',
  );
  await refused({ propagateTags: 'SERVICE' }, 'InvalidParameterException', /propagated/);
  await refused({ cluster: 'none' }, 'ClusterNotFoundException', 'Cluster not found.');
  await refused(
    { overrides: { containerOverrides: [{ name: 'x' }] } },
    'InvalidParameterException',
    /Override for container named x/,
  );
  await refused({ enableExecuteCommand: true }, 'UnsupportedFeatureException', /ExecuteCommand/);
  for (const [members, said] of [
    [{ environmentFiles: [{ value: 'arn:aws:s3:::a/b.env', type: 's3' }] }, /'app' asks for environmentFiles, .*There is no S3/],
    [
      { logConfiguration: { logDriver: 'json-file', secretOptions: [{ name: 'A', valueFrom: 'a' }] } },
      /logConfiguration\.secretOptions, which is not supported\. Logs are kept by the server/,
    ],
  ] as const) {
    const containerDefinitions = [{ name: 'app', image: 'nginx', ...members }];
    await operations.RegisterTaskDefinition(caller, fargate('nginx', { family: 'more', containerDefinitions } as never) as never);
    await refused({ taskDefinition: 'more' }, 'UnsupportedFeatureException', said);
  }
  await operations.DeregisterTaskDefinition(caller, { taskDefinition: 'web:1' });
  await refused({ taskDefinition: 'web:1' }, 'ClientException', 'TaskDefinition is inactive');
  await assert.rejects(
    operations.StopTask(caller, { task: 'x' }),
    ecsFault('InvalidParameterException', 'The referenced task was not found.'),
  );
});

test('tasks of launch type EC2 take room of their host, and a fixed port is there once', async (t) => {
  const host = { id: 'a'.repeat(32), cpu: 1024, memory: 1024, attributes: {} };
  const { world, operations } = await begin(t, { hosts: [host] });
  const register = (family: string, members: object) =>
    operations.RegisterTaskDefinition(caller, {
      family,
      containerDefinitions: [{ name: 'app', image: `${IMAGE}:v1`, ...members }],
    });
  await register('big', { memory: 400 });
  await register('port', { memory: 10, portMappings: [{ containerPort: 80, hostPort: 8080 }] });
  const arn = `arn:aws:ecs:${caller.region}:${caller.account}:container-instance/default/${host.id}`;
  const big = await operations.RunTask(caller, { taskDefinition: 'big', count: 3 });
  assert.equal(big.tasks?.length, 2);
  assert.equal(big.tasks?.[0]?.containerInstanceArn, arn);
  assert.deepEqual(big.failures, [{ arn, reason: 'RESOURCE:MEMORY' }]);
  const port = await operations.RunTask(caller, { taskDefinition: 'port', count: 2 });
  assert.deepEqual([port.tasks?.length, port.failures], [1, [{ arn, reason: 'RESOURCE:PORTS' }]]);

  const { containerInstances } = await operations.DescribeContainerInstances(caller, { containerInstances: [host.id] });
  const left = containerInstances?.[0]?.remainingResources?.find(({ name }) => name === 'MEMORY');
  assert.equal(left?.integerValue, 1024 - 2 * 400 - 10);
  await operations.UpdateContainerInstancesState(caller, { containerInstances: [arn], status: 'DRAINING' });
  await assert.rejects(
    operations.RunTask(caller, { taskDefinition: 'port' }),
    ecsFault('InvalidParameterException', 'No Container Instances were found in your cluster.'),
  );
  await world.settle();
});

test('what is told of many tasks in one moment is written, and flushed, once', async (t) => {
  const held: ObservedTask[] = [];
  let tell: ((task: ObservedTask) => void) | undefined;
  const { world, operations } = await begin(t, {
    watch: (runtime) => ({
      ...runtime,
      observe(listener) {
        tell = listener;
        runtime.observe((task) => void held.push(task));
      },
    }),
  });
  const { tasks = [] } = await operations.RunTask(caller, { ...RUN, count: 10 });
  await world.advance(1000);
  const before = world.meta.changes?.() ?? NaN;
  // Each by itself, as timers and watchers tell it, and what one brings about by promises alone happens before the next.
  for (const task of held) setImmediate(() => tell?.(task));
  await new Promise((resolve) => setImmediate(resolve));
  await world.settle();
  assert.equal(world.meta.changes?.(), before + 1);
  for (const { taskArn } of tasks) assert.equal((await describe(world, taskArn))?.lastStatus, 'RUNNING');
});

test('a server that went away takes its tasks up again, and those that it had written but not started', async (t) => {
  const { world, operations } = await begin(t);
  const { tasks } = await operations.RunTask(caller, RUN);
  await world.advance(1000);
  const before = await describe(world, tasks?.[0]?.taskArn);
  await world.restart();
  assert.deepEqual(await describe(world, before?.taskArn), before);

  // As a crash between the commit and the launch leaves it.
  const row = await world.meta.transact(async (transaction) => {
    const found = await transaction.selectFrom('task').selectAll().executeTakeFirstOrThrow();
    const lost = { ...found, id: 'b'.repeat(32), last_status: 'PENDING', desired_status: 'RUNNING', sight: '{"containers":[]}' };
    await transaction.insertInto('task').values(lost).execute();
    return lost;
  });
  await world.restart();
  await world.advance(1000);
  assert.equal((await describe(world, row.id))?.lastStatus, 'RUNNING');
});

test('protection is for tasks of services; tags, attributes and settings are kept', async (t) => {
  const { operations } = await begin(t);
  const { tasks } = await operations.RunTask(caller, RUN);
  const arn = tasks?.[0]?.taskArn ?? '';
  const answer = await operations.UpdateTaskProtection(caller, {
    cluster: 'default',
    tasks: [arn, 'x'],
    protectionEnabled: true,
  });
  assert.deepEqual(answer.failures?.map(({ reason }) => reason).sort(), ['MISSING', 'TASK_NOT_VALID']);

  await operations.TagResource(caller, { resourceArn: arn, tags: [{ key: 'k', value: 'v' }] });
  assert.deepEqual((await operations.ListTagsForResource(caller, { resourceArn: arn })).tags, [{ key: 'k', value: 'v' }]);
  await operations.UntagResource(caller, { resourceArn: arn, tagKeys: ['k'] });
  assert.deepEqual((await operations.ListTagsForResource(caller, { resourceArn: arn })).tags, []);
  await assert.rejects(
    operations.TagResource(caller, { resourceArn: 'x', tags: [] }),
    ecsFault('InvalidParameterException', 'The ARN provided is invalid.'),
  );
  await assert.rejects(
    operations.TagResource(caller, { resourceArn: arn, tags: [{ key: 'AWS:x', value: '' }] }),
    ecsFault('InvalidParameterException', /reserved/),
  );

  const { containerInstanceArns } = await operations.ListContainerInstances(caller, {});
  const attribute = {
    name: 'rack',
    value: '1',
    targetType: 'container-instance' as const,
    targetId: containerInstanceArns?.[0] ?? '',
  };
  await operations.PutAttributes(caller, { attributes: [attribute] });
  const listed = await operations.ListAttributes(caller, { targetType: 'container-instance', attributeName: 'rack' });
  assert.deepEqual(listed.attributes, [attribute]);
  await operations.DeleteAttributes(caller, { attributes: [attribute] });

  await operations.PutAccountSettingDefault(caller, { name: 'containerInsights', value: 'enabled' });
  const { cluster } = await operations.CreateCluster(caller, { clusterName: 'seen' });
  assert.deepEqual(cluster?.settings, [{ name: 'containerInsights', value: 'enabled' }]);
  const { settings } = await operations.ListAccountSettings(caller, { effectiveSettings: true, name: 'containerInsights' });
  assert.equal(settings?.[0]?.value, 'enabled');
});
