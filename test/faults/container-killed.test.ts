import { StopTaskCommand } from '@aws-sdk/client-ecs';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createCleanup } from '../support/cleanup.ts';
import { noRealTasks, openRealTasks, sh, type RealTasks } from '../support/real-tasks.ts';

const MARK = `holdfast-faults-${process.pid}`;
const IDLE = sh(`trap 'exit 0' TERM; : ${MARK}; while :; do sleep 0.2; done`);

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** What there is on the machine of a server's tasks: mounts, control groups, processes. */
function remains(dataFolder: string) {
  const folder = join(dataFolder, 'oci');
  const installation = createHash('sha256').update(folder).digest('hex').slice(0, 12);
  const groups = [`/sys/fs/cgroup/memory/holdfast/${installation}`, `/sys/fs/cgroup/holdfast/${installation}`];
  return {
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split(dataFolder).length - 1,
    groups: groups.flatMap(namesIn).filter((name) => /^[0-9a-f]{32}$/.test(name)).length,
    processes: marked().length,
  };
}

/** The first processes of containers, by the machine's own numbers. */
function marked(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const inner = /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${name}/status`, 'utf8'));
        return inner && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(MARK);
      } catch {
        return false;
      }
    })
    .map(Number);
}

describe('real containers under faults', { skip: noRealTasks, timeout: 120_000 }, () => {
  const cleanup = createCleanup();
  let world: RealTasks;
  let untouched: ReturnType<typeof remains>;
  const left = () => remains(world.server.dataFolder);

  before(async () => {
    world = await openRealTasks(cleanup);
    untouched = left();
  });
  after(async () => {
    await world.server.stop();
    await cleanup.run();
  });

  test('a container whose first process is killed, whose waiting parent is killed, or that runs out of memory', async () => {
    await world.register('alone', [{ ...IDLE, restartPolicy: { enabled: true, restartAttemptPeriod: 60 } }], {
      networkMode: 'bridge',
    });
    const killed = await world.start('alone');
    await world.running(killed);
    const [first = 0] = marked();
    assert.deepEqual({ ...left(), mounts: 0 }, { mounts: 0, groups: 1, processes: 1 });
    process.kill(first, 'SIGKILL');
    const one = await world.ended(killed);
    // It had not run for the attempt period, so it is not run again.
    assert.deepEqual(
      [one.stopCode, one.stoppedReason, one.containers?.[0]?.exitCode],
      ['EssentialContainerExited', 'Essential container in task exited', 137],
    );

    const orphaned = await world.start('alone');
    await world.running(orphaned);
    const [init = 0] = marked();
    const parent = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${init}/status`, 'utf8'))?.[1]);
    assert.ok(parent > 1);
    process.kill(parent, 'SIGKILL');
    assert.equal((await world.look(orphaned)).lastStatus, 'RUNNING');
    await world.client.send(new StopTaskCommand({ task: orphaned, reason: 'enough' }));
    const two = await world.ended(orphaned);
    assert.deepEqual([two.stopCode, two.stoppedReason], ['UserInitiated', 'enough']);

    await world.register('greedy', [{ memory: 16, ...sh('x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done') }]);
    const three = await world.ended(await world.start('greedy'));
    assert.deepEqual(
      [three.stopCode, three.containers?.[0]?.exitCode, three.containers?.[0]?.reason],
      ['EssentialContainerExited', 137, 'OutOfMemoryError: Container killed due to memory usage'],
    );
    assert.deepEqual(left(), untouched);
  });
});
