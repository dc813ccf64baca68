import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { CreateServiceRequest, RegisterTaskDefinitionRequest, Service } from '@aws-sdk/client-ecs';
import { digestOf, type Digest } from '../core/digest.ts';
import { isFault } from '../core/fault.ts';
import { caller, createWorld, IMAGE, type World, type WorldOptions } from '../../test/support/orchestrator.ts';
import type { Given } from './model.ts';

type Registered = Partial<Given<RegisterTaskDefinitionRequest>>;

async function register(
  world: World,
  image = `${IMAGE}:stable`,
  more: Registered = {},
  container: Record<string, unknown> = {},
): Promise<string> {
  const { taskDefinition } = await world.orchestrator.operations.RegisterTaskDefinition(caller, {
    family: 'web',
    containerDefinitions: [{ name: 'web', image, memory: 64, essential: true, ...container }],
    ...more,
  } as Given<RegisterTaskDefinitionRequest>);
  return taskDefinition?.taskDefinitionArn ?? '';
}

async function create(world: World, more: Partial<Given<CreateServiceRequest>> = {}): Promise<Service> {
  const { service } = await world.orchestrator.operations.CreateService(caller, {
    serviceName: 'web',
    taskDefinition: 'web',
    desiredCount: 3,
    ...more,
  });
  assert.ok(service);
  return service;
}

async function look(world: World, name = 'web'): Promise<Service> {
  const { services = [] } = await world.orchestrator.operations.DescribeServices(caller, { services: [name] });
  assert.ok(services[0]);
  return services[0];
}

/** Oldest first, without the service's name. */
async function events(world: World): Promise<string[]> {
  const service = await look(world);
  return (service.events ?? [])
    .map(({ message = '' }) =>
      message
        .replace('(service web) ', '')
        .replaceAll(/\(task [0-9a-f]{32}\)/g, '(task T)')
        .replaceAll(/ecs-svc\/[0-9]{19}/g, 'ecs-svc/N'),
    )
    .reverse();
}

async function tasks(world: World) {
  const { taskArns = [] } = await world.orchestrator.operations.ListTasks(caller, { serviceName: 'web' });
  if (taskArns.length === 0) return [];
  const { tasks: described = [] } = await world.orchestrator.operations.DescribeTasks(caller, { tasks: taskArns });
  return described;
}

async function digests(world: World): Promise<(string | undefined)[]> {
  return [...new Set((await tasks(world)).map(({ containers }) => containers?.[0]?.imageDigest))];
}

async function deployments(world: World) {
  const { serviceDeployments = [] } = await world.orchestrator.operations.ListServiceDeployments(caller, { service: 'web' });
  const { serviceDeployments: described = [] } = await world.orchestrator.operations.DescribeServiceDeployments(caller, {
    serviceDeploymentArns: serviceDeployments.map(({ serviceDeploymentArn = '' }) => serviceDeploymentArn),
  });
  return described;
}

async function start(test: TestContext, options: WorldOptions = {}): Promise<World & { v1: Digest }> {
  const world = await createWorld(test, options);
  const v1 = await world.push('version 1', 'stable');
  await register(world);
  return Object.assign(Object.create(Object.prototype, Object.getOwnPropertyDescriptors(world)) as World, { v1 });
}

const byText = (one: string, other: string) => (one < other ? -1 : 1);
const refused = (code: string, message: RegExp) => (error: unknown) =>
  isFault(error, 'ecs') && error.facts.code === code && message.test(error.facts.message);

describe('services', () => {
  it('start one task by tag, and the others by the digest that it found', async (test) => {
    const world = await start(test);
    const created = await create(world);
    assert.equal(created.status, 'ACTIVE');
    assert.equal(created.deployments?.[0]?.rolloutState, 'IN_PROGRESS');
    await world.settle();
    assert.equal((await look(world)).pendingCount, 1);
    await world.advance(2_000);
    const service = await look(world);
    assert.deepEqual([service.runningCount, service.pendingCount, service.deployments?.length], [3, 0, 1]);
    assert.equal(service.deployments?.[0]?.rolloutState, 'COMPLETED');
    const images = (await tasks(world)).map(({ containers }) => containers?.[0]?.image ?? '').sort(byText);
    assert.deepEqual(images, [`${IMAGE}:stable`, `${IMAGE}@${world.v1}`, `${IMAGE}@${world.v1}`]);
    assert.deepEqual(await events(world), [
      'has started 1 tasks: (task T).',
      'has started 2 tasks: (task T) (task T).',
      '(deployment ecs-svc/N) deployment completed.',
      'has reached a steady state.',
    ]);
    const [deployment] = await deployments(world);
    assert.equal(deployment?.status, 'SUCCESSFUL');
    assert.equal(deployment?.targetServiceRevision?.runningTaskCount, 3);
    const { serviceRevisions } = await world.orchestrator.operations.DescribeServiceRevisions(caller, {
      serviceRevisionArns: [deployment?.targetServiceRevision?.arn ?? ''],
    });
    assert.deepEqual(serviceRevisions?.[0]?.containerImages, [
      { containerName: 'web', image: `${IMAGE}:stable`, imageDigest: world.v1 },
    ]);
    assert.deepEqual(world.errors, []);
  });

  it('run the old digest when the tag has moved, and hold it against deletion', async (test) => {
    const world = await start(test);
    await create(world, { desiredCount: 1 });
    await world.advance(2_000);
    await world.push('version 2', 'stable');
    await world.orchestrator.operations.UpdateService(caller, { service: 'web', desiredCount: 6 });
    await world.advance(2_000);
    assert.equal((await look(world)).runningCount, 6);
    assert.deepEqual(await digests(world), [world.v1]);
    await assert.rejects(world.registry.images.delete(caller, world.repository, world.v1), (error: unknown) => {
      assert.ok(isFault(error, 'image-held'));
      return error.facts.holds.some(
        ({ kind, holder }) => kind === 'service-revision' && holder.includes(':service-revision/default/web/'),
      );
    });
    assert.deepEqual(world.errors, []);
  });

  it('deploy the new digest when they are told to, never below the minimum nor above the maximum', async (test) => {
    const world = await start(test);
    await create(world);
    await world.advance(2_000);
    const v2 = await world.push('version 2', 'stable');
    await world.orchestrator.operations.UpdateService(caller, { service: 'web', forceNewDeployment: true });
    for (let moment = 0; moment < 200; moment++) {
      await world.advance(10);
      const { runningCount = 0, pendingCount = 0 } = await look(world);
      assert.ok(runningCount >= 3, `${runningCount} running`);
      assert.ok(runningCount + pendingCount <= 6);
    }
    assert.deepEqual(await digests(world), [v2]);
    const service = await look(world);
    assert.equal(service.deployments?.length, 1);
    const held = await world.registry.holds.list(caller, { limit: 10 });
    assert.deepEqual(new Set(held.items.map(({ digest }) => digest)), new Set([world.v1, v2]));
    assert.deepEqual(world.errors, []);
  });

  it('go back to an earlier revision with its digests', async (test) => {
    const world = await start(test);
    await create(world);
    await world.advance(2_000);
    const first = (await look(world)).deployments?.[0]?.id;
    await world.push('version 2', 'stable');
    await world.orchestrator.operations.UpdateService(caller, { service: 'web', forceNewDeployment: true });
    await world.advance(3_000);
    assert.notEqual((await look(world)).deployments?.[0]?.id, first);
    await world.orchestrator.rollBack(caller, { service: 'web' });
    await world.advance(3_000);
    assert.deepEqual(await digests(world), [world.v1]);
    const service = await look(world);
    assert.deepEqual(
      [service.deployments?.length, service.deployments?.[0]?.id, service.deployments?.[0]?.rolloutState],
      [1, first, 'COMPLETED'],
    );
    assert.deepEqual(
      (await deployments(world)).map(({ status }) => status),
      ['SUCCESSFUL', 'SUCCESSFUL', 'SUCCESSFUL'],
    );
    await assert.rejects(
      world.orchestrator.rollBack(caller, { service: 'web', revision: first ?? '' }),
      refused('InvalidParameterException', /is deployed/),
    );
  });

  it('are rolled back by the circuit breaker', async (test) => {
    const world = await start(test);
    await create(world, { deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } } });
    await world.advance(2_000);
    const first = (await look(world)).deployments?.[0]?.id;
    world.behaviours.set(`${IMAGE}:broken`, { exitAfter: 5, exitCode: 1 });
    await world.push('version 2', 'broken');
    const broken = await register(world, `${IMAGE}:broken`);
    await world.orchestrator.operations.UpdateService(caller, { service: 'web', taskDefinition: broken });
    for (let moment = 0; moment < 100; moment++) {
      await world.advance(50);
      assert.ok(((await look(world)).runningCount ?? 0) >= 3);
    }
    const service = await look(world);
    assert.deepEqual([service.deployments?.length, service.deployments?.[0]?.id], [1, first]);
    assert.match(service.taskDefinition ?? '', /web:1$/);
    assert.deepEqual(await digests(world), [world.v1]);
    const [last] = await deployments(world);
    assert.equal(last?.status, 'ROLLBACK_SUCCESSFUL');
    assert.equal(last?.deploymentCircuitBreaker?.status, 'TRIGGERED');
    assert.deepEqual([last?.deploymentCircuitBreaker?.failureCount, last?.deploymentCircuitBreaker?.threshold], [3, 3]);
    const told = await events(world);
    assert.ok(told.includes('(deployment ecs-svc/N) deployment failed: tasks failed to start.'));
    assert.ok(told.includes('rolling back to deployment ecs-svc/N.'));
    assert.deepEqual(world.errors, []);
  });

  it('stop a deployment, and are refused a second time', async (test) => {
    const world = await start(test);
    await create(world, { deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } } });
    await world.advance(2_000);
    const v2 = await world.push('version 2', 'stable');
    world.behaviours.set(`${IMAGE}:stable`, { startAfter: 60_000 });
    await world.orchestrator.operations.UpdateService(caller, { service: 'web', forceNewDeployment: true });
    await world.advance(100);
    assert.equal((await look(world)).deployments?.length, 2);
    const arn = (await deployments(world))[0]?.serviceDeploymentArn ?? '';
    await world.orchestrator.operations.StopServiceDeployment(caller, { serviceDeploymentArn: arn, stopType: 'ROLLBACK' });
    await world.advance(1_000);
    assert.deepEqual(await digests(world), [world.v1]);
    const [stopped] = await deployments(world);
    assert.equal(stopped?.status, 'ROLLBACK_SUCCESSFUL');
    assert.equal(stopped.deploymentCircuitBreaker?.status, 'MONITORING_COMPLETE');
    assert.equal((await look(world)).deployments?.length, 1);
    await assert.rejects(
      world.orchestrator.operations.StopServiceDeployment(caller, { serviceDeploymentArn: arn }),
      refused('ConflictException', /ROLLBACK_SUCCESSFUL/),
    );
    for (const _ of [1, 2]) {
      await world.orchestrator.operations.UpdateService(caller, { service: 'web', forceNewDeployment: true });
      await world.advance(100);
    }
    const [current, overtaken] = await deployments(world);
    assert.deepEqual(
      [overtaken?.status, overtaken?.deploymentCircuitBreaker?.status, current?.deploymentCircuitBreaker?.status],
      ['STOPPED', 'MONITORING_COMPLETE', 'MONITORING'],
    );
    await world.orchestrator.operations.StopServiceDeployment(caller, {
      serviceDeploymentArn: current?.serviceDeploymentArn ?? '',
    });
    await world.advance(1_000);
    // What never was successful is not held any longer.
    await world.push('version 3', 'stable');
    await world.registry.images.delete(caller, world.repository, v2);
  });

  it('resolve every tag at the registry before any task starts, when a tag on the service says so', async (test) => {
    const world = await start(test);
    await create(world, { tags: [{ key: 'holdfast:resolve', value: 'registry' }] });
    await world.settle();
    assert.deepEqual(await events(world), ['has started 3 tasks: (task T) (task T) (task T).']);
    await world.advance(2_000);
    assert.deepEqual(
      (await tasks(world)).map(({ containers }) => containers?.[0]?.image),
      [1, 2, 3].map(() => `${IMAGE}@${world.v1}`),
    );
  });

  it('fail a deployment whose tags cannot be resolved, and say why', async (test) => {
    const world = await start(test, {
      settings: { resolve: 'registry' },
      resolver: {
        resolve: async ({ host }) => ({
          ok: false,
          failure: { kind: 'denied', host, reason: 'the login for it may not read app' },
        }),
      },
    });
    await create(world);
    await world.advance(2_000);
    const foreign = await register(world, 'registry.example.com/app:1');
    await world.orchestrator.operations.UpdateService(caller, { service: 'web', taskDefinition: foreign });
    await world.advance(30_000);
    const service = await look(world);
    assert.equal(service.runningCount, 3);
    assert.deepEqual(await digests(world), [world.v1]);
    assert.equal(service.deployments?.[0]?.rolloutState, 'FAILED');
    assert.ok(
      (await events(world)).some((text) =>
        text.includes('access denied by registry.example.com: the login for it may not read app.'),
      ),
    );
    assert.equal((await deployments(world))[0]?.status, 'STOPPED');
  });

  it('go on by tag after three failed pilots, and fail instead when consistency was asked for', async (test) => {
    const world = await start(test, { settings: { throttleBaseMs: 100 } });
    await register(world, 'registry.example.com/app:1');
    await create(world, { desiredCount: 2 });
    await world.advance(500);
    assert.ok((await events(world)).some((text) => text.includes('goes on with image tags')));
    assert.ok(
      (await events(world)).some((text) => text.startsWith('was unable to place a task. Reason: CannotPullContainerError:')),
    );
    await world.orchestrator.operations.DeleteService(caller, { service: 'web', force: true });
    await world.advance(1_000);
    assert.equal((await look(world)).status, 'INACTIVE');
    await register(world, 'registry.example.com/app:1', {}, { versionConsistency: 'enabled' });
    await create(world, { desiredCount: 2 });
    await world.advance(500);
    assert.equal((await look(world)).deployments?.[0]?.rolloutState, 'FAILED');
    assert.deepEqual(await tasks(world), []);
  });

  it('never take digests for theirs that cannot be held, because the image was deleted meanwhile', async (test) => {
    const world = await start(test, { settings: { throttleBaseMs: 100 } });
    world.elsewhere.set(`${IMAGE}:stable`, digestOf('deleted'));
    await register(world, `${IMAGE}:stable`, {}, { versionConsistency: 'enabled' });
    await create(world);
    await world.advance(1_000);
    assert.equal((await look(world)).deployments?.[0]?.rolloutState, 'FAILED');
    assert.equal((await events(world)).filter((text) => text.includes('is not in the registry any more.')).length, 3);
    assert.deepEqual(await tasks(world), []);
    world.elsewhere.clear();
    await world.orchestrator.operations.UpdateService(caller, { service: 'web', forceNewDeployment: true });
    await world.advance(2_000);
    assert.deepEqual(await digests(world), [world.v1]);
    assert.deepEqual(world.errors, []);
  });

  it('bring back what was deleted between the look at its tag and the hold', async (test) => {
    for (const resolve of ['first-task', 'registry'] as const) {
      const world = await start(test, { settings: { resolve } });
      world.elsewhere.set(`${IMAGE}:stable`, world.v1);
      const { resolve: look } = world.registry.images;
      let isTaken = false;
      const take = async () => {
        if (isTaken) return;
        isTaken = true;
        await world.registry.images.delete(caller, world.repository, world.v1);
      };
      if (resolve === 'registry')
        world.registry.images.resolve = async (...of) => {
          const found = await look(...of);
          await take();
          return found;
        };
      await create(world);
      if (resolve === 'first-task') await take();
      await world.advance(2_000);
      assert.ok(isTaken);
      assert.deepEqual(await digests(world), [world.v1]);
      assert.equal((await look(world.repository, { tag: 'stable' as never })).digest, world.v1);
      const held = await world.registry.holds.on(world.repository, world.v1);
      assert.ok(held.some(({ kind }) => kind === 'service-revision'));
      assert.equal((await tasks(world)).length, 3);
      assert.deepEqual(world.errors, []);
    }
  });

  it('start all at once what is written with digests, and hold it before it runs', async (test) => {
    const world = await start(test);
    await register(world, `${IMAGE}@${world.v1}`);
    await create(world);
    assert.equal((await world.registry.holds.on(world.repository, world.v1)).length, 1);
    await world.settle();
    assert.deepEqual(await events(world), ['has started 3 tasks: (task T) (task T) (task T).']);
  });

  it('are scaled to nothing and back, and scaled during a deployment', async (test) => {
    const world = await start(test);
    await create(world, { desiredCount: 0 });
    await world.advance(1_000);
    assert.equal((await look(world)).deployments?.[0]?.rolloutState, 'COMPLETED');
    await world.orchestrator.operations.UpdateService(caller, { service: 'web', desiredCount: 2, forceNewDeployment: true });
    await world.advance(50);
    await world.orchestrator.operations.UpdateService(caller, { service: 'web', desiredCount: 4 });
    await world.advance(3_000);
    assert.equal((await look(world)).runningCount, 4);
    await world.orchestrator.operations.UpdateService(caller, { service: 'web', desiredCount: 1 });
    await world.advance(1_000);
    assert.equal((await look(world)).runningCount, 1);
    assert.deepEqual(await digests(world), [world.v1]);
    const stopped = await world.meta.read
      .selectFrom('task')
      .select(['stop_code', 'stopped_reason'])
      .where('last_status', '=', 'STOPPED')
      .execute();
    assert.equal(stopped.length, 3);
    for (const { stop_code, stopped_reason } of stopped) {
      assert.equal(stop_code, 'ServiceSchedulerInitiated');
      assert.match(stopped_reason ?? '', /^Scaling activity initiated by \(deployment ecs-svc\/[0-9]{19}\)$/);
    }
    assert.deepEqual(world.errors, []);
  });

  it('replace a task that dies, from the same revision', async (test) => {
    const world = await start(test);
    await create(world, { desiredCount: 2 });
    await world.advance(2_000);
    await world.push('version 2', 'stable');
    const [first] = await tasks(world);
    await world.orchestrator.operations.StopTask(caller, { task: first?.taskArn ?? '' });
    await world.advance(2_000);
    assert.equal((await look(world)).runningCount, 2);
    assert.deepEqual(await digests(world), [world.v1]);
  });

  it('put one task on each host when they are daemons, and follow a host that is drained', async (test) => {
    const hosts = ['a', 'b'].map((letter) => ({ id: letter.repeat(32), cpu: 4096, memory: 4096, attributes: {} }));
    const world = await start(test, { hosts });
    await world.orchestrator.operations.CreateService(caller, {
      serviceName: 'web',
      taskDefinition: 'web',
      schedulingStrategy: 'DAEMON',
    } as Given<CreateServiceRequest>);
    await world.advance(2_000);
    const service = await look(world);
    assert.deepEqual([service.runningCount, service.desiredCount, service.deployments?.[0]?.rolloutState], [2, 2, 'COMPLETED']);
    const { containerInstanceArns = [] } = await world.orchestrator.operations.ListContainerInstances(caller, {});
    await world.orchestrator.operations.UpdateContainerInstancesState(caller, {
      containerInstances: containerInstanceArns.slice(0, 1),
      status: 'DRAINING',
    });
    await world.advance(2_000);
    assert.equal((await look(world)).runningCount, 1);
    assert.deepEqual(world.errors, []);
  });

  it('leave tags alone in a cluster whose version consistency is off', async (test) => {
    const world = await start(test);
    await world.orchestrator.operations.UpdateClusterSettings(caller, {
      cluster: 'default',
      settings: [{ name: 'versionConsistency' as never, value: 'disabled' }],
    });
    await create(world);
    await world.settle();
    assert.deepEqual(await events(world), ['has started 3 tasks: (task T) (task T) (task T).']);
    await world.advance(2_000);
    assert.deepEqual(
      (await tasks(world)).map(({ containers }) => containers?.[0]?.image),
      [1, 2, 3].map(() => `${IMAGE}:stable`),
    );
  });

  it('and tasks without a service hold what they run, for as long as they run', async (test) => {
    const world = await start(test);
    const { tasks: started } = await world.orchestrator.operations.RunTask(caller, { taskDefinition: 'web' });
    await world.advance(100);
    await world.push('version 2', 'stable');
    await assert.rejects(world.registry.images.delete(caller, world.repository, world.v1), (error: unknown) =>
      isFault(error, 'image-held'),
    );
    await world.orchestrator.operations.StopTask(caller, { task: started?.[0]?.taskArn ?? '' });
    await world.advance(100);
    await world.registry.images.delete(caller, world.repository, world.v1);
    assert.deepEqual(world.errors, []);
  });

  it('and such tasks bring back what was deleted or archived while they were being started, and nothing older', async (test) => {
    const world = await start(test);
    const { images } = world.registry;
    // The tag was looked at before the deletion.
    world.elsewhere.set(`${IMAGE}:stable`, world.v1);
    const run = () => world.orchestrator.operations.RunTask(caller, { taskDefinition: 'web' });
    const look = async () =>
      (await images.list(world.repository, { limit: 10 })).items.map(({ tags, storageClass }) => [tags, storageClass]);
    await images.delete(caller, world.repository, world.v1);
    await world.advance(100);
    await run();
    await world.advance(100);
    assert.deepEqual(await look(), [], 'a deletion before the task');
    await images.restore(caller, world.repository, world.v1);

    for (const take of [
      () => images.delete(caller, world.repository, world.v1),
      () => images.setStorageClass(caller, world.repository, world.v1, 'archive'),
    ]) {
      const { tasks: started } = await run();
      await take();
      await world.advance(100);
      assert.deepEqual(await look(), [[['stable'], 'standard']]);
      await assert.rejects(images.delete(caller, world.repository, world.v1), (error: unknown) => isFault(error, 'image-held'));
      await world.orchestrator.operations.StopTask(caller, { task: started?.[0]?.taskArn ?? '' });
      await world.advance(100);
    }
    assert.deepEqual(world.errors, []);
  });

  it('keep a task that is protected', async (test) => {
    const world = await start(test);
    await create(world);
    await world.advance(2_000);
    const arns = (await tasks(world)).map(({ taskArn = '' }) => taskArn);
    await world.orchestrator.operations.UpdateTaskProtection(caller, {
      cluster: 'default',
      tasks: arns,
      protectionEnabled: true,
      expiresInMinutes: 5,
    });
    await world.orchestrator.operations.UpdateService(caller, { service: 'web', desiredCount: 1 });
    await world.advance(60_000);
    assert.equal((await look(world)).runningCount, 3);
    assert.ok((await events(world)).some((text) => text.includes('2 tasks under protection')));
    await world.advance(5 * 60_000);
    assert.equal((await look(world)).runningCount, 1);
  });

  it('are deleted with their holds, and can be made again', async (test) => {
    const world = await start(test);
    await create(world);
    await world.advance(2_000);
    await assert.rejects(
      world.orchestrator.operations.DeleteService(caller, { service: 'web' }),
      refused('InvalidParameterException', /^The service cannot be stopped while it is scaled above 0\.$/),
    );
    const { service } = await world.orchestrator.operations.DeleteService(caller, { service: 'web', force: true });
    assert.equal(service?.status, 'DRAINING');
    await assert.rejects(
      create(world),
      refused('InvalidParameterException', /^Unable to Start a service that is still Draining\.$/),
    );
    await world.advance(1_000);
    const gone = await look(world);
    assert.deepEqual([gone.status, gone.runningCount, gone.deployments?.length], ['INACTIVE', 0, 0]);
    assert.deepEqual((await world.registry.holds.list(caller, { limit: 10 })).items, []);
    await create(world);
    await world.advance(2_000);
    assert.equal((await look(world)).runningCount, 3);
    assert.deepEqual(await events(world).then((all) => all.length), 4);
  });

  it('are made once by the same request, and not by another', async (test) => {
    const world = await start(test);
    await create(world, { clientToken: 'a' });
    await create(world, { clientToken: 'b' });
    await assert.rejects(
      create(world, { desiredCount: 4 }),
      refused('InvalidParameterException', /^Creation of service was not idempotent\.$/),
    );
    const { serviceArns } = await world.orchestrator.operations.ListServices(caller, {});
    assert.deepEqual(serviceArns, ['arn:aws:ecs:us-east-1:123456789012:service/default/web']);
  });

  it('leave out what is not set, and describe what they do not know as missing', async (test) => {
    const world = await start(test);
    await create(world);
    const service = await look(world);
    for (const member of ['networkConfiguration', 'platformVersion', 'capacityProviderStrategy', 'roleArn', 'taskSets', 'tags'])
      assert.ok(!(member in service), member);
    assert.deepEqual(service.deploymentConfiguration, {
      strategy: 'ROLLING',
      bakeTimeInMinutes: 0,
      minimumHealthyPercent: 100,
      maximumPercent: 200,
      deploymentCircuitBreaker: {
        enable: false,
        rollback: false,
        resetOnHealthyTask: true,
        thresholdConfiguration: { type: 'BOUNDED_PERCENT', value: 50 },
      },
    });
    const { failures } = await world.orchestrator.operations.DescribeServices(caller, { services: ['nobody'] });
    assert.deepEqual(failures, [{ arn: 'arn:aws:ecs:us-east-1:123456789012:service/default/nobody', reason: 'MISSING' }]);
  });

  it('refuse what needs a load balancer, and say what to use', async (test) => {
    const world = await start(test);
    await assert.rejects(
      create(world, { deploymentConfiguration: { strategy: 'BLUE_GREEN' } }),
      refused('UnsupportedFeatureException', /Use ROLLING/),
    );
    await assert.rejects(
      create(world, { loadBalancers: [{ containerName: 'web', containerPort: 80 }] }),
      refused('UnsupportedFeatureException', /Load balancers/),
    );
    await create(world, { loadBalancers: [], serviceRegistries: [] });
  });

  it('have task sets when somebody else deploys', async (test) => {
    const world = await start(test);
    const { operations } = world.orchestrator;
    await create(world, { deploymentController: { type: 'EXTERNAL' }, desiredCount: 4 });
    const where = { cluster: 'default', service: 'web' };
    const { taskSet } = await operations.CreateTaskSet(caller, {
      ...where,
      taskDefinition: 'web',
      scale: { value: 50, unit: 'PERCENT' },
    });
    assert.equal(taskSet?.computedDesiredCount, 2);
    await world.advance(1_000);
    const set = { ...where, taskSet: taskSet?.id ?? '' };
    await operations.UpdateServicePrimaryTaskSet(caller, { ...where, primaryTaskSet: set.taskSet });
    await operations.UpdateTaskSet(caller, { ...set, scale: { value: 100, unit: 'PERCENT' } });
    await world.advance(1_000);
    const { taskSets } = await operations.DescribeTaskSets(caller, { ...where, taskSets: [set.taskSet] });
    assert.deepEqual(
      [taskSets?.[0]?.status, taskSets?.[0]?.runningCount, taskSets?.[0]?.stabilityStatus],
      ['PRIMARY', 4, 'STEADY_STATE'],
    );
    await assert.rejects(operations.DeleteTaskSet(caller, set), refused('InvalidParameterException', /scaled above 0/));
    await operations.DeleteTaskSet(caller, { ...set, force: true });
    await world.advance(1_000);
    const service = await look(world);
    assert.deepEqual([service.runningCount, service.taskSets], [0, []]);
    assert.deepEqual(world.errors, []);
  });

  it('go on where they were when the server is killed, at any moment of a deployment', async (test) => {
    const world = await start(test);
    await create(world);
    await world.advance(2_000);
    const v2 = await world.push('version 2', 'stable');
    await world.orchestrator.operations.UpdateService(caller, { service: 'web', forceNewDeployment: true });
    for (let kill = 0; kill < 30; kill++) {
      await world.restart();
      const { runningCount = 0, pendingCount = 0 } = await look(world);
      assert.ok(runningCount >= 3 && runningCount + pendingCount <= 6, `${runningCount} running, ${pendingCount} pending`);
      await world.advance(37);
    }
    await world.advance(3_000);
    assert.deepEqual(await digests(world), [v2]);
    const service = await look(world);
    assert.deepEqual(
      [service.runningCount, service.deployments?.length, service.deployments?.[0]?.rolloutState],
      [3, 1, 'COMPLETED'],
    );
    assert.deepEqual(world.errors, []);
  });

  it('take what room their host has, and no more, and what others have left', async (test) => {
    const host = { id: 'a'.repeat(32), cpu: 1024, memory: 640, attributes: {} };
    const world = await start(test, { hosts: [host] });
    await create(world, { desiredCount: 6 });
    await world.advance(2_000);
    await create(world, { serviceName: 'other', desiredCount: 6 });
    await world.advance(2_000);
    const running = async () => [(await look(world)).runningCount, (await look(world, 'other')).runningCount];
    assert.deepEqual(await running(), [6, 4]);
    await world.orchestrator.operations.UpdateService(caller, { service: 'web', desiredCount: 1 });
    await world.advance(60_000);
    assert.deepEqual(await running(), [1, 6]);
    await world.orchestrator.operations.UpdateService(caller, { service: 'other', desiredCount: 12 });
    await world.advance(60_000);
    assert.deepEqual(await running(), [1, 9]);
  });

  it('cost nothing while nothing happens', async (test) => {
    const world = await start(test);
    await create(world);
    await world.advance(2_000);
    const before = await world.meta.read.selectFrom('service_event').select('seq').execute();
    await world.advance(5 * 60 * 60 * 1000);
    assert.deepEqual(await world.meta.read.selectFrom('service_event').select('seq').execute(), before);
    await world.advance(2 * 60 * 60 * 1000);
    assert.equal((await events(world)).filter((text) => text === 'has reached a steady state.').length, 2);
  });
});
