import {
  CreateClusterCommand,
  CreateServiceCommand,
  DeleteServiceCommand,
  ECSClient,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
  UpdateServiceCommand,
  waitUntilServicesInactive,
  waitUntilServicesStable,
  waitUntilTasksRunning,
  waitUntilTasksStopped,
} from '@aws-sdk/client-ecs';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFile, mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createCleanup } from '../support/cleanup.ts';
import { WAIT } from '../support/ecs.ts';
import { buildImage, layoutFiles, temporaryFolder, writeTree } from '../support/image-source.ts';
import { startHoldfast, type Finished, type HoldfastProcess } from '../support/server.ts';
import { requireRoot, requireTool } from '../support/tools.ts';

interface ShownTask {
  id: string;
  service?: string;
  state: string;
  containers: { name: string; image: string; digest?: string; tagMovedTo?: string }[];
}

interface ShownDeployment {
  revision: string;
  status: string;
  current: boolean;
  images: { container: string; digest?: string }[];
}

function clientOf({ url, credentials }: HoldfastProcess): ECSClient {
  return new ECSClient({ endpoint: url, region: 'us-east-1', credentials, maxAttempts: 1 });
}

async function ok(server: HoldfastProcess, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await server.run(args);
  assert.equal(code, 0, `holdfast ${args.join(' ')}: ${stderr}`);
  return stdout;
}

describe('what runs, for a person: ps, deployments, rollback', () => {
  const cleanup = createCleanup();
  const [first, second] = [buildImage('first'), buildImage('second')];
  const short = (digest: string): string => digest.slice('sha256:'.length, 'sha256:'.length + 12);
  const service = { cluster: 'shop', services: ['web'] };
  let server: HoldfastProcess;
  let client: ECSClient;
  let folder: string;

  before(async () => {
    server = await startHoldfast(cleanup, { HOLDFAST_RUNTIME: 'simulated', HOLDFAST_SETTLE: '50ms' });
    client = clientOf(server);
    cleanup.after(async () => client.destroy());
    folder = await temporaryFolder(cleanup);
    await push(first, 'first');
    await client.send(new CreateClusterCommand({ clusterName: 'shop' }));
    await register('web', `${server.registryHost}/team/app:stable`);
    await client.send(new CreateServiceCommand({ cluster: 'shop', serviceName: 'web', taskDefinition: 'web', desiredCount: 2 }));
    await waitUntilServicesStable({ client, ...WAIT }, service);
  });
  after(() => cleanup.run());

  async function push(image: ReturnType<typeof buildImage>, name: string): Promise<void> {
    await ok(server, 'push', await writeTree(join(folder, name), layoutFiles(image)), 'team/app:stable', '--create');
  }

  async function register(family: string, image: string, environment: Record<string, string> = {}): Promise<void> {
    await client.send(
      new RegisterTaskDefinitionCommand({
        family,
        containerDefinitions: [
          { name: 'app', image, memory: 32, environment: Object.entries(environment).map(([name, value]) => ({ name, value })) },
        ],
      }),
    );
  }

  async function tasks(...args: string[]): Promise<ShownTask[]> {
    return (JSON.parse(await ok(server, 'ps', ...args, '--json')) as { tasks: ShownTask[] }).tasks;
  }

  async function deployments(): Promise<ShownDeployment[]> {
    const said = JSON.parse(await ok(server, 'deployments', 'web', '--json')) as { deployments: ShownDeployment[] };
    return said.deployments;
  }

  async function fails(message: RegExp, code: number, ...args: string[]): Promise<Finished> {
    const finished = await server.run(args);
    assert.match(finished.stderr, message);
    assert.deepEqual([finished.code, finished.stdout], [code, '']);
    return finished;
  }

  test('ps shows image, digest and state, and where the tag has gone since', async () => {
    for (const task of await tasks()) {
      assert.deepEqual([task.service, task.state], ['web', 'RUNNING']);
      assert.deepEqual([task.containers[0]?.digest, task.containers[0]?.tagMovedTo], [first.digest, undefined]);
    }
    assert.match(await ok(server, 'ps'), /^TASK +SERVICE +CONTAINER +IMAGE +DIGEST +STATE +AGE$/m);
    await push(second, 'second');
    const moved = await tasks('web');
    assert.equal(moved.length, 2);
    for (const { containers } of moved)
      assert.deepEqual([containers[0]?.digest, containers[0]?.tagMovedTo], [first.digest, second.digest]);

    const table = (await ok(server, 'ps', 'web')).split('\n');
    assert.match(table[0] ?? '', /^TASK +SERVICE +CONTAINER +IMAGE +DIGEST +STATE +AGE +TAG MOVED TO$/);
    for (const line of table.slice(1, 3))
      assert.match(line, new RegExp(`web +app +team/app:stable +${short(first.digest)} +RUNNING .*${short(second.digest)}$`));
    for (const line of table) assert.ok(line.length <= 100, line);
    assert.deepEqual(await tasks('web', '--cluster', 'shop'), moved);
  });

  test('deployments shows the digests of each, and rollback goes back to them, not to the tag', async () => {
    await client.send(new UpdateServiceCommand({ cluster: 'shop', service: 'web', forceNewDeployment: true }));
    await waitUntilServicesStable({ client, ...WAIT }, service);
    const [latest, before] = await deployments();
    assert.deepEqual([latest?.images[0]?.digest, latest?.current, latest?.status], [second.digest, true, 'SUCCESSFUL']);
    assert.deepEqual([before?.images[0]?.digest, before?.current], [first.digest, false]);

    await fails(/1234567890123456789.*cannot be rolled back to/, 1, 'rollback', 'web', '1234567890123456789');
    assert.equal((await ok(server, 'rollback', 'web')).trim(), before?.revision);
    await waitUntilServicesStable({ client, ...WAIT }, service);
    for (const { containers } of await tasks('web')) assert.equal(containers[0]?.digest, first.digest);
    const all = await deployments();
    assert.deepEqual(
      all.map(({ revision, current }) => [revision, current]),
      [
        [before?.revision, true],
        [latest?.revision, false],
        [before?.revision, false],
      ],
    );
    const table = await ok(server, 'deployments', 'web');
    assert.match(table, /^ {2}REVISION +AGE +TASK DEFINITION +STATUS +CONTAINER +DIGEST$/m);
    assert.match(table, new RegExp(`^\\* ${before?.revision} .*${short(first.digest)}$`, 'm'));

    assert.equal((await ok(server, 'rollback', 'web', latest?.revision ?? '')).trim(), latest?.revision);
    await waitUntilServicesStable({ client, ...WAIT }, service);
    for (const { containers } of await tasks('web')) assert.equal(containers[0]?.digest, second.digest);
  });

  test('ps of a service tells why its last tasks failed', async () => {
    await register('bad', `${server.registryHost}/team/app:stable`, { HOLDFAST_SIMULATE: 'exit=20ms code=3' });
    await client.send(new CreateServiceCommand({ cluster: 'shop', serviceName: 'bad', taskDefinition: 'bad', desiredCount: 1 }));
    await stoppedTask('bad');
    assert.match(
      await ok(server, 'ps', 'bad'),
      /^Task [0-9a-f]{8} failed: Essential container in task exited; app exited with 3$/m,
    );
    const stopped = await stoppedTask('bad');
    const { failures } = JSON.parse(await ok(server, 'ps', 'bad', '--json')) as { failures: { task: string }[] };
    assert.ok(failures.length > 0 && failures.length <= 3);
    const all = [...stopped, ...(await stoppedTask('bad'))].map((arn) => arn.split('/').at(-1));
    for (const { task } of failures) assert.ok(all.includes(task));
    await client.send(new DeleteServiceCommand({ cluster: 'shop', service: 'bad', force: true }));
    await waitUntilServicesInactive({ client, ...WAIT }, { cluster: 'shop', services: ['bad'] });
  });

  async function stoppedTask(serviceName: string): Promise<string[]> {
    for (;;) {
      const { taskArns = [] } = await client.send(
        new ListTasksCommand({ cluster: 'shop', serviceName, desiredStatus: 'STOPPED' }),
      );
      if (taskArns.length > 0) return taskArns;
    }
  }

  test('names that lead nowhere, and wrong usage', async () => {
    await fails(/There is no service nothing/, 1, 'deployments', 'nothing');
    await fails(/There is no service nothing/, 1, 'rollback', 'nothing');
    await fails(/There is no task ffff/, 1, 'logs', 'ffff');
    await fails(/There is no task x%/, 1, 'logs', 'x%&task=y');
    await fails(/There is no cluster nowhere/, 1, 'ps', '--cluster', 'nowhere');
    await fails(/There is no service nothing/, 1, 'ps', 'nothing');
    await fails(/There is no service wbe in the cluster shop\.\n +Did you mean web\?/, 1, 'ps', 'wbe', '--cluster', 'shop');
    await fails(/--tail takes a count/, 2, 'logs', 'ffff', '--tail', 'many');
    await fails(/takes one task/, 2, 'logs');
    await fails(/takes one service/, 2, 'deployments');
    await fails(/takes a service/, 2, 'rollback');
    const [task] = await tasks('web');
    await fails(/has no container other\. It has: app/, 1, 'logs', task?.id ?? '', '--container', 'other');
  });
});

test('logs: what a real task has written, and what it goes on to write', async (t) => {
  const busybox = requireTool(t, 'busybox');
  if (busybox === undefined || !requireRoot(t)) return;
  const cleanup = createCleanup();
  try {
    const server = await startHoldfast(cleanup, { HOLDFAST_RUNTIME: 'oci' });
    const client = clientOf(server);
    cleanup.after(async () => client.destroy());
    const folder = await temporaryFolder(cleanup);
    await mkdir(join(folder, 'image/bin'), { recursive: true });
    await copyFile(busybox, join(folder, 'image/bin/busybox'));
    const script = `trap 'echo told to stop; exit 0' TERM; for i in 1 2 3; do echo "line $i"; done; echo oops >&2; while :; do /bin/busybox sleep 0.1; done`;
    const words = JSON.stringify(['/bin/busybox', 'sh', '-c', script]);
    await ok(server, 'push', join(folder, 'image'), 'team/talk:1', '--create', '--cmd', words);
    await client.send(new CreateClusterCommand({}));
    await client.send(
      new RegisterTaskDefinitionCommand({
        family: 'talk',
        networkMode: 'none',
        containerDefinitions: [{ name: 'talker', image: `${server.registryHost}/team/talk:1`, memory: 32 }],
      }),
    );
    const { tasks = [] } = await client.send(new RunTaskCommand({ taskDefinition: 'talk' }));
    const [taskArn = ''] = tasks.map((task) => task.taskArn ?? '');
    await waitUntilTasksRunning({ client, ...WAIT }, { tasks: [taskArn] });
    const id = taskArn.split('/').at(-1) ?? '';

    const follower = spawn(fileURLToPath(new URL('../../bin/holdfast', import.meta.url)), ['logs', id.slice(0, 10), '--follow'], {
      env: server.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    t.after(() => follower.kill());
    const followed: string[] = [];
    const lines = createInterface({ input: follower.stdout });
    const closed = new Promise<number | null>((resolve) => void follower.once('close', resolve));
    const third = new Promise<void>((resolve) => {
      lines.on('line', (line) => {
        followed.push(line);
        if (line.endsWith('line 3')) resolve();
      });
    });
    await third;

    const said = await server.run(['logs', taskArn, '--container', 'talker']);
    assert.deepEqual([said.stdout, said.stderr, said.code], ['line 1\nline 2\nline 3\n', 'oops\n', 0]);
    assert.equal((await server.run(['logs', id, '--tail', '1'])).code, 0);
    const json = (await ok(server, 'logs', id, '--json')).trim().split('\n');
    assert.equal(json.length, 4);
    assert.deepEqual(
      json.map((line) => (JSON.parse(line) as Record<string, string>)['container']),
      ['talker', 'talker', 'talker', 'talker'],
    );

    await client.send(new StopTaskCommand({ task: taskArn }));
    assert.equal(await closed, 0, 'following ends with the task');
    assert.deepEqual(
      followed,
      ['line 1', 'line 2', 'line 3', 'told to stop'].map((line) => `talker | ${line}`),
    );
    await waitUntilTasksStopped({ client, ...WAIT }, { tasks: [taskArn] });
    await server.stop();
  } finally {
    await cleanup.run();
  }
});
