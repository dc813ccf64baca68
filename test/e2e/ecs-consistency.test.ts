import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ECR } from '@aws-sdk/client-ecr';
import {
  ConflictException,
  ECS,
  type CreateServiceRequest,
  type DeploymentCircuitBreaker,
  type Service,
  type ServiceDeployment,
  type Task,
} from '@aws-sdk/client-ecs';
import { pushImage } from '../support/aws-server.ts';
import { createCleanup, type Cleanup } from '../support/cleanup.ts';
import { runProgram, startHoldfast, type HoldfastProcess } from '../support/server.ts';
import { requireTool } from '../support/tools.ts';

interface World {
  server: HoldfastProcess;
  ecs: ECS;
  ecr: ECR;
  /** Pushes an image told apart by the text; the tag moves to it. */
  push(text: string, tag: string): Promise<string>;
  /** A task definition of one container; `simulate` says how it behaves. Gives its ARN. */
  register(family: string, image: string, simulate?: string, container?: Record<string, unknown>): Promise<string>;
  create(name: string, definition: string, more?: Partial<CreateServiceRequest>): Promise<void>;
  look(name: string, cluster?: string): Promise<Service>;
  completed(name: string, cluster?: string): Promise<Service>;
  running(name: string, count: number, cluster?: string): Promise<Task[]>;
  deployment(name: string): Promise<ServiceDeployment>;
  imageOf(tag: string): string;
}

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function open(cleanup: Cleanup, env: Record<string, string> = {}): Promise<World> {
  const server = await startHoldfast(cleanup, { HOLDFAST_RUNTIME: 'simulated', HOLDFAST_SETTLE: '50ms', ...env });
  const options = { endpoint: server.url, region: 'us-east-1', credentials: server.credentials, maxAttempts: 1 };
  const [ecs, ecr] = [new ECS(options), new ECR(options)];
  cleanup.after(async () => {
    ecs.destroy();
    ecr.destroy();
  });
  await ecr.createRepository({ repositoryName: 'web' });
  await ecs.createCluster({});
  const look = async (name: string, cluster = 'default'): Promise<Service> => {
    const { services } = await ecs.describeServices({ cluster, services: [name] });
    assert.ok(services?.[0], name);
    return services[0];
  };
  return {
    server,
    ecs,
    ecr,
    push: async (text, tag) => (await pushImage(ecr, 'web', text, tag)).digest,
    async register(family, image, simulate = '', container = {}) {
      const { taskDefinition } = await ecs.registerTaskDefinition({
        family,
        containerDefinitions: [
          { name: 'app', image, memory: 16, environment: [{ name: 'HOLDFAST_SIMULATE', value: simulate }], ...container },
        ],
      });
      return taskDefinition?.taskDefinitionArn ?? '';
    },
    async create(name, definition, more = {}) {
      await ecs.createService({ serviceName: name, taskDefinition: definition, desiredCount: 2, ...more });
    },
    look,
    completed: (name, cluster) =>
      until(async () => {
        const service = await look(name, cluster);
        const [first, ...others] = service.deployments ?? [];
        return others.length === 0 && first?.rolloutState === 'COMPLETED' ? service : undefined;
      }),
    running: (name, count, cluster = 'default') =>
      until(async () => {
        const { taskArns = [] } = await ecs.listTasks({ cluster, serviceName: name });
        if (taskArns.length !== count) return undefined;
        const { tasks = [] } = await ecs.describeTasks({ cluster, tasks: taskArns });
        return tasks.every(({ lastStatus }) => lastStatus === 'RUNNING') ? tasks : undefined;
      }),
    async deployment(name) {
      const { serviceDeployments: [latest] = [] } = await ecs.listServiceDeployments({ service: name });
      const arn = latest?.serviceDeploymentArn ?? '';
      const { serviceDeployments = [] } = await ecs.describeServiceDeployments({ serviceDeploymentArns: [arn] });
      assert.ok(serviceDeployments[0]);
      return serviceDeployments[0];
    },
    imageOf: (tag) => `${server.registryHost}/web:${tag}`,
  };
}

const digestsOf = (tasks: Task[]) => [...new Set(tasks.map(({ containers }) => containers?.[0]?.imageDigest ?? 'none'))].sort();
const imagesOf = (tasks: Task[]) => tasks.map(({ containers }) => containers?.[0]?.image ?? 'none').sort();
/** How many tasks were started at first. */
const startedFirst = ({ events = [] }: Service) => Number(/has started (\d+) tasks/.exec(events.at(-1)?.message ?? '')?.[1]);
const breaker = (settings: Partial<DeploymentCircuitBreaker>) => ({
  deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: false, ...settings } },
});

describe('deployments, seen from outside', { timeout: 120_000 }, () => {
  const cleanup = createCleanup();
  let world: World;
  before(async () => {
    world = await open(cleanup, { HOLDFAST_LEASE: '1ms', HOLDFAST_COLLECT_EVERY: '0' });
  });
  after(() => cleanup.run());

  test('the threshold of the circuit breaker goes by its type, and by the desired count of the moment', async () => {
    const { ecs, push, register, create, deployment, imageOf } = world;
    await push('threshold', 'threshold');
    // Its first task never comes to its digest, so that no other is started.
    await create('threshold', await register('threshold', imageOf('threshold'), 'resolve=1h'), breaker({}));
    const threshold = async (desiredCount: number, settings: Partial<DeploymentCircuitBreaker> = {}) => {
      await ecs.updateService({ service: 'threshold', desiredCount, ...breaker(settings) });
      return (await deployment('threshold')).deploymentCircuitBreaker?.threshold;
    };
    for (const [desired, expected] of [
      [1, 3],
      [7, 4],
      [25, 13],
      [400, 200],
      [800, 200],
    ] as const)
      assert.equal(await threshold(desired), expected, `half of ${desired}, bounded`);
    const of = (type: 'COUNT' | 'BOUNDED_PERCENT' | 'UNBOUNDED_PERCENT', value: number) => ({
      thresholdConfiguration: { type, value },
    });
    assert.equal(await threshold(800, of('UNBOUNDED_PERCENT', 50)), 400);
    assert.equal(await threshold(3, of('UNBOUNDED_PERCENT', 10)), 1);
    assert.equal(await threshold(100, of('BOUNDED_PERCENT', 90)), 90);
    assert.equal(await threshold(100, of('COUNT', 7)), 7);
    const { targetServiceRevision } = await deployment('threshold');
    assert.deepEqual([targetServiceRevision?.requestedTaskCount, targetServiceRevision?.pendingTaskCount], [100, 1]);
    await ecs.deleteService({ service: 'threshold', force: true });
  });

  test('a deployment fails at its threshold, neither before nor after', async () => {
    // On a busy machine a task that ends at once may be seen to run for longer than it takes to settle, and is no failure then.
    const { server, ecs, push, register, create, look, deployment } = await open(cleanup, { HOLDFAST_SETTLE: '1m' });
    const digest = await push('failing', 'failing');
    // By digest, because then all tasks are started at once.
    const failing = await register('failing', `${server.registryHost}/web@${digest}`, 'exit=1ms code=1');
    const cases: [desiredCount: number, settings: Partial<DeploymentCircuitBreaker>, threshold: number, started: number][] = [
      [1, {}, 3, 3],
      [1, { thresholdConfiguration: { type: 'COUNT', value: 2 } }, 2, 2],
      [4, { thresholdConfiguration: { type: 'UNBOUNDED_PERCENT', value: 25 } }, 1, 4],
      [25, {}, 13, 25],
    ];
    await Promise.all(
      cases.map(async ([desiredCount, settings, threshold, started], index) => {
        const name = `failing-${index}`;
        await create(name, failing, { desiredCount, ...breaker(settings) });
        const failed = await until(async () => {
          const seen = await deployment(name);
          return seen.status === 'STOPPED' ? seen : undefined;
        });
        assert.deepEqual(
          [failed.deploymentCircuitBreaker?.status, failed.deploymentCircuitBreaker?.threshold],
          ['TRIGGERED', threshold],
        );
        assert.ok((failed.deploymentCircuitBreaker?.failureCount ?? 0) >= threshold);
        const service = await look(name);
        assert.equal(service.deployments?.[0]?.rolloutState, 'FAILED');
        assert.equal(service.deployments?.[0]?.rolloutStateReason, 'ECS deployment circuit breaker: tasks failed to start.');
        const { taskArns } = await ecs.listTasks({ serviceName: name, desiredStatus: 'STOPPED' });
        assert.equal(taskArns?.length, started, name);
      }),
    );
  });

  test('a task that becomes healthy sets the count back, unless resetOnHealthyTask is off', async () => {
    const { ecs, ecr, push, register, create, completed, deployment } = world;
    const plain = await register('reset', `${world.server.registryHost}/web@${await push('reset', 'reset')}`);
    const imageManifest = (await ecr.batchGetImage({ repositoryName: 'web', imageIds: [{ imageTag: 'reset' }] })).images?.[0]
      ?.imageManifest;
    const play = async (resetOnHealthyTask: boolean): Promise<ServiceDeployment> => {
      const [name, tag] = [`reset-${resetOnHealthyTask}`, `reset-${resetOnHealthyTask}`];
      // One task is replaced at a time.
      const slowly = { minimumHealthyPercent: 50, maximumPercent: 100 };
      const { deploymentConfiguration } = breaker({
        resetOnHealthyTask,
        thresholdConfiguration: { type: 'COUNT', value: 2 },
      });
      await create(name, plain, { deploymentConfiguration: { ...deploymentConfiguration, ...slowly } });
      await completed(name);
      const tagged = await register(tag, world.imageOf(tag), 'resolve=600ms health-after=600ms', {
        versionConsistency: 'disabled',
        healthCheck: { command: ['CMD', 'true'] },
      });
      await ecs.updateService({ service: name, taskDefinition: tagged });
      const failures = async () => (await deployment(name)).deploymentCircuitBreaker?.failureCount ?? 0;
      await until(async () => ((await failures()) === 1 ? true : undefined));
      await ecr.putImage({ repositoryName: 'web', imageManifest, imageTag: tag });
      await until(async () => ((await deployment(name)).targetServiceRevision?.runningTaskCount === 1 ? true : undefined));
      await ecr.batchDeleteImage({ repositoryName: 'web', imageIds: [{ imageTag: tag }] });
      return until(async () => {
        const seen = await deployment(name);
        return seen.status === 'STOPPED' ? seen : undefined;
      });
    };
    const failedTasks = async (name: string): Promise<number> => {
      const { taskArns = [] } = await ecs.listTasks({ serviceName: name, desiredStatus: 'STOPPED' });
      const { tasks = [] } = await ecs.describeTasks({ tasks: taskArns });
      return tasks.filter(({ stopCode }) => stopCode === 'TaskFailedToStart').length;
    };
    const [set, kept] = await Promise.all([play(true), play(false)]);
    for (const { deploymentCircuitBreaker } of [set, kept])
      assert.deepEqual(deploymentCircuitBreaker, { status: 'TRIGGERED', failureCount: 2, threshold: 2 });
    assert.deepEqual([await failedTasks('reset-true'), await failedTasks('reset-false')], [3, 2]);
  });

  test('a cluster whose version consistency is off leaves tags as they are, until it is on again', async () => {
    const { ecs, push, register, create, look, running, completed, imageOf } = world;
    const cluster = 'loose';
    await ecs.createCluster({ clusterName: cluster, settings: [{ name: 'versionConsistency' as never, value: 'disabled' }] });
    const first = await push('loose 1', 'loose');
    const definition = await register('loose', imageOf('loose'));
    await create('loose', definition, { cluster });
    await completed('loose', cluster);
    assert.equal(startedFirst(await look('loose', cluster)), 2);
    const second = await push('loose 2', 'loose');
    await ecs.updateService({ cluster, service: 'loose', desiredCount: 4 });
    const mixed = await running('loose', 4, cluster);
    assert.deepEqual(digestsOf(mixed), [first, second].sort());
    assert.deepEqual(
      imagesOf(mixed),
      Array.from({ length: 4 }, () => imageOf('loose')),
    );
    const { serviceDeployments } = await ecs.listServiceDeployments({ cluster, service: 'loose' });
    const { serviceRevisions } = await ecs.describeServiceRevisions({
      serviceRevisionArns: [serviceDeployments?.[0]?.targetServiceRevisionArn ?? ''],
    });
    assert.deepEqual(serviceRevisions?.[0]?.containerImages, [{ containerName: 'app', image: imageOf('loose') }]);

    await ecs.updateClusterSettings({ cluster, settings: [{ name: 'versionConsistency' as never, value: 'enabled' }] });
    await ecs.updateService({ cluster, service: 'loose', forceNewDeployment: true });
    await completed('loose', cluster);
    assert.deepEqual(digestsOf(await running('loose', 4, cluster)), [second]);
    const pinned = imagesOf(await running('loose', 4, cluster)).filter((image) => image.includes('@sha256:'));
    assert.equal(pinned.length, 3, 'all but the task that found the digest');
  });

  test('services that somebody else deploys are not resolved: CODE_DEPLOY and EXTERNAL', async () => {
    const { ecs, push, register, create, look, running, imageOf } = world;
    const first = await push('others 1', 'others');
    const definition = await register('others', imageOf('others'));
    await create('by-code-deploy', definition, { deploymentController: { type: 'CODE_DEPLOY' } });
    await ecs.createService({ serviceName: 'by-other', desiredCount: 2, deploymentController: { type: 'EXTERNAL' } });
    const where = { cluster: 'default', service: 'by-other' };
    const { taskSet } = await ecs.createTaskSet({ ...where, taskDefinition: definition, scale: { unit: 'PERCENT', value: 100 } });
    assert.ok(taskSet?.id);
    for (const name of ['by-code-deploy', 'by-other']) {
      await running(name, 2);
      assert.equal(startedFirst(await look(name)), 2, name);
    }
    const second = await push('others 2', 'others');
    for (const name of ['by-code-deploy', 'by-other']) {
      await ecs.updateService({ service: name, desiredCount: 3 });
      const tasks = await running(name, 3);
      assert.deepEqual(digestsOf(tasks), [first, second].sort(), name);
      assert.deepEqual(
        imagesOf(tasks),
        Array.from({ length: 3 }, () => imageOf('others')),
        name,
      );
    }
    await assert.rejects(
      ecs.updateService({ service: 'by-code-deploy', forceNewDeployment: true }),
      /Cannot force a new deployment on services with a CODE_DEPLOY deployment controller/,
    );
  });

  test('five successful revisions are held; the image of the sixth can be deleted and its bytes come free', async () => {
    const { ecs, ecr, server, push, register, create, look, completed, imageOf } = world;
    const digests = [await push('revision 1', 'five')];
    await create('five', await register('five', imageOf('five')), { desiredCount: 1 });
    await completed('five');
    for (let number = 2; number <= 6; number++) {
      const { id } = (await look('five')).deployments?.[0] ?? {};
      digests.push(await push(`revision ${number}`, 'five'));
      if (number === 6) {
        const { failures } = await ecr.batchDeleteImage({ repositoryName: 'web', imageIds: [{ imageDigest: digests[0] }] });
        assert.equal(failures?.[0]?.failureCode as string, 'ImageInUse', 'it is still the fifth');
      }
      await ecs.updateService({ service: 'five', forceNewDeployment: true });
      await until(async () => ((await completed('five')).deployments?.[0]?.id === id ? undefined : true));
    }
    const blobs = async (digest: string): Promise<string[]> => {
      const { images } = await ecr.batchGetImage({ repositoryName: 'web', imageIds: [{ imageDigest: digest }] });
      const { config, layers } = JSON.parse(images?.[0]?.imageManifest ?? '') as {
        config: { digest: string };
        layers: { digest: string }[];
      };
      return [config.digest, ...layers.map((layer) => layer.digest)];
    };
    const [sixth = '', fifth = ''] = digests;
    const layersOf = { sixth: await blobs(sixth), fifth: await blobs(fifth) };
    const { failures, imageIds } = await ecr.batchDeleteImage({
      repositoryName: 'web',
      imageIds: digests.map((imageDigest) => ({ imageDigest })),
    });
    assert.deepEqual(imageIds, [{ imageDigest: sixth }]);
    assert.deepEqual(
      failures?.map(({ failureCode, imageId }) => [failureCode, imageId?.imageDigest]),
      digests.slice(1).map((digest) => ['ImageInUse', digest]),
    );
    for (const args of [['--purge'], [], []]) assert.equal((await server.run(['gc', ...args])).code, 0);
    const availability = async (layerDigests: string[]) => {
      const { layers, failures: missing } = await ecr.batchCheckLayerAvailability({ repositoryName: 'web', layerDigests });
      return [layers?.filter(({ layerAvailability }) => layerAvailability === 'AVAILABLE').length ?? 0, missing?.length ?? 0];
    };
    assert.deepEqual(await availability(layersOf.fifth), [2, 0]);
    assert.equal((await availability(layersOf.sixth))[0], 0);

    // And the fifth can be gone back to.
    const ids = (await server.run(['deployments', 'five', '--json'])).stdout;
    const { deployments } = JSON.parse(ids) as { deployments: { revision: string; images: { digest?: string }[] }[] };
    const back = async (digest: string) =>
      server.run(['rollback', 'five', deployments.find(({ images }) => images[0]?.digest === digest)?.revision ?? 'none']);
    assert.notEqual((await back(sixth)).code, 0);
    assert.equal((await back(fifth)).code, 0);
    await completed('five');
    assert.deepEqual(digestsOf(await world.running('five', 1)), [fifth]);
  });

  test("a service's tag holdfast:resolve has its tags resolved before any task starts", async () => {
    const { push, register, create, look, running, imageOf } = world;
    const digest = await push('early', 'early');
    const definition = await register('early', imageOf('early'));
    await create('early', definition, { desiredCount: 3, tags: [{ key: 'holdfast:resolve', value: 'registry' }] });
    const tasks = await running('early', 3);
    assert.equal(startedFirst(await look('early')), 3);
    assert.deepEqual(
      imagesOf(tasks),
      Array.from({ length: 3 }, () => `${world.server.registryHost}/web@${digest}`),
    );
    await create('by-first-task', definition, { desiredCount: 3 });
    await running('by-first-task', 3);
    assert.equal(startedFirst(await look('by-first-task')), 1);
  });

  test('a client token gives the same tasks, and another request with it is a conflict that names them', async () => {
    const { ecs, push, register, imageOf } = world;
    await push('token', 'token');
    const taskDefinition = await register('token', imageOf('token'));
    const arns = ({ tasks = [] }: { tasks?: Task[] }): string[] => tasks.map(({ taskArn = '' }) => taskArn).sort();
    const run = { taskDefinition, count: 3, clientToken: 'once' };
    const [one, other] = await Promise.all([ecs.runTask(run), ecs.runTask(run)]);
    assert.equal(one.tasks?.length, 3);
    assert.deepEqual(arns(other), arns(one));
    await assert.rejects(ecs.runTask({ ...run, startedBy: 'another' }), (error) => {
      assert.ok(error instanceof ConflictException);
      assert.deepEqual(error.resourceIds?.toSorted(), arns(one));
      return true;
    });
    await ecs.createCluster({ clusterName: 'other' });
    const elsewhere = await ecs.runTask({ ...run, cluster: 'other' });
    assert.equal(elsewhere.tasks?.length, 3);
    assert.ok(arns(elsewhere).every((arn) => !arns(one).includes(arn)));
    await world.server.restart();
    assert.deepEqual(arns(await ecs.runTask(run)), arns(one), 'also after a restart');
  });

  test('the same by the aws command line', async (t) => {
    const aws = requireTool(t, 'aws');
    if (aws === undefined) return;
    await world.push('typed', 'typed');
    await world.register('typed', world.imageOf('typed'));
    const env = { ...world.server.env, AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true' };
    const script = `
      run() { "${aws}" ecs run-task --cluster typed --task-definition typed --client-token t1 --query 'tasks[].taskArn' --output text "$@"; }
      "${aws}" ecs create-cluster --cluster-name typed --settings name=versionConsistency,value=disabled \
        --query 'cluster.settings[?name==\`versionConsistency\`].value' --output text
      first=$(run); [ "$first" = "$(run)" ] && echo same
      run --count 2`;
    const { stdout, stderr, code } = await runProgram('/bin/sh', ['-c', script], { env });
    assert.equal(stdout, 'disabled\nsame\n', stderr);
    assert.match(stderr, /An error occurred \(ConflictException\) when calling the RunTask operation: The client token was used/);
    assert.notEqual(code, 0);
  });
});

test('server-wide: tags resolved at the registry, and images shown as the task definition has them', async (t) => {
  const world = await open(t, { HOLDFAST_RESOLVE: 'registry', HOLDFAST_TASK_IMAGE: 'declared' });
  const { push, register, create, look, running, imageOf } = world;
  const digest = await push('declared', 'stable');
  const definition = await register('declared', imageOf('stable'));
  await create('all', definition, { desiredCount: 3 });
  await create('one', definition, { desiredCount: 3, tags: [{ key: 'holdfast:resolve', value: 'first-task' }] });
  for (const [name, first] of [
    ['all', 3],
    ['one', 1],
  ] as const) {
    const tasks = await running(name, 3);
    assert.equal(startedFirst(await look(name)), first, name);
    assert.deepEqual(digestsOf(tasks), [digest]);
    assert.deepEqual(
      imagesOf(tasks),
      Array.from({ length: 3 }, () => imageOf('stable')),
    );
  }
});
