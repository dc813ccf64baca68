import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Digest } from '../core/digest.ts';
import type { ImageToRun, ObservedTask, TaskRuntime } from './ports.ts';
import { containerSpec, taskSpec } from './supervise/testing.ts';

export interface RuntimeWorld {
  runtime: TaskRuntime;
  /** An image whose containers run until they are stopped, and one whose containers end at once with code 3. */
  endless: ImageToRun;
  ending: ImageToRun;
  /** Of `endless`. */
  digest: Digest;
  missing: ImageToRun;
  /** Lets time go by, where it does not by itself, until something may have changed. */
  pass(): Promise<void>;
}

/** The promises of `TaskRuntime`. `open` gives `undefined` when it has skipped the test. */
export function testTaskRuntime(name: string, open: (t: TestContext) => Promise<RuntimeWorld | undefined>): void {
  test(`${name} keeps the promises of a task runtime`, async (t) => {
    const world = await open(t);
    if (world === undefined) return;
    const { runtime } = world;
    const told: ObservedTask[] = [];
    runtime.observe((task) => told.push(task));
    const of = (id: string): ObservedTask[] => told.filter((task) => task.id === id);
    const last = (id: string): ObservedTask | undefined => of(id).at(-1);
    const until = async (id: string, ...statuses: ObservedTask['status'][]): Promise<ObservedTask> => {
      for (;;) {
        const task = last(id);
        if (task !== undefined && statuses.includes(task.status)) return task;
        assert.ok(task?.status !== 'STOPPED', JSON.stringify(task));
        await world.pass();
      }
    };
    const listed = async (id: string): Promise<ObservedTask | undefined> => (await runtime.list()).find((task) => task.id === id);
    let count = 0;
    const newTask = (image: ImageToRun, more: Parameters<typeof containerSpec>[1] = {}) => {
      count += 1;
      const spec = taskSpec([containerSpec('main', { image, stopTimeout: 5_000, ...more })], {
        id: count.toString(16).padStart(32, 'd'),
        networkMode: 'none',
      });
      return { spec, id: spec.id };
    };

    await t.test('says what hosts there are', async () => {
      const [host] = await runtime.hosts();
      assert.match(host?.id ?? '', /^[0-9a-f]{32}$/);
      assert.deepEqual(await runtime.hosts(), [host]);
    });

    await t.test('starts, tells every change in order, and lists what it told', async () => {
      const { spec, id } = newTask(world.endless);
      await runtime.start(spec);
      await until(id, 'RUNNING');
      const order = ['PENDING', 'ACTIVATING', 'RUNNING'];
      const seen = of(id).map(({ status }) => order.indexOf(status));
      assert.deepEqual(
        seen,
        seen.toSorted((a, b) => a - b),
      );
      const resolved = of(id).find(({ containers }) => containers[0]?.imageDigest !== undefined);
      assert.notEqual(resolved?.status, 'RUNNING', 'the digest is told before the task runs');
      assert.equal(last(id)?.containers[0]?.imageDigest, world.digest);
      assert.equal(last(id)?.containers[0]?.status, 'RUNNING');
      assert.ok(last(id)?.startedAt !== undefined);
      assert.deepEqual(await listed(id), last(id));
      assert.ok((await runtime.stats(id)) !== undefined);
      const before = told.length;
      await runtime.start(spec);
      await world.pass();
      assert.equal(told.length, before, 'a second start changes nothing');
      await runtime.stop(id);
      await until(id, 'STOPPED');
    });

    await t.test('stops when told, and keeps what is left until it is forgotten', async () => {
      const { spec, id } = newTask(world.endless);
      await runtime.start(spec);
      await until(id, 'RUNNING');
      await runtime.stop(id);
      const task = await until(id, 'STOPPED');
      assert.equal(task.stopCode, undefined);
      assert.equal(task.stoppedReason, undefined);
      assert.ok((task.containers[0]?.exitCode ?? 0) > 128);
      assert.ok(task.stoppingAt !== undefined && task.stoppedAt !== undefined);
      await runtime.stop(id);
      await world.pass();
      assert.deepEqual(await listed(id), task);
      assert.equal(await runtime.stats(id), undefined);
      await runtime.forget(id);
      assert.equal(await listed(id), undefined);
    });

    await t.test('explains an end that nobody asked for', async () => {
      const { spec, id } = newTask(world.ending);
      await runtime.start(spec);
      const task = await until(id, 'STOPPED');
      assert.equal(task.stopCode, 'EssentialContainerExited');
      assert.equal(task.stoppedReason, 'Essential container in task exited');
      assert.equal(task.containers[0]?.exitCode, 3);
      assert.ok(task.startedAt !== undefined && task.executionStoppedAt !== undefined);
    });

    await t.test('explains an image that is not there', async () => {
      const { spec, id } = newTask(world.missing);
      await runtime.start(spec);
      const task = await until(id, 'STOPPED');
      assert.equal(task.stopCode, 'TaskFailedToStart');
      assert.match(task.stoppedReason ?? '', /^CannotPullContainerError: /);
      assert.match(task.containers[0]?.reason ?? '', /^CannotPullContainerError: /);
      assert.equal(task.containers[0]?.exitCode, undefined);
      assert.equal(task.startedAt, undefined);
    });

    await t.test('a task that is stopped before it runs ends too', async () => {
      const { spec, id } = newTask(world.endless);
      await runtime.start(spec);
      await runtime.stop(id);
      const task = await until(id, 'STOPPED');
      assert.equal(task.stopCode, undefined);
    });

    await t.test('does nothing for a task that it does not know', async () => {
      const unknown = 'f'.repeat(32);
      await runtime.stop(unknown);
      await runtime.forget(unknown);
      assert.equal(await runtime.stats(unknown), undefined);
      for await (const line of runtime.logs(unknown, { follow: true })) assert.fail(line.text);
    });
    for (const { id } of await runtime.list()) await runtime.forget(id);
    await runtime.close();
  });
}
