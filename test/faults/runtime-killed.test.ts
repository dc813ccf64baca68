import {
  CreateServiceCommand,
  DeleteServiceCommand,
  DescribeServicesCommand,
  ListTasksCommand,
  UpdateServiceCommand,
  waitUntilServicesInactive,
  waitUntilServicesStable,
  type Task,
} from '@aws-sdk/client-ecs';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { createCleanup } from '../support/cleanup.ts';
import { NETWORK, WAIT } from '../support/ecs.ts';
import { firstProcesses } from '../support/first-processes.ts';
import { temporaryFolder } from '../support/image-source.ts';
import { noRealTasks, openRealTasks, sh, type RealTasks } from '../support/real-tasks.ts';
import { findTool } from '../support/tools.ts';

/** How many of a deployment's steps the server is killed at; they are spread over all of them. */
const SAMPLE = Number(process.env['HOLDFAST_SOAK_COUNT'] ?? (process.env['HOLDFAST_SOAK'] === '1' ? 60 : 2));
const MARK = `holdfast-faults-${process.pid}`;
const IDLE = sh(`trap 'exit 0' TERM; : ${MARK}; while :; do sleep 0.2; done`);

interface Remains {
  mounts: number;
  namespaces: string[];
  groups: string[];
  processes: number;
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** What there is on the machine of a server's tasks: mounts, network namespaces, control groups, processes. */
function remains(dataFolder: string): Remains {
  const folder = join(dataFolder, 'oci');
  const installation = createHash('sha256').update(folder).digest('hex').slice(0, 12);
  const ofTasks = namesIn(join(folder, 'tasks')).filter((name) => /^[0-9a-f]{32}$/.test(name));
  const namespaces = ofTasks.map(
    (id) => `holdfast-${createHash('sha256').update(`${folder}\0${id}`).digest('hex').slice(0, 24)}`,
  );
  const there = namesIn('/run/netns');
  const groups = [`/sys/fs/cgroup/memory/holdfast/${installation}`, `/sys/fs/cgroup/holdfast/${installation}`];
  return {
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split(dataFolder).length - 1,
    namespaces: there.filter((name) => namespaces.includes(name)),
    groups: groups.flatMap(namesIn).filter((name) => /^[0-9a-f]{32}$/.test(name)),
    processes: firstProcesses(MARK).length,
  };
}

function countsOf({ mounts, namespaces, groups, processes }: Remains): Record<keyof Remains, number> {
  return { mounts, namespaces: namespaces.length, groups: groups.length, processes };
}

describe('real tasks under faults', { skip: noRealTasks, timeout: 600_000 }, () => {
  const cleanup = createCleanup();
  let world: RealTasks;
  let armed: string;
  let untouched: ReturnType<typeof countsOf>;

  before(async () => {
    armed = join(await temporaryFolder(cleanup), 'at');
    world = await openRealTasks(cleanup, {
      NODE_OPTIONS: `--import=${new URL('die-at.ts', import.meta.url).href}`,
      DIE_AT_FILE: armed,
    });
    untouched = countsOf(remains(world.server.dataFolder));
  });
  after(async () => {
    await world.server.stop();
    await cleanup.run();
  });

  const stable = () => waitUntilServicesStable({ client: world.client, ...WAIT }, { services: ['web'] });
  /** Nobody waits for the end of tidying up but this test. */
  const remain = async (expected: ReturnType<typeof countsOf>, where?: string): Promise<void> => {
    for (let look = 0; look < 50 && !isDeepStrictEqual(countsOf(remains(world.server.dataFolder)), expected); look++)
      await setTimeout(100);
    assert.deepEqual(countsOf(remains(world.server.dataFolder)), expected, where);
  };
  const tasks = async (): Promise<Task[]> => {
    const { taskArns = [] } = await world.client.send(new ListTasksCommand({ serviceName: 'web' }));
    return Promise.all(taskArns.map((task) => world.look(task)));
  };
  const pushVersion = (version: string) =>
    world.push(
      'team/web:live',
      async (folder) => {
        await writeFile(join(folder, 'version'), version);
        await mkdir(join(folder, 'bin'));
        await copyFile(findTool('busybox') ?? '', join(folder, 'bin/busybox'));
        for (const tool of ['sh', 'sleep']) await symlink('busybox', join(folder, 'bin', tool));
      },
      ['--cmd', '["sh"]'],
    );

  test('a server that is killed in the middle of a deployment goes on with it, and leaves nothing behind', async (t) => {
    const image = await pushVersion('0');
    await world.register('web', [{ image, ...IDLE }], { networkMode: 'awsvpc' });
    await world.client.send(
      new CreateServiceCommand({
        serviceName: 'web',
        taskDefinition: 'web',
        desiredCount: 2,
        networkConfiguration: NETWORK,
      }),
    );
    await stable();
    const atRest = countsOf(remains(world.server.dataFolder));
    assert.deepEqual(atRest, { ...atRest, namespaces: 2, groups: 2, processes: 2 });

    const deploy = async (at: number): Promise<boolean> => {
      await pushVersion(`${at}`);
      const old = (await tasks()).map(({ containers }) => containers?.[0]?.imageDigest);
      await writeFile(armed, String(at));
      const gone = world.server.ended().then(() => 'gone' as const);
      const force = () => world.client.send(new UpdateServiceCommand({ service: 'web', forceNewDeployment: true }));
      const went = await Promise.race([
        gone,
        force()
          .then(stable)
          .then(
            () => 'done' as const,
            () => gone,
          ),
      ]);
      await writeFile(armed, '0');
      if (went === 'gone') {
        assert.ok(firstProcesses(MARK).length >= 2, `killed at step ${at}: ${firstProcesses(MARK).length} tasks run`);
        await world.server.restart();
        const { services: [service] = [] } = await world.client.send(new DescribeServicesCommand({ services: ['web'] }));
        const now = (await tasks()).map(({ containers }) => containers?.[0]?.imageDigest);
        // It was killed before it had written down what was asked for.
        if (service?.deployments?.length === 1 && now.every((digest) => old.includes(digest))) await force();
        await stable();
      }
      const settled = await tasks();
      const digests = new Set(settled.map(({ containers }) => containers?.[0]?.imageDigest));
      assert.deepEqual([settled.length, digests.size, old.includes([...digests][0])], [2, 1, false], `killed at step ${at}`);
      await remain(atRest, `killed at step ${at}`);
      return went === 'gone';
    };
    assert.equal(await deploy(1_000_000), false);
    const steps = (await readFile(`${armed}.steps`, 'utf8')).trim().split('\n');
    assert.ok(steps.length > 40, `only ${steps.length} steps`);
    const killed: string[] = [];
    for (let one = 1; one <= SAMPLE; one++) {
      const at = Math.ceil((one * steps.length) / (SAMPLE + 1));
      if (await deploy(at)) killed.push(`${at} (${steps[at - 1]})`);
    }
    t.diagnostic(`${steps.length} steps, killed at ${killed.join(', ')}`);
    assert.ok(killed.length > SAMPLE / 2);
    await world.client.send(new DeleteServiceCommand({ service: 'web', force: true }));
    await waitUntilServicesInactive({ client: world.client, ...WAIT }, { services: ['web'] });
    await remain(untouched);
  });

  test('a container whose first process is killed, whose waiting parent is killed, or that runs out of memory', async () => {
    await world.register('alone', [{ ...IDLE, restartPolicy: { enabled: true, restartAttemptPeriod: 60 } }], {
      networkMode: 'bridge',
    });
    const killed = await world.start('alone');
    await world.running(killed);
    process.kill(firstProcesses(MARK)[0] ?? 0, 'SIGKILL');
    const first = await world.ended(killed);
    // It had not run for the attempt period, so it is not run again.
    assert.deepEqual(
      [first.stopCode, first.stoppedReason, first.containers?.[0]?.exitCode],
      ['EssentialContainerExited', 'Essential container in task exited', 137],
    );

    const orphaned = await world.start('alone');
    await world.running(orphaned);
    const [init = 0] = firstProcesses(MARK);
    const parent = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${init}/status`, 'utf8'))?.[1]);
    assert.ok(parent > 1);
    process.kill(parent, 'SIGKILL');
    // Nobody waits for the container any more: its end is told as that of its parent, and nothing of it stays.
    const second = await world.ended(orphaned);
    assert.deepEqual([second.stopCode, second.containers?.[0]?.exitCode], ['EssentialContainerExited', 137]);

    await world.register('greedy', [{ memory: 16, ...sh('x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done') }]);
    const third = await world.ended(await world.start('greedy'));
    assert.deepEqual(
      [third.stopCode, third.containers?.[0]?.exitCode, third.containers?.[0]?.reason],
      ['EssentialContainerExited', 137, 'OutOfMemoryError: Container killed due to memory usage'],
    );
    await remain(untouched);
  });
});
