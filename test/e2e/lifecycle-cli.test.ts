import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ECR } from '@aws-sdk/client-ecr';
import { createCleanup } from '../support/cleanup.ts';
import { buildImage, layoutFiles, temporaryFolder, writeTree } from '../support/image-source.ts';
import { startHoldfast, type HoldfastProcess } from '../support/server.ts';

const rules = (countNumber: number): string =>
  JSON.stringify({
    rules: [
      {
        rulePriority: 1,
        selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber },
        action: { type: 'expire' },
      },
    ],
  });

describe('holdfast lifecycle', () => {
  const scope = createCleanup();
  let server: HoldfastProcess;
  let folder: string;
  let ecr: ECR;
  before(async () => {
    server = await startHoldfast(scope);
    folder = await temporaryFolder(scope);
    ecr = new ECR({ endpoint: server.url, region: 'us-east-1', credentials: server.credentials, maxAttempts: 1 });
    scope.after(async () => ecr.destroy());
    for (const tag of ['v1', 'v2', 'v3']) {
      const layout = await writeTree(join(folder, tag), layoutFiles(buildImage(tag)));
      const pushed = await server.run(['push', layout, `team/app:${tag}`, '--create']);
      assert.equal(pushed.code, 0, pushed.stderr);
    }
    await writeFile(join(folder, 'one.json'), rules(1));
    await writeFile(join(folder, 'bad.json'), '{"rules": [], "x": null}');
  });
  after(() => scope.run());

  const lifecycle = (...args: string[]) => server.run(['lifecycle', ...args], { cwd: folder });

  test('apply asks; with --yes it does what it showed; undo puts it back', async () => {
    const refused = await lifecycle('apply', 'team/app', '--policy', 'one.json');
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /no terminal to ask on; --yes/);
    const applied = await lifecycle('apply', 'team/app', '--policy', 'one.json', '--yes');
    assert.equal(applied.code, 0, applied.stderr);
    assert.match(applied.stdout, /Done: 2 expired, 0 archived, 0 held/);
    const run = JSON.parse((await lifecycle('runs', 'team/app', '--json')).stdout).runs[0] as { id: string; expired: number };
    assert.equal(run.expired, 2);
    assert.deepEqual(
      (await ecr.listImages({ repositoryName: 'team/app' })).imageIds?.map(({ imageTag }) => imageTag),
      ['v3'],
    );

    const undone = await lifecycle('undo', 'team/app', run.id.slice(0, 8));
    assert.equal(undone.code, 0, undone.stderr);
    assert.match(undone.stdout, /^2 images are back/);
    assert.match(undone.stdout, /policy is off.*holdfast lifecycle on team\/app/);
    assert.equal((await ecr.listImages({ repositoryName: 'team/app' })).imageIds?.length, 3);
    assert.match((await lifecycle('get', 'team/app')).stdout, /is off/);
    assert.match((await lifecycle('runs', 'team/app')).stdout, /undone/);
  });

  test('what is wrong is said, and where', async () => {
    for (const [args, code, message] of [
      [['put', 'team/app', '--policy', 'bad.json'], 1, /not allowed by the schema: \(\["x"\]\)/],
      [['put', 'team/app', '--policy', 'none.json'], 1, /none\.json cannot be read \(ENOENT\)/],
      [['put', 'team/app'], 2, /--policy is missing/],
      [['undo', 'team/app', 'abcdef12'], 1, /had no run/],
      [['preview', '--from', 'bad.json', '--policy', 'one.json'], 1, /has no imageDetails/],
      [['preview', '--from', 'one.json'], 2, /needs a --policy/],
    ] as const) {
      const run = await lifecycle(...args);
      assert.equal(run.code, code, `${args.join(' ')}: ${run.stderr}`);
      assert.match(run.stderr, message);
    }
  });

  test('over the ECR API: lengths, templates, storage classes', async () => {
    const name = (error: unknown): string => (error as Error).name;
    const text = rules(1).padEnd(99).slice(0, 99);
    const post = ecr.putLifecyclePolicy({ repositoryName: 'team/app', lifecyclePolicyText: text });
    await assert.rejects(
      post,
      (error) => name(error) === 'InvalidParameterException' && /greater than or equal to 100/.test(String(error)),
    );
    await assert.rejects(
      ecr.putLifecyclePolicy({ repositoryName: 'team/app', lifecyclePolicyText: rules(1).padEnd(30_721) }),
      (error) => name(error) === 'InvalidParameterException',
    );
    await assert.rejects(
      ecr.createRepositoryCreationTemplate({ prefix: 'auto', appliedFor: ['CREATE_ON_PUSH'], lifecyclePolicy: '{"rules": 1}' }),
      (error) => name(error) === 'InvalidParameterException',
    );
    await ecr.createRepositoryCreationTemplate({
      prefix: 'auto',
      appliedFor: ['CREATE_ON_PUSH'],
      lifecyclePolicy: rules(7),
    });
    const pushed = await server.run(['push', join(folder, 'v1'), 'auto/made:v1']);
    assert.equal(pushed.code, 0, pushed.stderr);
    assert.equal((await ecr.getLifecyclePolicy({ repositoryName: 'auto/made' })).lifecyclePolicyText, rules(7));

    const archived = await ecr.updateImageStorageClass({
      repositoryName: 'auto/made',
      imageId: { imageTag: 'v1' },
      targetStorageClass: 'ARCHIVE',
    });
    assert.equal(archived.imageStatus, 'ARCHIVED');
    assert.deepEqual((await ecr.listImages({ repositoryName: 'auto/made' })).imageIds, []);
    const back = await ecr.updateImageStorageClass({
      repositoryName: 'auto/made',
      imageId: { imageTag: 'v1' },
      targetStorageClass: 'STANDARD',
    });
    assert.equal(back.imageStatus, 'ACTIVE');
    await ecr.deleteLifecyclePolicy({ repositoryName: 'auto/made' });
    await assert.rejects(
      ecr.getLifecyclePolicy({ repositoryName: 'auto/made' }),
      (error) => name(error) === 'LifecyclePolicyNotFoundException',
    );
  });
});
