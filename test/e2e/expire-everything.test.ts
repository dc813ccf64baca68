import {
  CreateServiceCommand,
  DeleteServiceCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  ListServicesCommand,
  ListTasksCommand,
  StopTaskCommand,
  UpdateServiceCommand,
  type Task,
} from '@aws-sdk/client-ecs';
import { ECR } from '@aws-sdk/client-ecr';
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as passed } from 'node:timers/promises';
import { blobOf, digestOf, freshBlob, freshConfig, imageManifest, type Blob, type Manifest } from '../conformance/content.ts';
import { createHttp, type Http } from '../conformance/http.ts';
import { createCleanup } from '../support/cleanup.ts';
import { noRealTasks, openRealTasks, sh, smallSystem, type RealTasks } from '../support/real-tasks.ts';

/** Nothing stays but the newest image, and what is in use. */
const SHARPEST = JSON.stringify({
  rules: [
    {
      rulePriority: 1,
      selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 1 },
      action: { type: 'expire' },
    },
  ],
});

interface Document {
  config: { digest: string };
  layers: { digest: string; mediaType: string; size: number }[];
}

describe('the sharpest policy, on real tasks', { skip: noRealTasks, timeout: 300_000 }, () => {
  const cleanup = createCleanup();
  const idle = sh(`cat /version; trap 'exit 0' TERM; while :; do sleep 0.1; done`);
  let tasks: RealTasks;
  let http: Http;
  before(async () => {
    tasks = await openRealTasks(cleanup, { HOLDFAST_COLLECT_EVERY: '0', HOLDFAST_SETTLE: '50ms' });
    const { accessKeyId, secretAccessKey } = tasks.server.credentials;
    const authorization = `Basic ${Buffer.from(`${accessKeyId}:${secretAccessKey}`).toString('base64')}`;
    http = createHttp({ baseUrl: tasks.server.url, authorization });
    cleanup.after(async () => http.close());
  });
  after(async () => {
    // Containers outlive the server.
    const { serviceArns = [] } = await tasks.client.send(new ListServicesCommand({}));
    for (const service of serviceArns) await tasks.client.send(new DeleteServiceCommand({ service, force: true }));
    const { taskArns = [] } = await tasks.client.send(new ListTasksCommand({}));
    for (const task of taskArns) await tasks.client.send(new StopTaskCommand({ task }));
    for (const task of taskArns) await until(task, 'STOPPED');
    await tasks.server.stop();
    await cleanup.run();
  });

  async function holdfast(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await tasks.server.run(args);
    assert.equal(code, 0, `holdfast ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  async function api(method: string, path: string, body: object): Promise<Record<string, unknown>> {
    const answer = await http.send({
      method,
      url: `/holdfast/v1${path}`,
      headers: { 'Content-Type': 'application/json' },
      body: Buffer.from(JSON.stringify(body)),
    });
    assert.equal(answer.status, 200, answer.body.toString());
    return JSON.parse(answer.body.toString()) as Record<string, unknown>;
  }

  const expireAll = (repository: string) => api('POST', '/lifecycle-runs', { repository, confirm: true });

  /** Frees what was deleted, as if its grace period were over. */
  async function collect(): Promise<Record<string, number>> {
    return JSON.parse(await holdfast('gc', '--purge', '--json')) as Record<string, number>;
  }

  /** What the registry still gives of an image, each part hashed anew: undefined when the image is not there. */
  async function pull(repository: string, reference: string): Promise<{ digest: string; document: Document } | undefined> {
    const { status, body } = await http.send({ method: 'GET', url: `/v2/${repository}/manifests/${reference}` });
    if (status === 404) return undefined;
    assert.equal(status, 200, body.toString());
    const document = JSON.parse(body.toString()) as Document;
    for (const { digest } of [document.config, ...document.layers]) {
      const blob = await http.send({ method: 'GET', url: `/v2/${repository}/blobs/${digest}` });
      assert.equal(blob.status, 200, `${repository}@${digest}`);
      assert.equal(digestOf(blob.body), digest);
    }
    return { digest: digestOf(body), document };
  }

  async function upload(repository: string, { bytes, digest }: Blob): Promise<void> {
    const { headers } = await http.send({ method: 'POST', url: `/v2/${repository}/blobs/uploads/` });
    assert.equal((await http.send({ method: 'PUT', url: `${headers.location}?digest=${digest}`, body: bytes })).status, 201);
  }

  async function put(repository: string, tag: string, { bytes, mediaType }: Manifest): Promise<void> {
    const url = `/v2/${repository}/manifests/${tag}`;
    const { status } = await http.send({ method: 'PUT', url, headers: { 'Content-Type': mediaType }, body: bytes });
    assert.equal(status, 201);
  }

  async function pushVersion(name: string, version: string): Promise<string> {
    const make = async (folder: string): Promise<void> => {
      await smallSystem(folder);
      await writeFile(join(folder, 'version'), `${version}\n`);
    };
    await tasks.push(name, make, ['--cmd', '["sh"]']);
    const [repository = '', tag = ''] = name.split(':');
    return (await pull(repository, tag))?.digest ?? '';
  }

  async function until(task: string, ...states: string[]): Promise<Task> {
    for (;;) {
      const seen = await tasks.look(task);
      if (states.includes(seen.lastStatus ?? '')) return seen;
      await passed(20);
    }
  }

  /** The digests of the service's tasks, and what they have written. */
  async function running(serviceName: string): Promise<Set<string>> {
    const { taskArns = [] } = await tasks.client.send(new ListTasksCommand({ serviceName }));
    const { tasks: described = [] } = await tasks.client.send(new DescribeTasksCommand({ tasks: taskArns }));
    const seen = new Set<string>();
    for (const { taskArn = '', lastStatus, containers } of described) {
      assert.equal(lastStatus, 'RUNNING');
      seen.add(`${containers?.[0]?.imageDigest} ${(await tasks.logs(taskArn)).trim().replace('box | ', '')}`);
    }
    return seen;
  }

  it('what runs and what can be gone back to stays whole, and is pulled again when it is scaled out', async () => {
    const stable = async (): Promise<void> => {
      for (;;) {
        const { services = [] } = await tasks.client.send(new DescribeServicesCommand({ services: ['web'] }));
        const [{ deployments = [], runningCount, desiredCount } = {}] = services;
        if (deployments.length === 1 && deployments[0]?.rolloutState === 'COMPLETED' && runningCount === desiredCount) return;
        await passed(20);
      }
    };
    const update = async (more: object) => {
      await tasks.client.send(new UpdateServiceCommand({ service: 'web', ...more }));
      await stable();
    };
    const one = await pushVersion('team/web:stable', 'one');
    await tasks.register('web', [{ ...idle, image: `${tasks.server.registryHost}/team/web:stable` }]);
    await tasks.client.send(new CreateServiceCommand({ serviceName: 'web', taskDefinition: 'web', desiredCount: 1 }));
    await stable();
    const two = await pushVersion('team/web:stable', 'two');
    await update({ forceNewDeployment: true });
    const tool = await pushVersion('team/web:tool', 'tool');
    await tasks.register('tool', [{ ...idle, image: `${tasks.server.registryHost}/team/web:tool` }]);
    const task = await tasks.start('tool');
    await until(task, 'RUNNING');
    // The tag has left what runs, and nothing needs the others.
    const junkLayer = freshBlob(1_000);
    for (const [tag, layer] of [
      ['stable', junkLayer],
      ['newest', freshBlob(1_000)],
    ] as const) {
      const config = freshConfig();
      for (const blob of [config, layer]) await upload('team/web', blob);
      await put('team/web', tag, imageManifest(config, [layer]));
    }

    await api('PUT', '/lifecycle-policies', { repository: 'team/web', policy: SHARPEST, run: false });
    const { expired, held } = await expireAll('team/web');
    assert.deepEqual([expired, held], [1, 3]);
    const freed = await collect();
    assert.ok((freed['imagesPurged'] ?? 0) >= 1 && (freed['blobsDeleted'] ?? 0) >= 2, JSON.stringify(freed));
    assert.equal(await pull('team/web', 'stable'), undefined);
    assert.equal((await http.send({ method: 'GET', url: `/v2/team/web/blobs/${junkLayer.digest}` })).status, 404);
    for (const digest of [one, two, tool]) assert.equal((await pull('team/web', digest))?.digest, digest);

    // Without the engine's own copies, tasks can only come from the registry.
    await update({ desiredCount: 0 });
    await tasks.client.send(new StopTaskCommand({ task }));
    await until(task, 'STOPPED');
    await tasks.server.stop();
    for (const name of ['layers', 'images']) await rm(join(tasks.server.dataFolder, 'oci', name), { recursive: true });
    await tasks.server.restart();
    await update({ desiredCount: 2 });
    assert.deepEqual(await running('web'), new Set([`${two} two`]));
    await holdfast('rollback', 'web');
    await stable();
    assert.deepEqual(await running('web'), new Set([`${one} one`]));
  });

  it('a task that is being started while the run deletes its image has it whole, or never has it', async (test) => {
    const COUNT = 8;
    const { document } = (await pull('team/box', '1')) ?? {};
    assert.ok(document);
    const base = await http.send({ method: 'GET', url: `/v2/team/box/blobs/${document.config.digest}` });
    const config = JSON.parse(base.body.toString()) as { config: object };
    const ecr = new ECR({ endpoint: tasks.server.url, region: 'us-east-1', credentials: tasks.server.credentials });
    await ecr.createRepository({ repositoryName: 'team/race' });
    ecr.destroy();
    const push = async (tag: string): Promise<void> => {
      const own = blobOf(Buffer.from(JSON.stringify({ ...config, config: { ...config.config, Labels: { tag } } })));
      for (const { digest } of document.layers)
        await http.send({ method: 'POST', url: `/v2/team/race/blobs/uploads/?mount=${digest}&from=team/box` });
      await upload('team/race', own);
      await put('team/race', tag, imageManifest(own, [], { layers: document.layers }));
    };
    const names = Array.from({ length: COUNT }, (_, index) => `t${index}`);
    for (const tag of names) await push(tag);
    await push('newest');
    // They have all run before: the engine needs nothing of the registry for them but the digest.
    for (const tag of names)
      await tasks.register(tag, [{ ...sh('true'), image: `${tasks.server.registryHost}/team/race:${tag}` }]);
    await Promise.all(names.map(async (tag) => until(await tasks.start(tag), 'STOPPED')));
    for (const tag of names) await tasks.register(tag, [{ ...idle, image: `${tasks.server.registryHost}/team/race:${tag}` }]);

    await api('PUT', '/lifecycle-policies', { repository: 'team/race', policy: SHARPEST, run: false });
    const run = passed(3 * COUNT).then(() => expireAll('team/race'));
    const started = await Promise.all(
      names.map(async (tag, index) => {
        await passed(4 * index);
        return { tag, task: await tasks.start(tag) };
      }),
    );
    await run;
    const ends = await Promise.all(
      started.map(async ({ tag, task }) => ({ tag, seen: await until(task, 'RUNNING', 'STOPPED') })),
    );
    await collect();
    for (const { tag, seen } of ends) {
      const image = await pull('team/race', tag);
      if (seen.lastStatus === 'RUNNING') assert.equal(image?.digest, seen.containers?.[0]?.imageDigest, tag);
      else assert.match(seen.stoppedReason ?? '', /^CannotPullContainerError: .*not found/);
    }
    test.diagnostic(ends.map(({ seen }) => seen.lastStatus).join(' '));
  });
});
