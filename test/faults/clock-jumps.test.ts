import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { caller, createWorld, IMAGE, type World } from '../support/orchestrator.ts';

/**
 * Services on a clock that somebody sets: whatever the clock is set to, and at whatever moment, the same tasks are started
 * and stopped at the same moments of the time that nobody sets, and the same is told.
 */

const HOUR = 3_600_000;
const MOMENTS = [420, 560, 1_900, 2_600, 4_100];

/** All that happened, by the clock that nobody sets. */
async function play(t: TestContext, jumpAt: number, jump: number): Promise<string[]> {
  const happened: string[] = [];
  const names = new Map<string, number>();
  const tell = (what: string, task: string): void => {
    if (!names.has(task)) names.set(task, names.size + 1);
    happened.push(`${world.clock.monotonic()} ${what} ${names.get(task)}`);
  };
  const world: World = await createWorld(t, {
    settings: { throttleBaseMs: 700 },
    watch: (inner) => ({
      ...inner,
      async start(spec) {
        tell('start', spec.id);
        await inner.start(spec);
      },
      async stop(id) {
        tell('stop', id);
        await inner.stop(id);
      },
      async forget(id) {
        tell('forget', id);
        await inner.forget(id);
      },
    }),
  });
  const { operations } = world.orchestrator;
  const register = (tag: string, more = {}) =>
    operations.RegisterTaskDefinition(caller, {
      family: tag,
      containerDefinitions: [{ name: 'web', image: `${IMAGE}:${tag}`, memory: 64, essential: true, ...more }],
    });
  await world.push('version 1', 'plain', 'checked', 'failing');
  await register('plain');
  await register('checked', { healthCheck: { command: ['CMD', 'true'] } });
  await register('failing');
  world.behaviours.set(`${IMAGE}:checked`, { unhealthyAfter: 1_500, ignoresTerm: true });
  world.behaviours.set(`${IMAGE}:failing`, { pullFailure: 'no' });
  for (const name of ['plain', 'checked']) {
    await operations.CreateService(caller, {
      serviceName: name,
      taskDefinition: name,
      desiredCount: 2,
      healthCheckGracePeriodSeconds: 2,
      deploymentConfiguration: {
        minimumHealthyPercent: 100,
        maximumPercent: 150,
        deploymentCircuitBreaker: {
          enable: true,
          rollback: true,
          thresholdConfiguration: { type: 'COUNT', value: 6 },
        },
      },
    });
  }
  const acts: [number, () => Promise<unknown>][] = [
    [700, () => operations.UpdateService(caller, { service: 'plain', forceNewDeployment: true })],
    [
      900,
      async () => {
        const { taskArns = [] } = await operations.ListTasks(caller, { serviceName: 'checked' });
        await operations.UpdateTaskProtection(caller, {
          cluster: 'default',
          tasks: taskArns.slice(0, 1),
          protectionEnabled: true,
          expiresInMinutes: 1,
        });
        await operations.UpdateService(caller, { service: 'checked', desiredCount: 1 });
      },
    ],
    [2_500, () => operations.UpdateService(caller, { service: 'plain', taskDefinition: 'failing' })],
    [jumpAt, () => Promise.resolve(world.clock.set(world.clock.now() + jump))],
  ];
  for (const [at, act] of acts.sort(([one], [other]) => one - other)) {
    await world.advance(at - world.clock.monotonic());
    await act();
    await world.settle();
  }
  await world.advance(30_000 - world.clock.monotonic());
  for (const service of ['plain', 'checked']) {
    const { services: [found] = [] } = await operations.DescribeServices(caller, { services: [service] });
    for (const { message = '' } of (found?.events ?? []).reverse())
      happened.push(message.replaceAll(/\(task [0-9a-f]{32}\)/g, '(task T)').replaceAll(/ecs-svc\/[0-9]{19}/g, 'ecs-svc/N'));
    happened.push(`${found?.deployments?.[0]?.rolloutState} ${found?.runningCount} ${found?.pendingCount}`);
  }
  assert.deepEqual(world.errors, []);
  return happened;
}

for (const [name, jump] of [
  ['an hour back', -HOUR],
  ['a day forward', 24 * HOUR],
  ['some moments back', -400],
] as const) {
  test(`a clock that is set ${name} stops, starts, settles and forgets nothing`, async (t) => {
    const undisturbed = await play(t, 0, 0);
    assert.ok(undisturbed.filter((line) => / start /.test(line)).length > 8, 'too little happens');
    assert.ok(undisturbed.includes('(service plain) rolling back to deployment ecs-svc/N.'));
    for (const at of MOMENTS) assert.deepEqual(await play(t, at, jump), undisturbed, `set at ${at} ms`);
  });
}

test('what was completed last is what is gone back to, also when the clock was set back in between', async (t) => {
  const world = await createWorld(t);
  const { operations } = world.orchestrator;
  await operations.RegisterTaskDefinition(caller, {
    family: 'web',
    containerDefinitions: [{ name: 'web', image: `${IMAGE}:stable`, memory: 64, essential: true }],
  });
  await world.push('version 1', 'stable');
  await operations.CreateService(caller, { serviceName: 'web', taskDefinition: 'web', desiredCount: 1 });
  await world.advance(2_000);
  world.clock.set(world.clock.now() - HOUR);
  const second = await world.push('version 2', 'stable');
  await operations.UpdateService(caller, { service: 'web', forceNewDeployment: true });
  await world.advance(2_000);
  await world.push('version 3', 'stable');
  await operations.UpdateService(caller, { service: 'web', forceNewDeployment: true });
  await world.advance(2_000);
  await world.orchestrator.rollBack(caller, { service: 'web' });
  await world.advance(2_000);
  const { taskArns = [] } = await operations.ListTasks(caller, { serviceName: 'web' });
  const { tasks = [] } = await operations.DescribeTasks(caller, { tasks: taskArns });
  assert.deepEqual(
    tasks.map(({ containers }) => containers?.[0]?.imageDigest),
    [second],
  );
});
