import {
  CreateClusterCommand,
  CreateServiceCommand,
  DeleteServiceCommand,
  DescribeTasksCommand,
  ECSClient,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
  waitUntilServicesInactive,
  waitUntilServicesStable,
  waitUntilTasksRunning,
  waitUntilTasksStopped,
  type ContainerDefinition,
  type Task,
} from '@aws-sdk/client-ecs';
import assert from 'node:assert/strict';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createCleanup } from '../support/cleanup.ts';
import { WAIT } from '../support/ecs.ts';
import { temporaryFolder } from '../support/image-source.ts';
import { startHoldfast, type HoldfastProcess } from '../support/server.ts';
import { findTool, requireTool } from '../support/tools.ts';

const isRoot = process.getuid?.() === 0;
const skip = isRoot && findTool('busybox') !== undefined ? false : 'needs root and busybox';

/** Real containers of one server; what one task does must never harm another. */
describe('real tasks', { skip: process.env['CI'] === 'true' ? false : skip, timeout: 180_000 }, () => {
  const cleanup = createCleanup();
  let server: HoldfastProcess;
  let client: ECSClient;

  before(async () => {
    server = await startHoldfast(cleanup, { HOLDFAST_RUNTIME: 'oci' });
    client = new ECSClient({ endpoint: server.url, region: 'us-east-1', credentials: server.credentials, maxAttempts: 1 });
    cleanup.after(async () => client.destroy());
    const folder = await temporaryFolder(cleanup);
    await mkdir(join(folder, 'image/bin'), { recursive: true });
    await copyFile(findTool('busybox') ?? '', join(folder, 'image/bin/busybox'));
    const pushed = await server.run([
      'push',
      join(folder, 'image'),
      'team/box:1',
      '--create',
      '--cmd',
      '["/bin/busybox","true"]',
    ]);
    assert.equal(pushed.code, 0, pushed.stderr);
    await client.send(new CreateClusterCommand({}));
  });
  after(async () => {
    await server.stop();
    await cleanup.run();
  });

  /** Registers a task definition of one container that runs a shell script. */
  async function register(family: string, script: string, more: Partial<ContainerDefinition> = {}): Promise<void> {
    await client.send(
      new RegisterTaskDefinitionCommand({
        family,
        networkMode: 'none',
        containerDefinitions: [
          {
            name: 'box',
            image: `${server.registryHost}/team/box:1`,
            memory: 64,
            command: ['/bin/busybox', 'sh', '-c', script],
            ...more,
          },
        ],
      }),
    );
  }

  async function start(family: string): Promise<string> {
    const { tasks = [], failures = [] } = await client.send(new RunTaskCommand({ taskDefinition: family }));
    assert.deepEqual(failures, []);
    return tasks[0]?.taskArn ?? '';
  }

  async function look(task: string): Promise<Task> {
    const { tasks = [] } = await client.send(new DescribeTasksCommand({ tasks: [task] }));
    assert.ok(tasks[0]);
    return tasks[0];
  }

  async function end(task: string): Promise<Task> {
    await waitUntilTasksStopped({ client, ...WAIT }, { tasks: [task] });
    return look(task);
  }

  const idle = `trap 'exit 0' TERM; while :; do /bin/busybox sleep 0.1; done`;

  test('outlive a server that is killed, and are found again: same ids, no restart', async (t) => {
    if (requireTool(t, 'runc') === undefined) return;
    await register('idle', idle);
    await client.send(new CreateServiceCommand({ serviceName: 'steady', taskDefinition: 'idle', desiredCount: 2 }));
    await waitUntilServicesStable({ client, ...WAIT }, { services: ['steady'] });
    const alone = await start('idle');
    await waitUntilTasksRunning({ client, ...WAIT }, { tasks: [alone] });
    const { taskArns: before = [] } = await client.send(new ListTasksCommand({}));
    const seen = await client.send(new DescribeTasksCommand({ tasks: before }));
    const runtimeIds = (tasks: Task[] = []): string[] =>
      tasks.map((task) => `${task.containers?.[0]?.runtimeId} ${task.startedAt?.getTime()}`).sort();

    await server.kill9();
    await server.restart();
    await waitUntilServicesStable({ client, ...WAIT }, { services: ['steady'] });
    const { taskArns: after = [] } = await client.send(new ListTasksCommand({}));
    assert.deepEqual([...after].sort(), [...before].sort());
    const again = await client.send(new DescribeTasksCommand({ tasks: after }));
    assert.deepEqual(runtimeIds(again.tasks), runtimeIds(seen.tasks));
    for (const task of again.tasks ?? []) assert.equal(task.lastStatus, 'RUNNING');

    await client.send(new StopTaskCommand({ task: alone, reason: 'enough' }));
    const stopped = await end(alone);
    assert.deepEqual(
      [stopped.stopCode, stopped.stoppedReason, stopped.containers?.[0]?.exitCode],
      ['UserInitiated', 'enough', 0],
    );
    await client.send(new DeleteServiceCommand({ service: 'steady', force: true }));
    await waitUntilServicesInactive({ client, ...WAIT }, { services: ['steady'] });
  });

  test('that end while the server is away are told with their exit code', async () => {
    await register('brief', '/bin/busybox sleep 1; exit 7');
    const task = await start('brief');
    await waitUntilTasksRunning({ client, ...WAIT }, { tasks: [task] });
    await server.kill9();
    await server.restart();
    const { stopCode, containers = [] } = await end(task);
    assert.deepEqual([stopCode, containers[0]?.exitCode], ['EssentialContainerExited', 7]);
  });

  test('that fork without end, write without end or ignore SIGTERM harm no other', async () => {
    await register('idle', idle);
    await register('forks', 'f() { f | f & }; f; while :; do :; done', { stopTimeout: 2 });
    await register(
      'writes',
      'while :; do /bin/busybox dd if=/dev/zero bs=65536 count=160 2>/dev/null; /bin/busybox sleep 1; done',
      { stopTimeout: 2 },
    );
    await register('stubborn', `trap '' TERM; while :; do /bin/busybox sleep 0.1; done`, { stopTimeout: 2 });
    const good = await start('idle');
    const bad = [await start('forks'), await start('writes'), await start('stubborn')];
    await waitUntilTasksRunning({ client, ...WAIT }, { tasks: [good] });
    for (const task of bad) await client.send(new StopTaskCommand({ task }));
    for (const task of bad) assert.equal((await end(task)).lastStatus, 'STOPPED');
    assert.equal((await look(bad[2] ?? '')).containers?.[0]?.exitCode, 137);
    assert.equal((await look(good)).lastStatus, 'RUNNING');
    await client.send(new StopTaskCommand({ task: good }));
    assert.equal((await end(good)).containers?.[0]?.exitCode, 0);
  });

  test('that cannot start say why', async () => {
    await register('no-command', '', { command: ['/not/there'] });
    await register('no-image', idle, { image: `${server.registryHost}/team/box:none` });
    await register('no-registry', idle, { image: '127.0.0.1:9/team/box:1' });
    for (const [family, says] of [
      ['no-command', /^CannotStartContainerError: |^CannotCreateContainerError: /],
      ['no-image', /^CannotPull(?:Container|ImageManifest)Error: /],
      ['no-registry', /^CannotPull(?:Container|ImageManifest)Error: /],
    ] as const) {
      const { stopCode, containers = [] } = await end(await start(family));
      assert.equal(stopCode, 'TaskFailedToStart', family);
      assert.match(containers[0]?.reason ?? '', says);
    }
  });
});
