import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Digest } from '../core/digest.ts';
import { isFault } from '../core/fault.ts';
import { caller, createWorld, IMAGE, type World } from '../../test/support/orchestrator.ts';

/**
 * Random histories of one service on the whole room: tags move, images are deleted, tasks die, the server is killed,
 * deployments overtake each other and are stopped. After each event it holds that no revision ever ran two digests, that
 * what runs is held, and that no more tasks were started than the maximum allows; at last, every deployment ends.
 */
const HISTORIES = process.env['HOLDFAST_SOAK'] === '1' ? 400 : 3;
/** Where a longer search goes on. */
const FIRST = Number(process.env['HOLDFAST_SOAK_FROM'] ?? 1);
const EVENTS = process.env['HOLDFAST_SOAK'] === '1' ? 40 : 25;

/** mulberry32. */
function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

interface SeenTask {
  id: string;
  revision: string;
  wanted: boolean;
  running: boolean;
  digest: Digest | undefined;
}

async function readTasks({ meta }: World): Promise<SeenTask[]> {
  const rows = await meta.read.selectFrom('task').selectAll().execute();
  return rows.map((row) => ({
    id: row.id,
    revision: row.revision_id ?? '',
    wanted: row.desired_status === 'RUNNING',
    running: row.last_status === 'RUNNING',
    digest: (JSON.parse(row.sight) as { containers: { imageDigest?: Digest }[] }).containers[0]?.imageDigest,
  }));
}

/** Faults that an operation may well answer with here. */
async function attempt(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isFault(error)) throw error;
  }
}

it(`${HISTORIES} random histories of a service, its server killed now and then`, async (test) => {
  for (let seed = FIRST; seed < FIRST + HISTORIES; seed++) {
    const random = createRandom(seed);
    const world = await createWorld(test, {
      settings: { throttleBaseMs: 200, keptRevisions: 2, resolve: random(3) === 0 ? 'registry' : 'first-task' },
    });
    const where = `seed ${seed}`;
    const tag = `${IMAGE}:stable`;
    let version = 0;
    const pushed: Digest[] = [await world.push(`version ${version}`, 'stable')];
    const health = random(3) === 0 ? { healthCheck: { command: ['CMD', 'true'] } } : {};
    await world.orchestrator.operations.RegisterTaskDefinition(caller, {
      family: 'web',
      containerDefinitions: [{ name: 'web', image: tag, memory: 64, essential: true, ...health }],
    });
    const [minimumHealthyPercent = 100, maximumPercent = 200] = [
      [100, 200],
      [50, 100],
      [0, 100],
      [75, 150],
    ][random(4)] ?? [100, 200];
    const breaker = { enable: random(2) === 0, rollback: random(2) === 0 };
    let desired = 1 + random(4);
    await world.orchestrator.operations.CreateService(caller, {
      serviceName: 'web',
      taskDefinition: 'web',
      desiredCount: desired,
      deploymentConfiguration: { minimumHealthyPercent, maximumPercent, deploymentCircuitBreaker: breaker },
    });

    const digests = new Map<string, Set<Digest>>();
    let before = new Set<string>();
    const check = async (): Promise<void> => {
      await world.settle();
      const tasks = await readTasks(world);
      const revisions = await world.meta.read.selectFrom('service_revision').selectAll().execute();
      const resolved = new Set(revisions.filter(({ resolution }) => resolution === 'RESOLVED').map(({ id }) => id));
      for (const task of tasks) {
        if (task.digest === undefined || !resolved.has(task.revision)) continue;
        digests.set(task.revision, (digests.get(task.revision) ?? new Set()).add(task.digest));
      }
      for (const [revision, seen] of digests) assert.equal(seen.size, 1, `one digest in revision ${revision} (${where})`);
      const held = new Set((await world.registry.holds.list(caller, { limit: 1_000 })).items.map(({ digest }) => digest));
      const present = new Set(
        (await world.registry.images.list(world.repository, { limit: 1_000 })).items.map(({ digest }) => digest),
      );
      for (const { running, digest } of tasks) {
        if (running && digest !== undefined && present.has(digest)) assert.ok(held.has(digest), `what runs is held (${where})`);
      }
      const wanted = tasks.filter((task) => task.wanted);
      const started = wanted.some(({ id }) => !before.has(id));
      const highest = Math.floor((desired * maximumPercent) / 100);
      if (started) assert.ok(wanted.length <= highest, `${wanted.length} tasks, at most ${highest} (${where})`);
      const pending = revisions.filter(({ resolution }) => resolution === 'PENDING').map(({ id }) => id);
      for (const id of pending) assert.ok(wanted.filter(({ revision }) => revision === id).length <= 1, `one pilot (${where})`);
      before = new Set(tasks.map(({ id }) => id));
      assert.deepEqual(world.errors, [], where);
    };

    for (let event = 0; event < EVENTS; event++) {
      const now = world.orchestrator.operations;
      switch (random(10)) {
        case 0:
        case 1:
          pushed.push(await world.push(`version ${++version}`, 'stable'));
          break;
        case 2:
          await now.UpdateService(caller, { service: 'web', forceNewDeployment: true });
          break;
        case 3:
          desired = random(6);
          await now.UpdateService(caller, { service: 'web', desiredCount: desired });
          break;
        case 4:
          world.behaviours.set(
            tag,
            [{}, {}, { exitAfter: 10 }, { startAfter: 900 }, { pullFailure: 'no' }, { unhealthyAfter: 2_000 }][random(6)] ?? {},
          );
          break;
        case 5:
          await world.restart();
          break;
        case 6: {
          const victim = pushed[random(pushed.length)];
          if (victim !== undefined) await attempt(world.registry.images.delete(caller, world.repository, victim));
          break;
        }
        case 7: {
          const running = (await readTasks(world)).filter((task) => task.running && task.wanted);
          const victim = running[random(Math.max(running.length, 1))];
          if (victim !== undefined) await now.StopTask(caller, { task: victim.id });
          break;
        }
        case 8: {
          const { serviceDeployments = [] } = await now.ListServiceDeployments(caller, { service: 'web' });
          await attempt(
            now.StopServiceDeployment(caller, { serviceDeploymentArn: serviceDeployments[0]?.serviceDeploymentArn ?? '' }),
          );
          break;
        }
        default:
          await attempt(world.orchestrator.rollBack(caller, { service: 'web' }));
      }
      await check();
      for (let step = 0; step < 3; step++) {
        await world.advance(random(3) === 0 ? 5 : random(800));
        await check();
      }
    }

    // Nothing fails any more.
    world.behaviours.clear();
    await world.push(`version ${++version}`, 'stable');
    desired = 3;
    await world.orchestrator.operations.UpdateService(caller, {
      service: 'web',
      desiredCount: desired,
      forceNewDeployment: true,
    });
    for (let step = 0; step < 20; step++) {
      await world.advance(500);
      await check();
    }
    const { services: [service] = [] } = await world.orchestrator.operations.DescribeServices(caller, { services: ['web'] });
    assert.deepEqual(
      [service?.deployments?.length, service?.deployments?.[0]?.rolloutState, service?.runningCount, service?.pendingCount],
      [1, 'COMPLETED', 3, 0],
      where,
    );
    const { serviceDeployments = [] } = await world.orchestrator.operations.ListServiceDeployments(caller, {
      service: 'web',
      maxResults: 100,
    });
    const unfinished = serviceDeployments.filter(({ status = '' }) => /PROGRESS|REQUESTED|PENDING/.test(status));
    assert.deepEqual(unfinished, [], where);
    const kept = await world.meta.read.selectFrom('service_revision').select('id').where('held', '=', 1).execute();
    assert.ok(kept.length <= 2, `${kept.length} revisions are held (${where})`);
    await world.orchestrator.operations.DeleteService(caller, { service: 'web', force: true });
    await world.advance(1_000);
    assert.deepEqual((await world.registry.holds.list(caller, { limit: 10 })).items, [], `nothing is held any more (${where})`);
  }
});
