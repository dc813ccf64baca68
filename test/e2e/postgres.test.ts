import { BatchDeleteImageCommand, ECRClient } from '@aws-sdk/client-ecr';
import {
  CreateClusterCommand,
  CreateServiceCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  ECSClient,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  UpdateServiceCommand,
  waitUntilServicesStable,
} from '@aws-sdk/client-ecs';
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createCleanup } from '../support/cleanup.ts';
import { WAIT } from '../support/ecs.ts';
import { temporaryFolder } from '../support/image-source.ts';
import { NO_POSTGRES, POSTGRES_PASSWORD, startPostgres } from '../support/postgres.ts';
import { plainEnv, runProgram, startHoldfast } from '../support/server.ts';
import { requireAbility } from '../support/tools.ts';

test('a server on PostgreSQL keeps its promises through kill -9 of either', { timeout: 120_000 }, async (t) => {
  const cleanup = createCleanup();
  t.after(() => cleanup.run());
  const postgres = await startPostgres(cleanup);
  if (!requireAbility(t, postgres !== undefined, NO_POSTGRES) || postgres === undefined) return;
  const url = await postgres.createDatabase();
  const server = await startHoldfast(cleanup, {
    HOLDFAST_DATABASE_URL: url,
    HOLDFAST_RUNTIME: 'simulated',
    HOLDFAST_LOG: 'info',
  });
  const client = new ECSClient({ endpoint: server.url, region: 'us-east-1', credentials: server.credentials, maxAttempts: 3 });
  const ecr = new ECRClient({ endpoint: server.url, region: 'us-east-1', credentials: server.credentials });
  cleanup.after(async () => {
    client.destroy();
    ecr.destroy();
  });
  const folder = await temporaryFolder(cleanup);
  const push = async (content: string): Promise<string> => {
    await writeFile(join(folder, 'index.html'), content);
    const pushed = await server.run(['push', folder, 'team/web:stable', '--create', '--cmd', '/bin/server']);
    assert.equal(pushed.code, 0, pushed.stderr);
    return pushed.stdout.trim();
  };
  const digestsThatRun = async (): Promise<string[]> => {
    const { taskArns } = await client.send(new ListTasksCommand({ cluster: 'shop' }));
    const { tasks = [] } = await client.send(new DescribeTasksCommand({ cluster: 'shop', tasks: taskArns ?? [] }));
    return tasks.map(({ containers }) => containers?.[0]?.imageDigest ?? '');
  };
  const stable = () => waitUntilServicesStable({ client, ...WAIT }, { cluster: 'shop', services: ['web'] });

  const first = await push('one');
  await client.send(new CreateClusterCommand({ clusterName: 'shop' }));
  const image = `${server.registryHost}/team/web:stable`;
  const containerDefinitions = [{ name: 'web', image, memory: 64 }];
  await client.send(new RegisterTaskDefinitionCommand({ family: 'web', containerDefinitions }));
  await client.send(new CreateServiceCommand({ cluster: 'shop', serviceName: 'web', taskDefinition: 'web', desiredCount: 2 }));
  await stable();
  await push('two');

  await server.kill9();
  await server.restart();
  await client.send(new UpdateServiceCommand({ cluster: 'shop', service: 'web', desiredCount: 4 }));
  await stable();
  assert.deepEqual(await digestsThatRun(), [first, first, first, first]);

  // Its log is all that a database may lose power over; what the server does while it is away is refuse.
  await postgres.stop('immediate');
  await assert.rejects(client.send(new DescribeServicesCommand({ cluster: 'shop', services: ['web'] })), {
    message: 'The database of the server cannot be reached. Try again.',
  });
  await postgres.start();
  assert.deepEqual(await digestsThatRun(), [first, first, first, first]);

  const refused = await ecr.send(new BatchDeleteImageCommand({ repositoryName: 'team/web', imageIds: [{ imageDigest: first }] }));
  assert.match(refused.failures?.[0]?.failureReason ?? '', /shop\/web/);
  const history = await server.run(['tags', 'history', 'team/web', 'stable', '--json']);
  assert.equal((JSON.parse(history.stdout) as { events: unknown[] }).events.length, 2, history.stdout);
  await push('three');
  assert.equal(await server.stop(), 0);
  assert.ok(!server.log().includes(POSTGRES_PASSWORD), 'the log has the password of the database');
});

test('a server without its database says what to do, and nothing of the password', async (t) => {
  const address = `postgres://ann:${POSTGRES_PASSWORD}@127.0.0.1:1/holdfast`;
  await assert.rejects(startHoldfast(t, { HOLDFAST_DATABASE_URL: address }), (error: Error) => {
    assert.match(error.message, /HOLDFAST_DATABASE_URL: connect ECONNREFUSED 127\.0\.0\.1:1/);
    assert.ok(!error.message.includes(POSTGRES_PASSWORD), error.message);
    return true;
  });
});

/** The whole of the rooms' tests runs on PostgreSQL with HOLDFAST_TEST_DATABASE_URL; these have the most SQL of their own. */
const ROOMS = [
  'registry/holds',
  'registry/image-delete',
  'lifecycle/lifecycle',
  'orchestrator/clusters',
  'orchestrator/task-definitions',
  'orchestrator/task-operations',
  'orchestrator/services',
];

test('the rooms keep their promises on PostgreSQL', { timeout: 400_000 }, async (t) => {
  const cleanup = createCleanup();
  t.after(() => cleanup.run());
  const postgres = await startPostgres(cleanup, { flush: false });
  if (!requireAbility(t, postgres !== undefined, NO_POSTGRES) || postgres === undefined) return;
  const files = ROOMS.map((room) => `src/${room}.test.ts`);
  const { code, stdout } = await runProgram(process.execPath, ['--test', ...files], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...plainEnv(), HOLDFAST_TEST_DATABASE_URL: await postgres.createDatabase() },
  });
  assert.equal(code, 0, stdout);
  assert.match(stdout, /tests [1-9][0-9]/);
});
