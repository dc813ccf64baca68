import assert from 'node:assert/strict';
import type { Digest } from '../../src/core/digest.ts';
import { isFault } from '../../src/core/fault.ts';
import type { Orchestrator } from '../../src/orchestrator/orchestrator.ts';
import { createRandom } from '../faults/random.ts';
import { caller, createWorld, IMAGE, ServerGone, type World } from './orchestrator.ts';
import { createServiceWatch } from './service-watch.ts';

const KEPT = 2;
const TAG = `${IMAGE}:stable`;
const HOUR = 3_600_000;

/**
 * A random history of one service on the whole room: tags move, images are deleted, tasks die, the server is killed at
 * any step, the clock is set, deployments overtake each other and are stopped. After each event it holds all that
 * `createServiceWatch` looks for; at last, every deployment ends, and a deleted service holds nothing. Raises an
 * AssertionError that names the seed.
 */
export async function playHistory(seed: number, events: number): Promise<void> {
  const cleanups: (() => unknown)[] = [];
  try {
    await play(seed, events, (cleanup) => void cleanups.push(cleanup));
  } finally {
    for (const cleanup of cleanups) await cleanup();
  }
}

async function play(seed: number, events: number, after: (cleanup: () => unknown) => void): Promise<void> {
  const draw = createRandom(seed);
  const random = (below: number): number => Math.floor(draw() * below);
  let stepsToLive = Infinity;
  const watch = createServiceWatch((): World => world, { keptRevisions: KEPT });
  const world: World = await createWorld(
    { after: (cleanup) => after(cleanup as () => unknown) },
    {
      settings: {
        throttleBaseMs: 200,
        keptRevisions: KEPT,
        stoppedRetentionMs: 15_000,
        resolve: random(3) === 0 ? 'registry' : 'first-task',
      },
      diesAt: () => --stepsToLive === 0,
      watch: (runtime) => watch.runtime(runtime),
    },
  );
  const where = `seed ${seed}`;
  /** As clients do: the same again to a server that died of it, and a refusal is an answer. */
  const send = async (request: (operations: Orchestrator['operations']) => Promise<unknown>): Promise<void> => {
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        await world.ask((orchestrator) => request(orchestrator.operations));
        return;
      } catch (error) {
        if (isFault(error)) return;
        if (!(error instanceof ServerGone)) throw error;
        await world.settle();
      }
    }
  };
  const check = async (): Promise<void> => {
    await world.settle();
    assert.deepEqual(await watch.check(world), [], where);
    const pending = await world.meta.read
      .selectFrom('task')
      .innerJoin('service_revision', 'service_revision.id', 'task.revision_id')
      .select('task.revision_id')
      .where('resolution', '=', 'PENDING')
      .where('desired_status', '=', 'RUNNING')
      .execute();
    assert.ok(pending.length <= 1, `${pending.length} pilots (${where})`);
    assert.deepEqual(world.errors, [], where);
  };

  let version = 0;
  const pushed: Digest[] = [await world.push(`version ${version}`, 'stable')];
  const healthCheck = random(3) === 0 ? { healthCheck: { command: ['CMD', 'true'] } } : {};
  await world.orchestrator.operations.RegisterTaskDefinition(caller, {
    family: 'web',
    containerDefinitions: [{ name: 'web', image: TAG, memory: 64, essential: true, ...healthCheck }],
  });
  const [minimumHealthyPercent = 100, maximumPercent = 200] = [
    [100, 200],
    [50, 100],
    [0, 100],
    [75, 150],
  ][random(4)] ?? [100, 200];
  const deploymentCircuitBreaker = { enable: random(2) === 0, rollback: random(2) === 0 };
  await world.orchestrator.operations.CreateService(caller, {
    serviceName: 'web',
    taskDefinition: 'web',
    desiredCount: 1 + random(4),
    deploymentConfiguration: { minimumHealthyPercent, maximumPercent, deploymentCircuitBreaker },
  });

  // Nothing is under way when something is asked for: a start that was decided before is not held against what came after.
  await world.settle();
  for (let event = 0; event < events; event++) {
    switch (random(12)) {
      case 0:
      case 1:
        pushed.push(await world.push(`version ${++version}`, 'stable'));
        break;
      case 2:
        await send((now) => now.UpdateService(caller, { service: 'web', forceNewDeployment: true }));
        break;
      case 3: {
        const desiredCount = random(6);
        await send((now) => now.UpdateService(caller, { service: 'web', desiredCount }));
        break;
      }
      case 4:
        world.behaviours.set(
          TAG,
          [{}, {}, { exitAfter: 10 }, { startAfter: 900 }, { pullFailure: 'no' }, { unhealthyAfter: 2_000 }][random(6)] ?? {},
        );
        break;
      case 5:
        await world.restart();
        break;
      case 6: {
        const victim = pushed[random(pushed.length)];
        if (victim !== undefined) await send(() => world.registry.images.delete(caller, world.repository, victim));
        break;
      }
      case 7: {
        const running = await world.meta.read
          .selectFrom('task')
          .select('id')
          .where('last_status', '=', 'RUNNING')
          .where('desired_status', '=', 'RUNNING')
          .orderBy('id')
          .execute();
        const victim = running[random(Math.max(running.length, 1))];
        if (victim !== undefined) await send((now) => now.StopTask(caller, { task: victim.id }));
        break;
      }
      case 8: {
        const { serviceDeployments = [] } = await world.orchestrator.operations.ListServiceDeployments(caller, {
          service: 'web',
        });
        const [{ serviceDeploymentArn = '' } = {}] = serviceDeployments;
        await send((now) => now.StopServiceDeployment(caller, { serviceDeploymentArn }));
        break;
      }
      case 9:
        stepsToLive = 1 + random(40);
        break;
      case 10:
        world.clock.set(world.clock.now() + ([-HOUR, 24 * HOUR, -300, 700][random(4)] ?? 0));
        break;
      default:
        await send(() => world.orchestrator.rollBack(caller, { service: 'web' }));
    }
    await world.settle();
    for (let step = 0; step < 3; step++) await world.advance(random(3) === 0 ? 5 : random(800));
    await check();
  }

  // Nothing fails any more.
  stepsToLive = Infinity;
  world.behaviours.clear();
  await world.push(`version ${++version}`, 'stable');
  const { operations } = world.orchestrator;
  await operations.UpdateService(caller, { service: 'web', desiredCount: 3, forceNewDeployment: true });
  for (let step = 0; step < 20; step++) {
    await world.advance(500);
    await check();
  }
  const { services: [service] = [] } = await operations.DescribeServices(caller, { services: ['web'] });
  assert.deepEqual(
    [service?.deployments?.length, service?.deployments?.[0]?.rolloutState, service?.runningCount, service?.pendingCount],
    [1, 'COMPLETED', 3, 0],
    where,
  );
  const { serviceDeployments = [] } = await operations.ListServiceDeployments(caller, { service: 'web', maxResults: 100 });
  const unfinished = serviceDeployments.filter(({ status = '' }) => /PROGRESS|REQUESTED|PENDING/.test(status));
  assert.deepEqual(unfinished, [], where);
  const kept = await world.meta.read.selectFrom('service_revision').select('id').where('held', '=', 1).execute();
  assert.ok(kept.length <= KEPT, `${kept.length} revisions are held (${where})`);
  await operations.DeleteService(caller, { service: 'web', force: true });
  await world.advance(1_000);
  assert.deepEqual(await watch.check(world), [], where);
  assert.deepEqual((await world.registry.holds.list(caller, { limit: 10 })).items, [], `nothing is held any more (${where})`);
}
