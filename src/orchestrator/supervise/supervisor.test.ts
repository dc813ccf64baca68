import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ContainerError } from '../../core/container-error.ts';
import { digestOf } from '../../core/digest.ts';
import type { LogLine } from '../ports.ts';
import { containerSpec, openWorld, taskSpec, TASK_ID } from './testing.ts';

const key = (name: string) => ({ taskId: TASK_ID, name });
const healthCheck = { command: ['CMD-SHELL', 'true'], interval: 10_000, timeout: 5_000, retries: 3, startPeriod: 0 };

describe('a task from its start to its end', () => {
  it('tells all digests before anything is pulled, then runs', async () => {
    const world = await openWorld();
    world.image('app');
    world.image('side');
    await world.supervisor.start(taskSpec([containerSpec('app'), containerSpec('side', { essential: false })]));
    await world.settle();
    const statuses = world.told.map(({ status }) => status);
    assert.deepEqual([...new Set(statuses)], ['PENDING', 'ACTIVATING', 'RUNNING']);
    const withDigests = world.told.find(({ containers }) => containers.every(({ imageDigest }) => imageDigest !== undefined));
    assert.equal(withDigests?.status, 'ACTIVATING');
    assert.ok(withDigests.containers.every(({ status }) => status === 'PENDING'));
    const firstPull = world.machine.acts.findIndex((act) => act.startsWith('pull'));
    assert.ok(world.machine.acts.lastIndexOf('resolve side:1') < firstPull);
    assert.equal(world.containerOf('app').imageDigest, digestOf('app'));
    assert.equal(world.last().startedAt, world.clock.now());
  });

  it('asks no registry for a digest that is known', async () => {
    const world = await openWorld();
    world.image('app');
    const image = { written: 'app:1', reference: `app:1@${digestOf('app')}`, digest: digestOf('app') };
    await world.supervisor.start(taskSpec([containerSpec('app', { image })]));
    await world.settle();
    assert.equal(world.last().status, 'RUNNING');
    assert.ok(!world.machine.acts.some((act) => act.startsWith('resolve')));
  });

  it('pulls an image once for all who need it at the same time', async () => {
    const world = await openWorld();
    world.image('app');
    const image = { written: 'app:1', reference: 'app:1' };
    await world.supervisor.start(taskSpec([containerSpec('one', { image }), containerSpec('two', { image })]));
    await world.settle();
    assert.equal(world.machine.acts.filter((act) => act === 'pull app:1').length, 1);
    assert.equal(world.last().status, 'RUNNING');
  });

  it('stops when an essential container ends, those that depend on it first', async () => {
    const world = await openWorld();
    for (const name of ['db', 'app', 'proxy', 'main']) world.image(name);
    await world.supervisor.start(
      taskSpec([
        containerSpec('db', { essential: false }),
        containerSpec('app', { essential: false, dependsOn: [{ containerName: 'db', condition: 'START' }] }),
        containerSpec('proxy', { essential: false, dependsOn: [{ containerName: 'app', condition: 'START' }] }),
        containerSpec('main'),
      ]),
    );
    await world.settle();
    world.machine.acts.length = 0;
    world.machine.exit(key('main'), 3);
    await world.settle();
    assert.deepEqual(world.machine.acts, ['stop proxy', 'stop app', 'stop db', 'release']);
    const last = world.last();
    assert.equal(last.status, 'STOPPED');
    assert.equal(last.stopCode, 'EssentialContainerExited');
    assert.equal(last.stoppedReason, 'Essential container in task exited');
    assert.equal(last.executionStoppedAt, world.clock.now());
    assert.deepEqual(
      last.containers.map(({ exitCode }) => exitCode),
      [143, 143, 143, 3],
    );
  });

  it('goes on without a container that is not essential', async () => {
    const world = await openWorld();
    world.image('app');
    world.image('side');
    await world.supervisor.start(taskSpec([containerSpec('app'), containerSpec('side', { essential: false })]));
    await world.settle();
    world.machine.exit(key('side'), 1);
    await world.settle();
    assert.equal(world.last().status, 'RUNNING');
    assert.equal(world.containerOf('side').status, 'STOPPED');
    assert.equal(world.containerOf('side').exitCode, 1);
  });

  it('kills what does not stop within its stop timeout, and explains nothing that was asked for', async () => {
    const world = await openWorld();
    world.image('app', { ignoresStop: true });
    await world.supervisor.start(taskSpec([containerSpec('app', { stopTimeout: 2_000 })]));
    await world.settle();
    await world.supervisor.stop(TASK_ID);
    await world.advance(1_999);
    assert.equal(world.last().status, 'STOPPING');
    await world.advance(1);
    assert.equal(world.last().status, 'STOPPED');
    assert.equal(world.containerOf('app').exitCode, 137);
    assert.equal(world.last().stopCode, undefined);
    assert.equal(world.timers.waiting, 0);
  });

  it('says what ran out of memory', async () => {
    const world = await openWorld();
    world.image('app');
    await world.supervisor.start(taskSpec([containerSpec('app')]));
    await world.settle();
    world.machine.exit(key('app'), 137, true);
    await world.settle();
    assert.equal(world.containerOf('app').reason, 'OutOfMemoryError: Container killed due to memory usage');
  });

  it('takes a container that ended before its start was answered', async () => {
    const world = await openWorld();
    world.image('app', { exitsAtOnce: 0 });
    await world.supervisor.start(taskSpec([containerSpec('app')]));
    await world.settle();
    assert.equal(world.last().status, 'STOPPED');
    assert.equal(world.last().stopCode, 'EssentialContainerExited');
    assert.equal(world.last().startedAt, world.clock.now());
    assert.equal(world.containerOf('app').exitCode, 0);
  });

  it('is there until it is forgotten, and not before it has stopped', async () => {
    const world = await openWorld();
    world.image('app');
    await world.supervisor.start(taskSpec([containerSpec('app')]));
    await world.settle();
    await assert.rejects(world.supervisor.forget(TASK_ID), /has not stopped/);
    await world.supervisor.stop(TASK_ID);
    await world.settle();
    assert.equal((await world.supervisor.list())[0]?.status, 'STOPPED');
    await world.supervisor.forget(TASK_ID);
    assert.deepEqual(await world.supervisor.list(), []);
    assert.equal(world.machine.containers.size, 0);
    assert.deepEqual(await world.records.all(), []);
  });
});

describe('what goes wrong', () => {
  it('an image that is not there fails the task at once, also for a container that is not essential', async () => {
    const world = await openWorld();
    world.image('app');
    await world.supervisor.start(taskSpec([containerSpec('app'), containerSpec('none', { essential: false })]));
    await world.settle();
    const reason =
      'CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref none:1: none:1: not found';
    assert.equal(world.last().status, 'STOPPED');
    assert.equal(world.last().stopCode, 'TaskFailedToStart');
    assert.equal(world.last().stoppedReason, reason);
    assert.equal(world.containerOf('none').reason, reason);
    assert.equal(world.containerOf('app').exitCode, undefined);
    assert.equal(world.machine.places.size, 0);
  });

  it('a registry that is away for a moment is asked again', async () => {
    const world = await openWorld();
    let left = 3;
    world.image('app', {
      fails: (act) =>
        act === 'resolve' && left-- > 0
          ? new ContainerError('CannotPullContainerError', 'connection refused', { passing: true })
          : undefined,
    });
    await world.supervisor.start(taskSpec([containerSpec('app')]));
    await world.advance(10_000);
    assert.equal(world.last().status, 'RUNNING');
    assert.equal(world.machine.acts.filter((act) => act.startsWith('resolve')).length, 4);
  });

  it('a registry that stays away ends the task, with the number of tries', async () => {
    const world = await openWorld();
    world.image('app', {
      fails: (act) => (act === 'pull' ? new ContainerError('CannotPullContainerError', 'refused', { passing: true }) : undefined),
    });
    await world.supervisor.start(taskSpec([containerSpec('app')]));
    await world.advance(60_000);
    assert.equal(world.last().stoppedReason, 'CannotPullContainerError: ref pull has been retried 5 time(s): refused');
  });

  it('a pull that takes longer than two hours is given up', async () => {
    const world = await openWorld();
    world.image('app', { pullsForEver: true });
    await world.supervisor.start(taskSpec([containerSpec('app')]));
    await world.advance(2 * 60 * 60 * 1000 - 1);
    assert.equal(world.last().status, 'ACTIVATING');
    await world.advance(1);
    assert.match(
      world.last().stoppedReason ?? '',
      /^CannotPullContainerError: ref pull has been retried 1 time\(s\): the image did not come within 2 hours: /,
    );
    assert.ok(world.machine.acts.includes('give up app:1'));
  });

  it('a start that fails is told in the words of the engine', async () => {
    const world = await openWorld();
    world.image('app', {
      fails: (act) =>
        act === 'start' ? new ContainerError('CannotStartContainerError', 'exec: "serve": executable file not found') : undefined,
    });
    await world.supervisor.start(taskSpec([containerSpec('app')]));
    await world.settle();
    assert.equal(world.last().stopCode, 'TaskFailedToStart');
    assert.equal(world.containerOf('app').reason, 'CannotStartContainerError: exec: "serve": executable file not found');
  });

  it('a task that is stopped while its registry is asked again and again ends at once', async () => {
    const world = await openWorld();
    world.image('app', {
      fails: (act) => (act === 'pull' ? new ContainerError('CannotPullContainerError', 'refused', { passing: true }) : undefined),
    });
    await world.supervisor.start(taskSpec([containerSpec('app')]));
    await world.settle();
    await world.supervisor.stop(TASK_ID);
    await world.settle();
    assert.equal(world.last().status, 'STOPPED');
    await world.advance(60_000);
    assert.equal(world.machine.acts.filter((act) => act.startsWith('pull')).length, 1);
  });
});

describe('health', () => {
  it('a healthy container is known soon, and a sick one never sooner than its retries say', async () => {
    const world = await openWorld();
    world.image('good');
    world.image('bad', { exec: () => ({ kind: 'exited', exitCode: 1, output: 'no' }) });
    await world.supervisor.start(taskSpec([containerSpec('good', { healthCheck }), containerSpec('bad', { healthCheck })]));
    await world.advance(100);
    assert.equal(world.containerOf('good').health, 'HEALTHY');
    assert.equal(world.last().health, 'UNKNOWN');
    await world.advance(29_899);
    assert.equal(world.containerOf('bad').health, 'UNKNOWN');
    await world.advance(1);
    assert.equal(world.containerOf('bad').health, 'UNHEALTHY');
    assert.equal(world.last().health, 'UNHEALTHY');
    assert.equal(world.last().status, 'RUNNING');
  });

  it('failures of the start period do not count', async () => {
    const world = await openWorld();
    world.image('slow', { exec: () => ({ kind: 'timed-out', output: '' }) });
    const slow = { ...healthCheck, retries: 1, startPeriod: 35_000 };
    await world.supervisor.start(taskSpec([containerSpec('slow', { healthCheck: slow })]));
    await world.advance(39_999);
    assert.equal(world.last().health, 'UNKNOWN');
    await world.advance(1);
    assert.equal(world.last().health, 'UNHEALTHY');
  });

  it('a jump of the clock makes nobody sick', async () => {
    const world = await openWorld();
    world.image('bad', { exec: () => ({ kind: 'exited', exitCode: 1, output: '' }) });
    await world.supervisor.start(taskSpec([containerSpec('bad', { healthCheck })]));
    await world.advance(1_000);
    world.clock.set(world.clock.now() + 86_400_000);
    await world.advance(1_000);
    assert.equal(world.last().health, 'UNKNOWN');
  });
});

describe('restart policy', () => {
  const restartPolicy = { ignoredExitCodes: [42], restartAttemptPeriod: 60_000 };

  it('runs the container again after the attempt period, and the task goes on', async () => {
    const world = await openWorld();
    world.image('app');
    await world.supervisor.start(taskSpec([containerSpec('app', { restartPolicy })]));
    await world.advance(60_000);
    world.machine.exit(key('app'), 1);
    await world.settle();
    assert.equal(world.last().status, 'RUNNING');
    assert.equal(world.containerOf('app').restartCount, 1);
    assert.equal(world.containerOf('app').startedAt, world.clock.now());
    assert.equal(world.machine.acts.filter((act) => act === 'start app').length, 2);
    await world.advance(59_999);
    world.machine.exit(key('app'), 1);
    await world.settle();
    assert.equal(world.last().status, 'STOPPED');
  });

  it('not for an ignored exit code, nor for a container that is being stopped', async () => {
    for (const end of ['exit', 'stop']) {
      const world = await openWorld();
      world.image('app');
      await world.supervisor.start(taskSpec([containerSpec('app', { restartPolicy })]));
      await world.advance(70_000);
      if (end === 'exit') world.machine.exit(key('app'), 42);
      else await world.supervisor.stop(TASK_ID);
      await world.settle();
      assert.equal(world.last().status, 'STOPPED', end);
    }
  });
});

describe('dependencies', () => {
  const on = (containerName: string, condition: 'START' | 'COMPLETE' | 'SUCCESS' | 'HEALTHY') => ({
    dependsOn: [{ containerName, condition }],
  });

  it('SUCCESS waits for exit 0', async () => {
    const world = await openWorld();
    world.image('init');
    world.image('app');
    await world.supervisor.start(
      taskSpec([containerSpec('init', { essential: false }), containerSpec('app', on('init', 'SUCCESS'))]),
    );
    await world.settle();
    assert.ok(!world.machine.acts.includes('start app'));
    assert.equal(world.last().status, 'ACTIVATING');
    world.machine.exit(key('init'), 0);
    await world.settle();
    assert.equal(world.last().status, 'RUNNING');
  });

  it('SUCCESS that cannot be any more stops the task; COMPLETE takes every exit', async () => {
    for (const [condition, status] of [
      ['SUCCESS', 'STOPPED'],
      ['COMPLETE', 'RUNNING'],
    ] as const) {
      const world = await openWorld();
      world.image('init', { exitsAtOnce: 7 });
      world.image('app');
      await world.supervisor.start(
        taskSpec([containerSpec('init', { essential: false }), containerSpec('app', on('init', condition))]),
      );
      await world.settle();
      assert.equal(world.last().status, status);
      if (condition === 'SUCCESS')
        assert.equal(
          world.containerOf('app').reason,
          'TaskDependencyError: container app waits for init to be SUCCESS, which will not be: it exited with code 7',
        );
    }
  });

  it('HEALTHY waits for the first good check', async () => {
    const world = await openWorld();
    let isUp = false;
    world.image('db', { exec: () => ({ kind: 'exited', exitCode: isUp ? 0 : 1, output: '' }) });
    world.image('app');
    await world.supervisor.start(taskSpec([containerSpec('db', { healthCheck }), containerSpec('app', on('db', 'HEALTHY'))]));
    await world.advance(5_000);
    assert.ok(!world.machine.acts.includes('start app'));
    isUp = true;
    await world.advance(5_000);
    assert.equal(world.last().status, 'RUNNING');
  });

  it('startTimeout ends the wait', async () => {
    const world = await openWorld();
    world.image('db', { exec: () => ({ kind: 'exited', exitCode: 1, output: '' }) });
    world.image('app');
    await world.supervisor.start(
      taskSpec([containerSpec('db', { healthCheck, startTimeout: 20_000 }), containerSpec('app', on('db', 'HEALTHY'))]),
    );
    await world.advance(19_999);
    assert.equal(world.last().status, 'ACTIVATING');
    await world.advance(1);
    assert.equal(world.last().status, 'STOPPED');
    assert.equal(world.last().stopCode, 'TaskFailedToStart');
    assert.match(world.last().stoppedReason ?? '', /^TaskDependencyError: .*startTimeout of 20 s$/);
  });

  it('a circle is refused before anything is done', async () => {
    const world = await openWorld();
    await world.supervisor.start(taskSpec([containerSpec('a', on('b', 'START')), containerSpec('b', on('a', 'START'))]));
    await world.settle();
    assert.equal(world.last().status, 'STOPPED');
    assert.match(world.last().stoppedReason ?? '', /^TaskDependencyError: .*circle/);
    assert.deepEqual(world.machine.acts, ['release']);
  });
});

describe('a server that comes back', () => {
  it('finds its tasks, starts and stops nothing, and goes on with their health', async () => {
    const world = await openWorld();
    let isSick = false;
    world.image('app', { exec: () => ({ kind: 'exited', exitCode: isSick ? 1 : 0, output: '' }) });
    await world.supervisor.start(taskSpec([containerSpec('app', { healthCheck })]));
    await world.advance(1_000);
    const before = world.last();
    await world.supervisor.close();
    world.machine.acts.length = 0;
    const again = await world.open();
    await world.settle();
    assert.deepEqual(await again.list(), [before]);
    assert.deepEqual(world.machine.acts, []);
    isSick = true;
    await world.advance(30_000);
    assert.equal(world.last().health, 'UNHEALTHY');
  });

  it('tells what ended meanwhile', async () => {
    const world = await openWorld();
    world.image('app');
    world.image('side');
    await world.supervisor.start(taskSpec([containerSpec('app'), containerSpec('side', { essential: false })]));
    await world.settle();
    await world.supervisor.close();
    world.machine.exit(key('side'), 5);
    const again = await world.open();
    await world.settle();
    const [task] = await again.list();
    assert.equal(task?.status, 'RUNNING');
    assert.equal(task.containers[1]?.exitCode, 5);
  });

  it('knows no exit code of a container that is gone', async () => {
    const world = await openWorld();
    world.image('app');
    await world.supervisor.start(taskSpec([containerSpec('app')]));
    await world.settle();
    await world.supervisor.close();
    world.machine.containers.clear();
    const again = await world.open();
    await world.settle();
    const [task] = await again.list();
    assert.equal(task?.status, 'STOPPED');
    assert.equal(task.containers[0]?.exitCode, undefined);
    assert.match(task.containers[0]?.reason ?? '', /^CannotInspectContainerError: /);
  });

  it('goes on from every moment of a start, with the digest that it told', async () => {
    // The server dies at every record that it writes, once before and once after the act that follows.
    for (let dies = 1; dies <= 12; dies++) {
      const world = await openWorld();
      world.image('db');
      world.image('app');
      const keep = world.records.keep;
      let left = dies;
      world.records.keep = async (taskId, text) => {
        if (left === 0) await new Promise<never>(() => undefined);
        left -= 1;
        await keep(taskId, text);
      };
      const spec = taskSpec([
        containerSpec('db'),
        containerSpec('app', { dependsOn: [{ containerName: 'db', condition: 'START' }] }),
      ]);
      await Promise.race([world.supervisor.start(spec), world.settle()]);
      await world.settle();
      const toldDigest = world.told.at(-1)?.containers[0]?.imageDigest;
      void world.supervisor.close();
      world.records.keep = keep;
      world.image('app');
      if (toldDigest !== undefined) world.machine.images.set('db:1', { digest: toldDigest });
      const again = await world.open();
      await world.settle();
      const [task] = await again.list();
      assert.equal(task?.status, 'RUNNING', `after record ${dies}`);
      if (toldDigest !== undefined) assert.equal(task.containers[0]?.imageDigest, toldDigest);
      assert.equal(world.machine.acts.filter((act) => act === 'start db').length, 1, `one start, after record ${dies}`);
    }
  });

  it('goes on with a stop', async () => {
    const world = await openWorld();
    world.image('app', { ignoresStop: true });
    await world.supervisor.start(taskSpec([containerSpec('app')]));
    await world.settle();
    await world.supervisor.stop(TASK_ID);
    await world.settle();
    await world.supervisor.close();
    await world.open();
    await world.settle();
    await world.advance(30_000);
    assert.equal(world.last().status, 'STOPPED');
  });

  it('keeps no credentials once the image is there', async () => {
    const world = await openWorld();
    world.image('app');
    const image = { written: 'app:1', reference: 'app:1', credentials: { username: 'me', password: 'secret-word' } };
    const seen: string[] = [];
    const keep = world.records.keep;
    world.records.keep = (taskId, text) => {
      seen.push(text);
      return keep(taskId, text);
    };
    await world.supervisor.start(taskSpec([containerSpec('app', { image })]));
    await world.settle();
    assert.ok(seen[0]?.includes('secret-word'));
    assert.ok(!(await world.records.all()).some(({ text }) => text.includes('secret-word')));
  });
});

it('gives each container its own metadata endpoint', async () => {
  const world = await openWorld();
  world.image('app');
  world.image('side');
  await world.supervisor.start(taskSpec([containerSpec('app', { environment: { A: '1' } }), containerSpec('side')]));
  await world.settle();
  const environments = [...world.machine.containers.values()].map(({ environment }) => environment);
  const ids = environments.map(({ ECS_CONTAINER_METADATA_URI_V4: uri = '' }) => {
    assert.match(uri, /^http:\/\/127\.0\.0\.1:4600\/v4\/[a-f0-9]{48}$/);
    return uri.slice(uri.lastIndexOf('/') + 1);
  });
  assert.equal(new Set(ids).size, 2);
  assert.equal(environments[0]?.['A'], '1');
  assert.equal(environments[0]?.['AWS_EXECUTION_ENV'], 'AWS_ECS_EC2');
  assert.deepEqual(
    ids.map((id) => world.supervisor.describe(id)?.name),
    ['app', 'side'],
  );
  assert.equal(world.supervisor.describe('0'), undefined);
});

it('merges the logs of all containers by their times', async () => {
  const world = await openWorld();
  world.image('app');
  world.image('side');
  await world.supervisor.start(taskSpec([containerSpec('app'), containerSpec('side')]));
  await world.settle();
  for (const [name, text] of [
    ['app', 'one'],
    ['side', 'two'],
    ['app', 'three'],
  ] as const) {
    world.machine.say(key(name), text);
    await world.advance(5);
  }
  const read = async (options: { container?: string; tail?: number; follow?: boolean }): Promise<string[]> => {
    const lines: LogLine[] = [];
    for await (const line of world.supervisor.logs(TASK_ID, options)) lines.push(line);
    return lines.map(({ container, text }) => `${container} ${text}`);
  };
  assert.deepEqual(await read({}), ['app one', 'side two', 'app three']);
  assert.deepEqual(await read({ tail: 2 }), ['side two', 'app three']);
  assert.deepEqual(await read({ container: 'side' }), ['side two']);
  assert.deepEqual((await read({ follow: true })).toSorted(), ['app one', 'app three', 'side two']);
});
