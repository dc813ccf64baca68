import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { digestOf } from '../../core/digest.ts';
import { Fault } from '../../core/fault.ts';
import { silentLogger } from '../../core/logger.ts';
import { containerSpec, openWorld, taskSpec, TASK_ID } from '../../orchestrator/supervise/testing.ts';
import { loggablePath } from '../http/target.ts';
import { createMetadataHandler } from './handler.ts';
import { createMetadataListeners } from './listeners.ts';
import type { ProtectionOperations } from './protection.ts';

const ARN = `arn:aws:ecs:us-east-1:123456789012:task/default/${TASK_ID}`;

async function listen(t: TestContext, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A task of two containers that runs, and the endpoint over HTTP. */
async function open(t: TestContext) {
  const world = await openWorld();
  world.image('app');
  world.image('side');
  const asked: unknown[] = [];
  let answer: unknown = { protectedTasks: [{ taskArn: ARN, protectionEnabled: false }], failures: [] };
  const operation = async (caller: unknown, input: unknown): Promise<never> => {
    asked.push([caller, input]);
    if (answer instanceof Error) throw answer;
    return answer as never;
  };
  const protection = { GetTaskProtection: operation, UpdateTaskProtection: operation } as ProtectionOperations;
  const handler = createMetadataHandler({
    supervisor: world.supervisor,
    protection,
    clock: world.clock,
    availabilityZone: 'us-east-1a',
  });
  const context = { requestId: 'r', receivedAt: 0, log: silentLogger };
  const base = await listen(
    t,
    createServer((request, response) => void handler(request, response, context)),
  );
  await world.supervisor.start(
    taskSpec(
      [
        containerSpec('app', {
          cpu: 128,
          memory: 256,
          portMappings: [{ containerPort: 80, hostPort: 8080, protocol: 'tcp' }],
          healthCheck: { command: ['CMD', 'true'], interval: 30_000, timeout: 5_000, retries: 3, startPeriod: 0 },
          dockerLabels: { team: 'blue', 'com.amazonaws.ecs.task-arn': 'a lie' },
          mountPoints: [{ sourceVolume: 'data', containerPath: '/data', readOnly: false }],
        }),
        containerSpec('side', { essential: false, restartPolicy: { ignoredExitCodes: [], restartAttemptPeriod: 60_000 } }),
      ],
      {
        cpu: 256,
        memory: 512,
        serviceName: 'web',
        group: 'service:web',
        volumes: [{ name: 'data', hostPath: '/srv' }],
        tags: { stage: 'test' },
      },
    ),
  );
  await world.advance(200);
  const uri = (name: string, variable: string): string => {
    const text = world.machine.containers.get(`${TASK_ID}/${name}`)?.environment[variable] ?? '';
    return base + new URL(text).pathname;
  };
  const get = async (url: string, init: RequestInit = {}) => {
    const response = await fetch(url, init);
    assert.equal(response.headers.get('content-type'), 'application/json');
    return { status: response.status, body: (await response.json()) as never };
  };
  return {
    world,
    base,
    get,
    uri,
    asked,
    answers(next: unknown): void {
      answer = next;
    },
  };
}

test('a container reads itself', async (t) => {
  const { get, uri } = await open(t);
  const { status, body } = await get(uri('app', 'ECS_CONTAINER_METADATA_URI_V4'));
  assert.equal(status, 200);
  assert.deepEqual(body, {
    DockerId: digestOf(`${TASK_ID}/app`).slice('sha256:'.length),
    Name: 'app',
    DockerName: `holdfast-${TASK_ID}-app`,
    Image: 'app:1',
    ImageID: digestOf('app'),
    Ports: [{ ContainerPort: 80, Protocol: 'tcp', HostPort: 8080, HostIp: '0.0.0.0' }],
    Labels: {
      'team': 'blue',
      'com.amazonaws.ecs.cluster': 'default',
      'com.amazonaws.ecs.container-name': 'app',
      'com.amazonaws.ecs.task-arn': ARN,
      'com.amazonaws.ecs.task-definition-family': 'web',
      'com.amazonaws.ecs.task-definition-version': '1',
    },
    DesiredStatus: 'RUNNING',
    KnownStatus: 'RUNNING',
    Limits: { CPU: 128, Memory: 256 },
    CreatedAt: '2023-11-14T22:13:20.000Z',
    StartedAt: '2023-11-14T22:13:20.000Z',
    Type: 'NORMAL',
    Health: { status: 'HEALTHY', statusSince: '2023-11-14T22:13:20.100Z', exitCode: 0, output: '' },
    Volumes: [{ DockerName: 'data', Source: '/srv', Destination: '/data' }],
    LogDriver: 'json-file',
    ContainerARN: 'arn:aws:ecs:us-east-1:123456789012:container/default/t/app',
    Networks: [{ NetworkMode: 'bridge' }],
    Snapshotter: 'overlayfs',
  });
  const side = await get(uri('side', 'ECS_CONTAINER_METADATA_URI_V4'));
  assert.equal((side.body as { RestartCount: number }).RestartCount, 0);
});

test('a container reads its task, with tags where it asks for them', async (t) => {
  const { get, uri } = await open(t);
  const url = uri('app', 'ECS_CONTAINER_METADATA_URI_V4');
  const { body } = await get(`${url}/task`);
  const { Containers: containers, ...task } = body as { Containers: { Name: string }[] };
  assert.deepEqual(
    containers.map(({ Name }) => Name),
    ['app', 'side'],
  );
  const expected = {
    Cluster: 'default',
    TaskARN: ARN,
    Family: 'web',
    Revision: '1',
    DesiredStatus: 'RUNNING',
    KnownStatus: 'RUNNING',
    Limits: { CPU: 0.25, Memory: 512 },
    PullStartedAt: '2023-11-14T22:13:20.000Z',
    PullStoppedAt: '2023-11-14T22:13:20.000Z',
    AvailabilityZone: 'us-east-1a',
    LaunchType: 'EC2',
    ServiceName: 'web',
    Group: 'service:web',
    FaultInjectionEnabled: false,
  };
  assert.deepEqual(task, expected);
  const { Containers: _, ...tagged } = (await get(`${url}/taskWithTags`)).body as { Containers: unknown };
  assert.deepEqual(tagged, { ...expected, TaskTags: { stage: 'test' } });
});

test('a container reads stats, its own and its task’s', async (t) => {
  const { get, uri, world } = await open(t);
  const url = uri('app', 'ECS_CONTAINER_METADATA_URI_V4');
  assert.deepEqual((await get(`${url}/stats`)).body, { name: 'app' });
  world.machine.exit({ taskId: TASK_ID, name: 'side' }, 1);
  await world.settle();
  const id = (name: string): string => digestOf(`${TASK_ID}/${name}`).slice('sha256:'.length);
  assert.deepEqual((await get(`${url}/task/stats`)).body, { [id('app')]: { name: 'app' }, [id('side')]: null });
  const gone = await get(`${uri('side', 'ECS_CONTAINER_METADATA_URI_V4')}/stats`);
  assert.deepEqual(gone, { status: 404, body: 'V4 container stats handler: container side does not run' });
});

test('who does not know an id learns nothing', async (t) => {
  const { get, base } = await open(t);
  for (const [path, subject] of [
    ['', 'container metadata'],
    ['/task', 'task metadata'],
    ['/taskWithTags', 'task metadata'],
    ['/stats', 'container stats'],
    ['/task/stats', 'task stats'],
  ]) {
    const { status, body } = await get(`${base}/v4/0123${path}`);
    assert.equal(status, 404);
    assert.equal(body, `V4 ${subject} handler: unable to find a container with this id`);
  }
  assert.equal((await get(`${base}/v4/x/tasks`)).status, 404);
  assert.equal((await get(`${base}/v4/x`, { method: 'POST' })).status, 405);
  assert.deepEqual(await get(`${base}/api/0123/task-protection/v1/state`), {
    status: 404,
    body: { error: { Code: 'ResourceNotFoundException', Message: 'Failed to find a task for the request' } },
  });
});

test('a task protects itself', async (t) => {
  const { get, uri, asked, answers } = await open(t);
  const url = `${uri('app', 'ECS_AGENT_URI')}/task-protection/v1/state`;
  assert.deepEqual((await get(url)).body, { protection: { ProtectionEnabled: false, TaskArn: ARN } });
  const put = (body: string) => get(url, { method: 'PUT', body });
  answers({
    protectedTasks: [{ taskArn: ARN, protectionEnabled: true, expirationDate: new Date(1_700_000_000_000) }],
    failures: [],
  });
  assert.deepEqual((await put('{"ProtectionEnabled":true,"ExpiresInMinutes":60}')).body, {
    protection: { ExpirationDate: '2023-11-14T22:13:20.000Z', ProtectionEnabled: true, TaskArn: ARN },
  });
  assert.deepEqual(asked.at(-1), [
    { account: '123456789012', region: 'us-east-1', principal: ARN },
    {
      cluster: 'arn:aws:ecs:us-east-1:123456789012:cluster/default',
      tasks: [ARN],
      protectionEnabled: true,
      expiresInMinutes: 60,
    },
  ]);
  const before = asked.length;
  const undecoded = 'UpdateTaskProtection: failed to decode request';
  for (const [body, message] of [
    ['{}', "Invalid request: does not contain 'ProtectionEnabled' field"],
    ['{"ProtectionEnabled":"yes"}', undecoded],
    ['{"ProtectionEnabled":true,"More":1}', undecoded],
    ['{"ProtectionEnabled":true,"ExpiresInMinutes":1.5}', undecoded],
    ['not json', undecoded],
    ['', undecoded],
    [JSON.stringify({ ProtectionEnabled: true, x: 'x'.repeat(5000) }), undecoded],
  ] as const) {
    assert.deepEqual(await put(body), {
      status: 400,
      body: { error: { Arn: ARN, Code: 'InvalidParameterException', Message: message } },
    });
  }
  assert.equal(asked.length, before);
  answers({ protectedTasks: [], failures: [{ arn: ARN, reason: 'TASK_NOT_VALID' }] });
  assert.deepEqual(await put('{"ProtectionEnabled":true}'), {
    status: 200,
    body: { failure: { Arn: ARN, Reason: 'TASK_NOT_VALID' } },
  });
  answers(new Fault('ecs', { code: 'InvalidParameterException', message: 'expiresInMinutes must be between 1 and 2880.' }));
  assert.deepEqual(await put('{"ProtectionEnabled":true,"ExpiresInMinutes":0}'), {
    status: 400,
    body: { error: { Arn: ARN, Code: 'InvalidParameterException', Message: 'expiresInMinutes must be between 1 and 2880.' } },
  });
});

test('the log does not show a container’s secret', () => {
  assert.equal(loggablePath('/v4/0123456789abcdef/task/stats'), '/v4/…/task/stats');
  assert.equal(loggablePath('/api/0123456789abcdef/task-protection/v1/state'), '/api/…/task-protection/v1/state');
  assert.equal(loggablePath('/v4/0123456789abcdef'), '/v4/…');
});

test('listens on the addresses that containers can reach, once each, and on no other', async (t) => {
  const main = createServer();
  const url = new URL(await listen(t, main));
  const opened: Server[] = [];
  const listeners = createMetadataListeners({
    host: '127.0.0.1',
    port: Number(url.port),
    openServer() {
      const server = createServer((_, response) => response.end('"metadata"'));
      opened.push(server);
      return server;
    },
    log: silentLogger,
  });
  t.after(() => listeners.close());
  assert.equal(await listeners.reach('127.0.0.1'), `http://127.0.0.1:${url.port}`);
  assert.equal(opened.length, 0);
  const reached = await Promise.all([listeners.reach('127.0.0.2'), listeners.reach('127.0.0.2')]);
  assert.deepEqual(reached, [`http://127.0.0.2:${url.port}`, `http://127.0.0.2:${url.port}`]);
  assert.equal(opened.length, 1);
  assert.equal(await (await fetch(reached[0] ?? '')).text(), '"metadata"');
  assert.equal(await listeners.reach('192.0.2.1'), undefined);
  assert.equal(await listeners.reach('not an address'), undefined);
});
