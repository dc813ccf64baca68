import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import type { Orchestrator } from '../../src/orchestrator/orchestrator.ts';
import { caller, createWorld, IMAGE, ServerGone, type World, type WorldOptions } from '../support/orchestrator.ts';
import { createServiceWatch } from '../support/service-watch.ts';

/** What a client does while the server may die at any step of it. */
interface Play {
  world: World;
  /** Of this round alone, so that rounds do not touch. */
  service: string;
  tag: string;
  /** Sends a request, and again when the server died of it, as clients do; then lets what comes of it come. */
  send(request: (operations: Orchestrator['operations']) => Promise<unknown>, again?: 'or refused'): Promise<void>;
  pass(milliseconds: number): Promise<void>;
}

interface Scene {
  options?: WorldOptions;
  /** On a server that stays up. */
  prepare(play: Play): Promise<void>;
  act(play: Play): Promise<void>;
  /** How it must be in the end, wherever the server died. */
  verify(play: Play): Promise<void>;
}

/** More steps than any scene has. */
const MOST = 600;

/** Plays the scene once for each of its steps, or one of `stride`, and has the server die there, until it plays to its end. */
async function killAtEveryStep(scene: Scene, stride: number): Promise<string> {
  const cleanups: (() => unknown)[] = [];
  let steps: string[] = [];
  let armedAt = 0;
  const counted = (step: string): boolean => {
    if (armedAt === 0) return false;
    steps.push(step);
    return steps.length === armedAt;
  };
  const watch = createServiceWatch((): World => world);
  const world: World = await createWorld(
    { after: (cleanup) => void cleanups.push(cleanup as () => unknown) },
    {
      ...scene.options,
      settings: { throttleBaseMs: 200, stoppedRetentionMs: 20_000, ...scene.options?.settings },
      diesAt: counted,
      watch: (runtime) => watch.runtime(runtime),
    },
  );
  for (let at = 1; at < MOST; at += stride) {
    const where = (): string => `killed at step ${at}, ${steps.at(-1)}`;
    const check = async (): Promise<void> => assert.deepEqual(await watch.check(world), [], where());
    const play: Play = {
      world,
      service: `web-${at}`,
      tag: `t-${at}`,
      async send(request, again) {
        try {
          await world.ask((orchestrator) => request(orchestrator.operations));
        } catch (error) {
          if (!(error instanceof ServerGone)) throw error;
          await world.settle();
          try {
            await world.ask((orchestrator) => request(orchestrator.operations));
          } catch (refusal) {
            if (again !== 'or refused') throw refusal;
          }
        }
        await world.settle();
        await check();
      },
      async pass(milliseconds) {
        await world.advance(milliseconds);
        await check();
      },
    };
    await scene.prepare(play);
    await check();
    steps = [];
    armedAt = at;
    await scene.act(play);
    const count = steps.length;
    armedAt = 0;
    await scene.verify(play);
    await check();
    await world.orchestrator.operations.DeleteService(caller, { service: play.service, force: true }).catch(() => undefined);
    await world.advance(22_000);
    await check();
    assert.deepEqual(world.errors, [], where());
    if (count >= at) continue;
    for (const cleanup of cleanups) await cleanup();
    assert.ok(count > 8, `only ${count} steps`);
    return `${count} steps, killed at ${stride === 1 ? 'each' : `one of ${stride}`}: ${tally(steps)}`;
  }
  throw new Error(`more than ${MOST} steps`);
}

function tally(steps: string[]): string {
  return [...Map.groupBy(steps, (name) => name)].map(([name, all]) => `${name} ${all.length}`).join(', ');
}

async function register({ world }: Play, family: string, tag: string, container: Record<string, unknown> = {}): Promise<void> {
  await world.orchestrator.operations.RegisterTaskDefinition(caller, {
    family,
    containerDefinitions: [{ name: 'web', image: `${IMAGE}:${tag}`, memory: 64, essential: true, ...container }],
  });
}

/** A service that serves version 1 of its tag, which has moved to version 2 since. */
function served(desiredCount: number, more: Record<string, unknown> = {}) {
  return async (play: Play): Promise<void> => {
    const { world, service, tag } = play;
    await world.push(`${tag} version 1`, tag);
    await register(play, service, tag);
    await world.orchestrator.operations.CreateService(caller, {
      serviceName: service,
      taskDefinition: service,
      desiredCount,
      ...more,
    });
    await world.advance(2_000);
    await world.push(`${tag} version 2`, tag);
  };
}

async function look({ world, service }: Play) {
  const { services = [] } = await world.orchestrator.operations.DescribeServices(caller, { services: [service] });
  const { taskArns = [] } = await world.orchestrator.operations.ListTasks(caller, { serviceName: service });
  const { tasks = [] } =
    taskArns.length === 0 ? {} : await world.orchestrator.operations.DescribeTasks(caller, { tasks: taskArns });
  return {
    service: services[0],
    tasks: tasks.map(({ taskArn = '' }) => taskArn).sort(),
    digests: [...new Set(tasks.map(({ containers }) => containers?.[0]?.imageDigest))],
  };
}

/** Settled on so many tasks of one version. */
function stable(count: number, version: number) {
  return async (play: Play): Promise<void> => {
    const { service, digests } = await look(play);
    assert.deepEqual(
      [service?.deployments?.length, service?.deployments?.[0]?.rolloutState, service?.runningCount, service?.pendingCount],
      [1, 'COMPLETED', count, 0],
    );
    if (count > 0) {
      const { digest } = await play.world.registry.images.resolve(play.world.repository, { tag: play.tag as never });
      assert.equal(digests.length, 1);
      assert.equal(digests[0] === digest, version === 2);
    }
  };
}

/** Those that are there keep running through everything. */
function untouched(scene: Scene): Scene {
  let before: string[] = [];
  return {
    ...scene,
    async prepare(play) {
      await scene.prepare(play);
      before = (await look(play)).tasks;
    },
    async verify(play) {
      await scene.verify(play);
      const { tasks } = await look(play);
      assert.deepEqual(
        before.filter((task) => !tasks.includes(task)),
        [],
        'the tasks of before',
      );
    },
  };
}

const force = ({ service, send }: Play) => send((now) => now.UpdateService(caller, { service, forceNewDeployment: true }));

function first(resolve: 'first-task' | 'registry'): Scene {
  return {
    options: { settings: { resolve } },
    async prepare(play) {
      await play.world.push(`${play.tag} version 2`, play.tag);
      await register(play, play.service, play.tag);
    },
    async act({ service, send, pass }) {
      await send((now) =>
        now.CreateService(caller, { serviceName: service, taskDefinition: service, desiredCount: 3, clientToken: service }),
      );
      await pass(2_000);
    },
    verify: stable(3, 2),
  };
}

/** By what the server is doing when it is killed. */
export const scenes = {
  'its first deployment': () => first('first-task'),
  'its first deployment, its tags resolved by the registry': () => first('registry'),
  'a deployment': () => ({
    prepare: served(2),
    async act(play) {
      await force(play);
      await play.pass(3_000);
    },
    verify: stable(2, 2),
  }),
  'a deployment that the circuit breaker rolls back': () =>
    untouched({
      async prepare(play) {
        await served(2, {
          deploymentConfiguration: { maximumPercent: 150, deploymentCircuitBreaker: { enable: true, rollback: true } },
        })(play);
        await register(play, play.service, 'bad');
        play.world.behaviours.set(`${IMAGE}:bad`, { pullFailure: 'no' });
      },
      async act(play) {
        await play.send((now) => now.UpdateService(caller, { service: play.service, taskDefinition: play.service }));
        await play.pass(4_000);
      },
      verify: stable(2, 1),
    }),
  'a roll-back by hand': () => ({
    async prepare(play) {
      await served(2)(play);
      await play.world.orchestrator.operations.UpdateService(caller, { service: play.service, forceNewDeployment: true });
      await play.world.advance(3_000);
    },
    async act({ world, service, send, pass }) {
      const { serviceDeployments = [] } = await world.orchestrator.operations.ListServiceDeployments(caller, { service });
      const revision = serviceDeployments.at(-1)?.targetServiceRevisionArn ?? '';
      await send(() => world.orchestrator.rollBack(caller, { service, revision }), 'or refused');
      await pass(3_000);
    },
    verify: stable(2, 1),
  }),
  'a deployment that is stopped': () => ({
    prepare: served(2),
    async act(play) {
      const { world, service, send, pass } = play;
      await force(play);
      const { serviceDeployments = [] } = await world.orchestrator.operations.ListServiceDeployments(caller, { service });
      const [{ serviceDeploymentArn = '' } = {}] = serviceDeployments;
      await send((now) => now.StopServiceDeployment(caller, { serviceDeploymentArn }), 'or refused');
      await pass(2_000);
    },
    verify: stable(2, 1),
  }),
  'scaling up and down, in the middle of a deployment': () => ({
    prepare: served(3),
    async act(play) {
      const { service, send, pass } = play;
      await send((now) => now.UpdateService(caller, { service, desiredCount: 1 }));
      await force(play);
      await send((now) => now.UpdateService(caller, { service, desiredCount: 2 }));
      await pass(3_000);
    },
    verify: stable(2, 2),
  }),
  'its end': () => ({
    prepare: served(3),
    async act({ service, send, pass }) {
      await send((now) => now.DeleteService(caller, { service, force: true }), 'or refused');
      await pass(1_000);
    },
    async verify(play) {
      const { service, tasks } = await look(play);
      assert.deepEqual([service?.status, tasks], ['INACTIVE', []]);
    },
  }),
  'task sets that somebody else deploys': () => {
    const sets = async ({ world, service }: Play) =>
      (await world.orchestrator.operations.DescribeTaskSets(caller, { cluster: 'default', service })).taskSets ?? [];
    return {
      async prepare(play) {
        await play.world.push(`${play.tag} version 2`, play.tag);
        await register(play, play.service, play.tag);
        await play.world.orchestrator.operations.CreateService(caller, {
          serviceName: play.service,
          desiredCount: 2,
          deploymentController: { type: 'EXTERNAL' },
        });
      },
      async act(play) {
        const { service, send, pass } = play;
        const scale = (value: number) => ({ value, unit: 'PERCENT' as const });
        await send((now) =>
          now.CreateTaskSet(caller, {
            cluster: 'default',
            service,
            taskDefinition: service,
            scale: scale(50),
            clientToken: service,
          }),
        );
        await pass(500);
        const taskSet = (await sets(play))[0]?.taskSetArn ?? '';
        await send((now) => now.UpdateTaskSet(caller, { cluster: 'default', service, taskSet, scale: scale(100) }));
        await send((now) => now.UpdateServicePrimaryTaskSet(caller, { cluster: 'default', service, primaryTaskSet: taskSet }));
        await pass(1_000);
        await send((now) => now.DeleteTaskSet(caller, { cluster: 'default', service, taskSet, force: true }), 'or refused');
        await pass(1_000);
      },
      async verify(play) {
        assert.deepEqual(await sets(play), []);
        assert.deepEqual((await look(play)).tasks, []);
      },
    };
  },
  'ten tasks that are run and stopped': () => ({
    async prepare(play) {
      await play.world.push(`${play.tag} version 2`, play.tag);
      await register(play, play.service, play.tag);
    },
    async act({ world, service, send, pass }) {
      await send((now) => now.RunTask(caller, { taskDefinition: service, count: 10, clientToken: service }));
      await pass(1_000);
      const { taskArns = [] } = await world.orchestrator.operations.ListTasks(caller, { family: service });
      assert.equal(taskArns.length, 10);
      for (const task of taskArns.slice(0, 3)) await send((now) => now.StopTask(caller, { task }), 'or refused');
      await pass(500);
    },
    async verify({ world, service }) {
      const { taskArns = [] } = await world.orchestrator.operations.ListTasks(caller, { family: service });
      assert.equal(taskArns.length, 7);
      for (const task of taskArns) await world.orchestrator.operations.StopTask(caller, { task });
      await world.advance(500);
    },
  }),
} satisfies Record<string, () => Scene>;

export type SceneName = keyof typeof scenes;

// In a thread of its own: the test runner's bookkeeping of every promise is a third of the work.
const { scene, stride } = workerData as { scene: SceneName; stride: number };
parentPort?.postMessage(await killAtEveryStep(scenes[scene](), stride));
