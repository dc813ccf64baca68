import { containerSpec } from '../../orchestrator/supervise/testing.ts';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createManualClock } from '../../core/clock.ts';
import { digestOf } from '../../core/digest.ts';
import { createManualTimers } from '../../core/timers.ts';
import type { ContainerSpec, ObservedTask, TaskSpec } from '../../orchestrator/ports.ts';
import { readBehaviour } from './simulated-behaviour.ts';
import { createSimulatedRuntime, type SimulatedDependencies } from './simulated.ts';

function containerOf(name: string, image: string, more: Partial<ContainerSpec> = {}): ContainerSpec {
  return containerSpec(name, { image: { written: image, reference: image }, ...more });
}

function taskSpec(id: string, containers: ContainerSpec[]): TaskSpec {
  return {
    id,
    arn: `arn:aws:ecs:us-east-1:123456789012:task/default/${id}`,
    clusterArn: 'arn:aws:ecs:us-east-1:123456789012:cluster/default',
    clusterName: 'default',
    accountId: '123456789012',
    region: 'us-east-1',
    family: 'web',
    revision: 1,
    taskDefinitionArn: 'arn:aws:ecs:us-east-1:123456789012:task-definition/web:1',
    launchType: 'EC2',
    networkMode: 'bridge',
    containers,
    volumes: [],
    tags: {},
  };
}

function createWorld(parts: Partial<SimulatedDependencies> = {}) {
  const clock = createManualClock(0);
  const timers = createManualTimers(clock);
  const runtime = createSimulatedRuntime({ clock, timers, ...parts });
  const seen: ObservedTask[] = [];
  runtime.observe((task) => seen.push(task));
  const settle = () => new Promise<void>((resolve) => void setImmediate(resolve));
  return {
    clock,
    timers,
    runtime,
    seen,
    advance: (ms: number) => timers.advance(ms, settle),
    statuses: () => seen.map(({ status }) => status),
  };
}

describe('the simulated runtime', () => {
  it('tells the digest before the task runs, and everything in order', async () => {
    const world = createWorld();
    await world.runtime.start(
      taskSpec('a', [containerOf('web', 'web:1', { portMappings: [{ containerPort: 80, protocol: 'tcp' }] })]),
    );
    await world.runtime.start(taskSpec('a', []));
    await world.advance(5);
    assert.equal(world.seen.at(-1)?.containers[0]?.imageDigest, digestOf('web:1'));
    assert.equal(world.seen.at(-1)?.startedAt, undefined);
    await world.advance(100);
    await world.runtime.stop('a');
    await world.advance(10);
    await world.runtime.stop('a');
    assert.deepEqual(world.statuses(), ['PENDING', 'ACTIVATING', 'RUNNING', 'STOPPING', 'STOPPED']);
    assert.equal(world.seen[2]?.containers[0]?.networkBindings[0]?.hostPort, 32_768);
    const last = world.seen.at(-1);
    assert.equal(last?.containers[0]?.exitCode, 143);
    assert.equal(last?.stopCode, undefined);
    assert.deepEqual(await world.runtime.list(), [last]);
    await world.runtime.forget('a');
    assert.deepEqual(await world.runtime.list(), []);
    assert.equal(world.timers.waiting, 0);
  });

  it('resolves at the moment of the pull, and a pull that fails stops the task', async () => {
    const images = new Map([['web:1', digestOf('old')]]);
    const world = createWorld({
      resolve: async ({ reference }) => {
        const digest = images.get(reference);
        return digest === undefined ? { failure: `${reference}: not found` } : { digest };
      },
    });
    await world.runtime.start(taskSpec('a', [containerOf('web', 'web:1')]));
    images.set('web:1', digestOf('new'));
    await world.runtime.start(taskSpec('b', [containerOf('web', 'web:2')]));
    await world.advance(50);
    const [a, b] = await world.runtime.list();
    assert.equal(a?.containers[0]?.imageDigest, digestOf('new'));
    assert.equal(b?.status, 'STOPPED');
    assert.equal(b?.stopCode, 'TaskFailedToStart');
    assert.equal(b?.containers[0]?.reason, 'CannotPullContainerError: web:2: not found');
    assert.equal(b?.containers[0]?.exitCode, undefined);
  });

  it('plays exits, health and a container that does not mind the stop signal', async () => {
    const world = createWorld({ behaviour: (image) => (image === 'job' ? { exitAfter: 1_000, exitCode: 3 } : {}) });
    const healthCheck = { command: ['CMD', 'true'], interval: 5_000, timeout: 5_000, retries: 3, startPeriod: 0 };
    await world.runtime.start(taskSpec('job', [containerOf('job', 'job')]));
    await world.runtime.start(
      taskSpec('sick', [
        containerOf('web', 'web', {
          healthCheck,
          stopTimeout: 2_000,
          environment: { HOLDFAST_SIMULATE: 'unhealthy=500ms ignore-term' },
        }),
      ]),
    );
    await world.advance(100);
    const byId = async (id: string) => (await world.runtime.list()).find((task) => task.id === id);
    assert.equal((await byId('sick'))?.health, 'HEALTHY');
    await world.advance(1_000);
    assert.equal((await byId('sick'))?.health, 'UNHEALTHY');
    assert.deepEqual(
      [(await byId('job'))?.stopCode, (await byId('job'))?.containers[0]?.exitCode],
      ['EssentialContainerExited', 3],
    );
    await world.runtime.stop('sick');
    await world.advance(1_999);
    assert.equal((await byId('sick'))?.status, 'STOPPING');
    await world.advance(1);
    assert.equal((await byId('sick'))?.containers[0]?.exitCode, 137);
  });

  it('reads behaviours from words and leaves the others out', () => {
    assert.deepEqual(readBehaviour('start=2s exit=10ms code=7 health=unhealthy pull=denied ignore-term start=x lorem'), {
      startAfter: 2_000,
      exitAfter: 10,
      exitCode: 7,
      health: 'UNHEALTHY',
      pullFailure: 'denied',
      ignoresTerm: true,
    });
  });
});
