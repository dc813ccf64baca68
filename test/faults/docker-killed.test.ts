import {
  CreateServiceCommand,
  DeleteServiceCommand,
  DescribeContainerInstancesCommand,
  DescribeServicesCommand,
  ListContainerInstancesCommand,
  ListTasksCommand,
  StopTaskCommand,
  waitUntilServicesInactive,
  waitUntilServicesStable,
  type Task,
} from '@aws-sdk/client-ecs';
import assert from 'node:assert/strict';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startDockerEngine } from '../support/docker-engine.ts';
import { WAIT } from '../support/ecs.ts';
import { firstProcesses } from '../support/first-processes.ts';
import { openRealTasks, sh } from '../support/real-tasks.ts';
import { requireTool } from '../support/tools.ts';
import { until } from '../support/until.ts';

const MARK = `holdfast-docker-killed-${process.pid}`;
const IDLE = sh(`trap 'exit 3' TERM; : ${MARK}; while :; do sleep 0.1; done`);

test('a Docker engine that is killed and comes back, with and without its containers', { timeout: 120_000 }, async (t) => {
  const busybox = requireTool(t, 'busybox');
  const engine = await startDockerEngine(t);
  if (engine === undefined || busybox === undefined) return;
  const world = await openRealTasks(t, {
    HOLDFAST_RUNTIME: 'docker',
    DOCKER_HOST: `unix://${engine.socket}`,
    HOLDFAST_LOG: 'info',
  });
  const { client } = world;
  const waiting = { client, ...WAIT };
  const push = (version: string): Promise<string> =>
    world.push(
      'team/live:stable',
      async (folder) => {
        await mkdir(join(folder, 'bin'));
        for (const tool of ['sh', 'sleep', 'true']) await copyFile(busybox, join(folder, 'bin', tool));
        await writeFile(join(folder, 'version'), version);
      },
      ['--cmd', '["sh"]'],
    );
  const image = await push('1');
  await world.register('web', [{ ...IDLE, image, healthCheck: { command: ['CMD', 'true'] } }]);
  await world.register('alone', [IDLE]);
  await client.send(new CreateServiceCommand({ serviceName: 'web', taskDefinition: 'web', desiredCount: 2 }));
  const alone = await world.start('alone');
  await waitUntilServicesStable(waiting, { services: ['web'] });
  await world.running(alone);
  const ofService = async (): Promise<Task[]> => {
    const { taskArns = [] } = await client.send(new ListTasksCommand({ serviceName: 'web' }));
    return Promise.all(taskArns.map((task) => world.look(task)));
  };
  const told = (tasks: Task[]) =>
    tasks.map(({ taskArn, lastStatus, healthStatus }) => `${taskArn} ${lastStatus} ${healthStatus}`).sort();
  const isConnected = async (): Promise<boolean | undefined> => {
    const { containerInstanceArns } = await client.send(new ListContainerInstancesCommand({}));
    const { containerInstances } = await client.send(
      new DescribeContainerInstancesCommand({ containerInstances: containerInstanceArns }),
    );
    return containerInstances?.[0]?.agentConnected;
  };
  const connected = (wanted: boolean) =>
    until(`agentConnected ${wanted}`, async () => ((await isConnected()) === wanted ? true : undefined));
  const healthyOnes = () =>
    until('healthy tasks', async () => {
      const seen = await ofService();
      return seen.every(({ healthStatus }) => healthStatus === 'HEALTHY') ? seen : undefined;
    });
  const before = await healthyOnes();
  const digest = before[0]?.containers?.[0]?.imageDigest;
  assert.equal(firstProcesses(MARK).length, 3);
  await push('2');

  // Nobody can know what runs, so nothing is said to have ended, and what is asked for waits.
  await engine.kill9();
  await connected(false);
  const early = await world.start('alone');
  assert.deepEqual(told(await ofService()), told(before));
  assert.equal(firstProcesses(MARK).length, 3);

  // An engine that comes back ends the containers that it finds, unless it is told otherwise.
  await engine.restart();
  await connected(true);
  const ended = await world.ended(alone);
  assert.deepEqual([ended.stopCode, ended.containers?.[0]?.exitCode], ['EssentialContainerExited', 3]);
  for (const { taskArn = '' } of before) assert.equal((await world.ended(taskArn)).containers?.[0]?.exitCode, 3);
  await world.running(early);
  await waitUntilServicesStable(waiting, { services: ['web'] });
  const replaced = await ofService();
  // By the revision's digest, although the tag has moved.
  assert.deepEqual(
    replaced.map(({ containers }) => containers?.[0]?.imageDigest),
    [digest, digest],
  );
  const healthy = await healthyOnes();
  const processes = firstProcesses(MARK);
  assert.equal(processes.length, 3);

  await engine.kill9();
  await connected(false);
  const late = await world.start('alone');
  await client.send(new StopTaskCommand({ task: early }));
  assert.equal((await world.look(early)).lastStatus, 'STOPPING');
  await engine.restart('--live-restore');
  const stopped = await world.ended(early);
  assert.deepEqual([stopped.stopCode, stopped.containers?.[0]?.exitCode], ['UserInitiated', 3]);
  await world.running(late);
  assert.deepEqual(told(await ofService()), told(healthy));
  assert.equal(firstProcesses(MARK).filter((id) => processes.includes(id)).length, 2, 'those of the service run on');

  const { services: [service] = [] } = await client.send(new DescribeServicesCommand({ services: ['web'] }));
  assert.deepEqual(
    service?.events?.filter(({ message = '' }) => /unable|unhealthy/.test(message)),
    [],
  );
  const lines = world.server.log().trim().split('\n');
  const warned = lines
    .map((line) => JSON.parse(line) as { level: string; message: string })
    .filter(({ level }) => level !== 'info');
  assert.deepEqual(
    warned.map(({ message }) => message.split(';')[0]),
    ['the container engine does not answer', 'the container engine does not answer'],
  );

  await client.send(new DeleteServiceCommand({ service: 'web', force: true }));
  await client.send(new StopTaskCommand({ task: late }));
  await world.ended(late);
  await waitUntilServicesInactive(waiting, { services: ['web'] });
  assert.deepEqual(firstProcesses(MARK), []);
});
