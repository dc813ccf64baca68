import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as passed } from 'node:timers/promises';
import { ECR } from '@aws-sdk/client-ecr';
import { ECS } from '@aws-sdk/client-ecs';
import { createCleanup } from '../support/cleanup.ts';
import { buildImage, buildIndex, layoutFiles, temporaryFolder, writeTree, type LayoutImage } from '../support/image-source.ts';
import { startHoldfast, type Finished, type HoldfastProcess } from '../support/server.ts';

interface Preview {
  repository: string;
  summary: Record<string, number>;
  images: { digest: string; tags: string[]; verdict: string; wouldBe?: string; rule?: number; reason: object }[];
}

interface InUse {
  images: { repository: string; digest?: string; tags: string[]; usedBy: string[]; risks: { kind: string }[] }[];
  atRisk: number;
  tagged: { tag: string; digest: string }[];
}

const FOREIGN = `docker.io/library/redis@sha256:${'a'.repeat(64)}`;
const rule = (rulePriority: number, selection: object) => ({ rulePriority, selection, action: { type: 'expire' } });
const newest = (countNumber: number, tagPatternList?: string[]) => ({
  tagStatus: tagPatternList === undefined ? 'any' : 'tagged',
  ...(tagPatternList === undefined ? {} : { tagPatternList }),
  countType: 'imageCountMoreThan',
  countNumber,
});
/** Keeps what is tagged for production, and the newest of the rest. */
const POLICY = JSON.stringify({ rules: [rule(1, newest(100, ['Prod-*'])), rule(2, newest(1))] });

/** One server is "AWS", with its repositories and services; the commands are given beside another, which knows of nothing. */
describe('an AWS account, played by another server', () => {
  const cleanup = createCleanup();
  const [old, current, later, multi, arm] = ['old', 'current', 'later', 'multi', 'arm'].map((name) => buildImage(name)) as [
    LayoutImage,
    LayoutImage,
    LayoutImage,
    LayoutImage,
    LayoutImage,
  ];
  const index = buildIndex(multi, arm);
  let aws: HoldfastProcess;
  let here: HoldfastProcess;
  let env: Record<string, string>;
  let folder: string;
  let ecs: ECS;
  let ecr: ECR;

  before(async () => {
    aws = await startHoldfast(cleanup, { HOLDFAST_RUNTIME: 'simulated', HOLDFAST_SETTLE: '20ms' });
    here = await startHoldfast(cleanup);
    env = Object.fromEntries(Object.entries(aws.env).filter(([name]) => name.startsWith('AWS_')));
    folder = await temporaryFolder(cleanup);
    await writeTree(folder, { 'policy.json': POLICY });
    const access = { endpoint: aws.url, region: 'us-east-1', credentials: aws.credentials, maxAttempts: 1 };
    ecs = new ECS(access);
    ecr = new ECR(access);
    cleanup.after(async () => {
      ecs.destroy();
      ecr.destroy();
    });
    for (const [image, name] of [
      [old, 'team/app:stable'],
      [index, 'team/app:multi'],
      [buildImage('stored'), 'team/app:stored'],
    ] as const)
      await push(image, name);
    await ecr.updateImageStorageClass({
      repositoryName: 'team/app',
      imageId: { imageTag: 'stored' },
      targetStorageClass: 'ARCHIVE',
    });
    await ecs.createCluster({ clusterName: 'prod' });
    await serve('web', `${aws.registryHost}/team/app:stable`, 2);
    await serve('cache', FOREIGN, 1);
    await push(current, 'team/app:stable');
    await ecs.updateService({ cluster: 'prod', service: 'web', forceNewDeployment: true });
    await settled('web');
    await push(later, 'team/app:stable');
    await push(buildImage('spare'), 'team/app:spare');
  });
  after(() => cleanup.run());

  async function push(image: LayoutImage, name: string): Promise<void> {
    const layout = await writeTree(join(folder, image.digest.slice('sha256:'.length)), layoutFiles(image));
    const pushed = await aws.run(['push', layout, name, '--create']);
    assert.equal(pushed.code, 0, pushed.stderr);
  }

  async function serve(name: string, image: string, desiredCount: number): Promise<void> {
    await ecs.registerTaskDefinition({ family: name, containerDefinitions: [{ name: 'app', image, memory: 32 }] });
    await ecs.createService({ cluster: 'prod', serviceName: name, taskDefinition: name, desiredCount });
    await settled(name);
  }

  async function settled(service: string): Promise<void> {
    for (;;) {
      const { services = [] } = await ecs.describeServices({ cluster: 'prod', services: [service] });
      const deployments = services[0]?.deployments ?? [];
      if (deployments.length === 1 && deployments[0]?.rolloutState === 'COMPLETED') return;
      await passed(20);
    }
  }

  async function put(path: string, body: object): Promise<void> {
    const { accessKeyId, secretAccessKey } = aws.credentials;
    const authorization = `Basic ${Buffer.from(`${accessKeyId}:${secretAccessKey}`).toString('base64')}`;
    const answer = await fetch(`${aws.url}/holdfast/v1${path}`, {
      method: 'PUT',
      headers: { authorization },
      body: JSON.stringify(body),
    });
    assert.equal(answer.status, 200);
  }

  const on = (...args: string[]): Promise<Finished> => aws.run(args, { cwd: folder });
  /** With nothing but the variables that the aws command would have. */
  const elsewhere = (...args: string[]): Promise<Finished> => here.run([...args, '--aws'], { cwd: folder, env });

  function read<T>({ stdout, stderr }: Finished): T {
    assert.equal(stderr, '');
    return JSON.parse(stdout) as T;
  }

  test('lifecycle preview says what the server itself says, but for holds and bytes', async () => {
    const args = ['lifecycle', 'preview', 'team/app', '--policy', 'policy.json', '--json'];
    const [ours, theirs] = [read<Preview>(await on(...args)), read<Preview>(await elsewhere(...args))];
    const verdicts = ({ images }: Preview) =>
      images.map(({ digest, tags, verdict, wouldBe, rule: by, reason }) => ({
        digest,
        tags,
        verdict: wouldBe ?? verdict,
        by,
        reason,
      }));
    assert.deepEqual(verdicts(theirs), verdicts(ours));
    assert.equal(theirs.images.length, 8);
    // The entries of the index go with it at first, the archived one not at all; what runs is held, and AWS knows of no holds.
    const { expiring = 0, held = 0 } = ours.summary;
    assert.deepEqual([expiring, held, theirs.summary['expiring']], [2, 2, 4]);

    const own = await elsewhere('lifecycle', 'preview', 'team/app');
    assert.equal(own.code, 1);
    assert.match(own.stderr, /GetLifecyclePolicy at .*[Ll]ifecycle policy does not exist/);
    // Only kept: what runs it is not looked at here.
    await put('/lifecycle-policies', { repository: 'team/app', policy: POLICY, run: false });
    await put('/lifecycle-switches', { repository: 'team/app', off: true });
    const named = read<Preview>(await elsewhere('lifecycle', 'preview', `${aws.registryHost}/team/app`, '--json'));
    assert.deepEqual([named.repository, verdicts(named)], ['team/app', verdicts(ours)]);
  });

  test('in-use finds what the server itself finds, and says by its exit code that services are at risk', async () => {
    const [ours, theirs] = [await on('in-use', '--json'), await elsewhere('in-use', '--json')];
    assert.deepEqual([ours.code, theirs.code], [1, 1]);
    const found = read<InUse>(theirs);
    // The old image is a hold's only, for a roll-back; images of other registries are theirs.
    assert.deepEqual(
      found.images.map(({ repository, digest, usedBy, risks }) => [repository, digest, usedBy, risks.map(({ kind }) => kind)]),
      [['team/app', current.digest, ['service prod/web'], ['going', 'tag-moved', 'tag-mutable']]],
    );
    const same = read<InUse>(ours).images.filter(({ usedBy }) => usedBy.includes('service prod/web'));
    assert.deepEqual(
      same.map(({ digest, tags, risks }) => [digest, tags, risks.map(({ kind }) => kind)]),
      [[current.digest, [], ['tag-moved', 'tag-mutable']]],
    );
    const refused = await elsewhere('in-use', '--hold');
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /Amazon ECR knows no holds/);
  });

  test('what runs is tagged there, once, and the policy leaves it alone then', async () => {
    const tag = `Prod-${current.digest.slice('sha256:'.length, 'sha256:'.length + 12)}`;
    const tagging = ['in-use', `${aws.registryHost}/team/app`, '--tag', 'Prod-{tag}', '--json'];
    const tagged = read<InUse>(await elsewhere(...tagging));
    assert.deepEqual(tagged.tagged, [{ repository: 'team/app', digest: current.digest, tag }]);
    assert.deepEqual(
      (await ecr.describeImages({ repositoryName: 'team/app', imageIds: [{ imageTag: tag }] })).imageDetails?.[0]?.imageDigest,
      current.digest,
    );
    const again = read<InUse>(await elsewhere(...tagging));
    assert.deepEqual(
      [again.tagged, again.images[0]?.tags, again.images[0]?.risks.map(({ kind }) => kind)],
      [[], [tag], ['tag-moved', 'tag-mutable']],
    );
    assert.deepEqual((await here.run(['in-use'])).code, 0, 'the server beside it knows of nothing');
  });

  test('with nothing at risk, the exit code is 0', async () => {
    await ecs.updateService({ cluster: 'prod', service: 'web', taskDefinition: await pinned(), forceNewDeployment: true });
    await settled('web');
    const calm = await elsewhere('in-use');
    assert.deepEqual([calm.code, calm.stderr], [0, '']);
    assert.match(calm.stdout, /^team\/app +[0-9a-f]{12} +spare +0 d +service prod\/web +-$/m);
  });

  async function pinned(): Promise<string> {
    const { imageDetails = [] } = await ecr.describeImages({ repositoryName: 'team/app', imageIds: [{ imageTag: 'spare' }] });
    const image = `${aws.registryHost}/team/app@${imageDetails[0]?.imageDigest}`;
    const { taskDefinition } = await ecs.registerTaskDefinition({
      family: 'web',
      containerDefinitions: [{ name: 'app', image, memory: 32 }],
    });
    return taskDefinition?.taskDefinitionArn ?? '';
  }
});
