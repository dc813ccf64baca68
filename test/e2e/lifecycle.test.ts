import { ECR } from '@aws-sdk/client-ecr';
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { createCleanup } from '../support/cleanup.ts';
import { fillDataFolder, OLD_REPOSITORY } from '../support/old-repository.ts';
import { runProgram, startHoldfast, type HoldfastProcess } from '../support/server.ts';
import { requireTool } from '../support/tools.ts';
import { until } from '../support/until.ts';

const REPOSITORY = OLD_REPOSITORY.name;
const ENVIRONMENTS = ['Prod', 'Stage', 'Test', 'Dev'];

/** One rule for each environment, the most important first; last of all a catch-all. */
const POLICY = JSON.stringify({
  rules: [
    ...ENVIRONMENTS.map((environment, index) => ({
      rulePriority: (index + 1) * 100,
      description: `${environment} - retain last five images`,
      selection: {
        tagStatus: 'tagged',
        tagPrefixList: [`${environment}-`],
        countType: 'imageCountMoreThan',
        countNumber: 5,
      },
      action: { type: 'expire' },
    })),
    {
      rulePriority: 900,
      description: 'catch all',
      selection: { tagStatus: 'any', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 90 },
      action: { type: 'expire' },
    },
  ],
});

// Younger than 90 days: builds 2126 to 2200, which is 75. Tagged by hand below: 15 older ones. Held by a service: one.
const YOUNG = 75;
const TAGGED: [build: number, environment: string][] = [
  ...[410, 900, 1300, 1700, 2000].map((build): [number, string] => [build, 'Prod']),
  ...[905, 1750, 2010].map((build): [number, string] => [build, 'Stage']),
  ...[1000, 1800, 2020, 2050].map((build): [number, string] => [build, 'Test']),
  ...[1100, 1900, 2060].map((build): [number, string] => [build, 'Dev']),
];
const HELD = 77;
const LEFT = YOUNG + TAGGED.length + 1;

describe('a repository of 2,200 images, cleaned up with the aws command', () => {
  const scope = createCleanup();
  let server: HoldfastProcess;
  let ecr: ECR;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-lifecycle-'));
    scope.after(() => rm(folder, { recursive: true }));
    server = await startHoldfast(scope);
    await server.stop();
    for (const name of ['holdfast.db', 'holdfast.db-wal', 'holdfast.db-shm', 'blobs'])
      await rm(join(server.dataFolder, name), { recursive: true, force: true });
    await fillDataFolder(server.dataFolder, Date.now());
    await server.restart({
      HOLDFAST_ACCESS_KEY_ID: server.credentials.accessKeyId,
      HOLDFAST_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    });
    ecr = new ECR({ endpoint: server.url, region: 'us-east-1', credentials: server.credentials });
    scope.after(async () => ecr.destroy());
    await writeFile(join(folder, 'policy.json'), POLICY);
  });
  after(() => scope.run());

  async function shell(context: TestContext, script: string): Promise<string | undefined> {
    const aws = requireTool(context, 'aws');
    if (aws === undefined) return undefined;
    const prelude = `set -e\naws() { command aws --endpoint-url ${server.url} "$@"; }\n`;
    const run = await runProgram('/bin/sh', ['-c', prelude + script], {
      cwd: folder,
      env: { ...server.env, PATH: `${dirname(aws)}:${process.env['PATH']}`, AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true' },
    });
    assert.equal(run.code, 0, run.stderr);
    return run.stdout;
  }

  async function holdfast(...args: string[]): Promise<string> {
    const run = await server.run(args, { cwd: folder });
    assert.equal(run.code, 0, `${args.join(' ')}: ${run.stderr}`);
    return run.stdout;
  }

  const describeImages = `aws ecr describe-images --repository-name ${REPOSITORY} --output json --query 'sort_by(imageDetails,&imageDigest)'`;

  test('step by step, from tagging to undo', async (context) => {
    // One as people type it, the others by the same calls of a program: each `aws` takes most of a second.
    const [typed = assert.fail(), ...others] = TAGGED;
    const tagged = await shell(
      context,
      `MANIFEST=$(aws ecr batch-get-image --repository-name ${REPOSITORY} --image-ids imageTag=${typed[0]} --output text --query 'images[].imageManifest')
       aws ecr put-image --repository-name ${REPOSITORY} --image-tag ${typed[1]}-${typed[0]} --image-manifest "$MANIFEST"`,
    );
    if (tagged === undefined) return;
    for (const [build, environment] of others) {
      const { images = [] } = await ecr.batchGetImage({ repositoryName: REPOSITORY, imageIds: [{ imageTag: `${build}` }] });
      const imageManifest = images[0]?.imageManifest;
      await ecr.putImage({ repositoryName: REPOSITORY, imageTag: `${environment}-${build}`, imageManifest });
    }
    await holdfast('hold', 'add', `${REPOSITORY}:${HELD}`, '--kind', 'service', '--holder', 'prod/forgotten');
    const before = await shell(context, describeImages);

    // The preview, first in AWS's words.
    const started = await shell(
      context,
      `aws ecr start-lifecycle-policy-preview --repository-name ${REPOSITORY} --lifecycle-policy-text file://policy.json --output json
       aws ecr wait lifecycle-policy-preview-complete --repository-name ${REPOSITORY}
       aws ecr get-lifecycle-policy-preview --repository-name ${REPOSITORY} --output json > preview.json
       aws ecr get-lifecycle-policy-preview --repository-name ${REPOSITORY} --image-ids imageTag=1 --output json > one.json`,
    );
    assert.equal((JSON.parse(started ?? '') as { status: string }).status, 'IN_PROGRESS');
    const preview = JSON.parse(await readFile(join(folder, 'preview.json'), 'utf8'));
    assert.equal(preview.status, 'COMPLETE');
    assert.equal(preview.summary.expiringImageTotalCount, 2200 - LEFT);
    assert.equal(preview.previewResults.length, 2200 - LEFT);
    const one = JSON.parse(await readFile(join(folder, 'one.json'), 'utf8')).previewResults;
    assert.deepEqual(one[0].imageTags, ['1']);
    assert.deepEqual(one[0].action, { type: 'EXPIRE' });
    assert.equal(one[0].appliedRulePriority, 900);

    // Then in ours.
    const text = await holdfast('lifecycle', 'preview', REPOSITORY, '--policy', 'policy.json', '--html', 'preview.html');
    assert.match(text, /2200 images\. 2109 expire, with 2109 tags; 1 is held; 90 stay\./);
    assert.match(text, /held +900 .* 77 .*needed by service/);
    for (const line of text.split('\n')) assert.ok(line.length <= 200, line);
    assert.match(await readFile(join(folder, 'preview.html'), 'utf8'), /<svg[^]*<rect[^]*service prod\/forgotten/);

    // Put it, and it is carried out, for all of it was seen in the preview.
    await shell(
      context,
      `aws ecr put-lifecycle-policy --repository-name ${REPOSITORY} --lifecycle-policy-text file://policy.json`,
    );
    await until('the end of the run', async () => {
      const { lastEvaluatedAt } = await ecr.getLifecyclePolicy({ repositoryName: REPOSITORY });
      return lastEvaluatedAt;
    });
    const left = JSON.parse((await shell(context, describeImages)) ?? '[]') as { imageTags: string[] }[];
    assert.equal(left.length, LEFT);
    assert.equal(LEFT, 91);
    const tags = new Set(left.flatMap(({ imageTags }) => imageTags));
    for (const [build, environment] of TAGGED) assert.ok(tags.has(`${environment}-${build}`) && tags.has(String(build)));
    assert.ok(tags.has(String(HELD)));
    const listed = await shell(
      context,
      `aws ecr list-images --repository-name ${REPOSITORY} --output json --query 'length(imageIds)'
       aws ecr get-lifecycle-policy --repository-name ${REPOSITORY} --output json`,
    );
    assert.equal(Number(/^\d+/.exec(listed ?? '')?.[0]), tags.size);
    assert.match(listed ?? '', /"lastEvaluatedAt"/);

    // What they need goes on, and comes back whole.
    const runs = JSON.parse(await holdfast('lifecycle', 'runs', REPOSITORY, '--json')).runs as { id: string; expired: number }[];
    assert.deepEqual(
      runs.map(({ expired }) => expired),
      [2200 - LEFT],
    );
    const undone = await holdfast('lifecycle', 'undo', REPOSITORY, runs[0]?.id.slice(0, 8) ?? '');
    assert.match(undone, /2109 images are back/);
    // Reading manifests for tagging counted as pulls, which are noted some time later; the rest is as it was.
    const withoutPulls = (text: string | undefined): object[] =>
      (JSON.parse(text ?? '[]') as object[]).map((image) => ({ ...image, lastRecordedPullTime: undefined }));
    const [then, again] = [withoutPulls(before), withoutPulls(await shell(context, describeImages))];
    assert.equal(again.length, then.length);
    // Not deepEqual on the whole: a difference of 2,200 images is nothing to read.
    const differing = again.filter((image, at) => !isDeepStrictEqual(image, then[at]));
    assert.deepEqual(differing, []);
  });

  test('the same policy on "AWS", and on what describe-images saved, with the same verdicts', async (context) => {
    const saved = await shell(context, `aws ecr describe-images --repository-name ${REPOSITORY} --output json > saved.json`);
    if (saved === undefined) return;
    const ours = JSON.parse(await holdfast('lifecycle', 'preview', REPOSITORY, '--policy', 'policy.json', '--json'));
    const run = await server.run(['lifecycle', 'preview', REPOSITORY, '--aws', '--policy', 'policy.json', '--json'], {
      cwd: folder,
      env: server.env,
    });
    assert.equal(run.code, 0, run.stderr);
    const aws = JSON.parse(run.stdout);
    const file = JSON.parse(await holdfast('lifecycle', 'preview', '--from', 'saved.json', '--policy', 'policy.json', '--json'));
    const verdicts = (document: { images: { digest: string; verdict: string; wouldBe?: string; rule?: number }[] }) =>
      document.images.map(({ digest, verdict, wouldBe, rule }) => [digest, wouldBe ?? verdict, rule]);
    assert.deepEqual(verdicts(aws), verdicts(ours));
    assert.deepEqual(verdicts(file), verdicts(ours));
  });
});
