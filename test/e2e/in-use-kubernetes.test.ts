import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildImage, layoutFiles, temporaryFolder, writeTree } from '../support/image-source.ts';
import { startKubeApi } from '../support/kube-api.ts';
import { startHoldfast } from '../support/server.ts';
import { findTool, requireTool } from '../support/tools.ts';

interface Shown {
  images: { digest?: string; tags: string[]; usedBy: string[]; environments: string[]; risks: { kind: string }[] }[];
  held: object[];
  tagged: { tag: string }[];
}

const KEEP_ONE = JSON.stringify({
  rules: [
    {
      rulePriority: 1,
      selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 1 },
      action: { type: 'expire' },
    },
  ],
});

function pod(namespace: string, name: string, image: string, imageID: string, phase = 'Running'): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, uid: name },
    spec: { containers: [{ name: 'app', image }], initContainers: [{ name: 'init', image }] },
    status: {
      phase,
      containerStatuses: [{ name: 'app', image, imageID }],
      initContainerStatuses: [{ name: 'init', image, imageID }],
    },
  };
}

test('the pods of a cluster, asked for with kubectl', async (t) => {
  if (requireTool(t, 'kubectl') === undefined) return;
  const server = await startHoldfast(t);
  const kube = await startKubeApi(t);
  const folder = await temporaryFolder(t);
  const [old, young] = [buildImage('old'), buildImage('young')];
  const push = async (image: typeof old): Promise<void> => {
    const layout = await writeTree(join(folder, image.digest.slice(7, 19)), layoutFiles(image));
    const pushed = await server.run(['push', layout, 'team/app:v1', '--create']);
    assert.equal(pushed.code, 0, pushed.stderr);
  };
  await push(old);
  await push(young);
  const inUse = (...args: string[]) => server.run(['in-use', ...args], { env: kube.env });
  const app = `${server.registryHost}/team/app`;

  await t.test('pages of pods, ended ones left out; held and tagged by what really runs', async () => {
    kube.pods = [
      pod('prod', 'web-1', `${app}:v1`, `${app}@${old.digest}`),
      pod('prod', 'web-2', `${app}:v1`, `${app}@${old.digest}`),
      pod('test', 'web-1', `${app}:v1`, `docker-pullable://${app}@${young.digest}`),
      pod('test', 'done', `${app}:v1`, `${app}@${old.digest}`, 'Succeeded'),
      pod('kube-system', 'dns', 'registry.k8s.io/coredns:v1', `registry.k8s.io/coredns@${old.digest}`),
    ];
    const run = await inUse('--kubernetes', '--hold', '--ttl', '2h', '--tag', '{environment}-{tag}', '--json');
    assert.equal(run.code, 1, run.stderr);
    assert.notEqual(run.stdout, '', run.stderr);
    const shown = JSON.parse(run.stdout) as Shown;
    const byDigest = new Map(shown.images.map((image) => [image.digest, image]));
    assert.equal(byDigest.size, 2);
    assert.deepEqual(byDigest.get(old.digest)?.usedBy, ['pod prod/web-1', 'pod prod/web-2']);
    assert.ok(byDigest.get(old.digest)?.risks.some(({ kind }) => kind === 'tag-moved'));
    assert.deepEqual(byDigest.get(young.digest)?.environments, ['test']);
    assert.equal(shown.held.length, 3);
    // The old image has lost its tag; its digest makes a new one.
    assert.deepEqual(
      new Set(shown.tagged.map(({ tag }) => tag)),
      new Set([`prod-${old.digest.slice('sha256:'.length, 'sha256:'.length + 12)}`, 'test-v1']),
    );
    assert.ok(kube.asked >= 3);

    assert.match((await inUse('team/app', '--kubernetes')).stdout, / pod prod\/web-1, pod prod\/.*tag moved/);
    await writeTree(folder, { 'policy.json': KEEP_ONE });
    const preview = await server.run(['lifecycle', 'preview', 'team/app', '--policy', 'policy.json', '--json'], { cwd: folder });
    const { images } = JSON.parse(preview.stdout) as { images: { digest: string; verdict: string; holders?: string[] }[] };
    assert.deepEqual(
      images.map(({ digest, verdict, holders }) => [digest, verdict, holders]),
      [
        [old.digest, 'held', ['pod prod/web-1', 'pod prod/web-2']],
        [young.digest, 'keep', undefined],
      ],
    );
  });

  await t.test('what a cluster should not say does not reach the terminal, and leaves no hold', async () => {
    kube.pods = [
      { ...pod('x', 'y', `${app}:v1`, `${app}@${old.digest}`), spec: null },
      pod('\u001b[31mred', 'name\u202eturned', `${app}:v1`, `${app}@sha256:${'f'.repeat(63)}`),
      pod('long', 'l'.repeat(100_000), `${app}:v1`, 'sha256:no'),
      pod('bad', 'image', ' @@ :: ', '\u0000'),
    ];
    const run = await inUse('team/app', '--kubernetes');
    assert.equal(run.code, 1, run.stderr);
    assert.doesNotMatch(run.stdout, /[\u0000-\u0009\u000b-\u001f\u202e]/);
    for (const line of run.stdout.split('\n')) assert.ok(line.length <= 200, line.slice(0, 300));
  });

  await t.test('a cluster that fails is an error, not a cluster without pods', async () => {
    for (const [answer, message] of [
      [(response) => response.writeHead(500).end('no'), /kubectl gave no pods/],
      [
        (response) => response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"kind":"PodList","items":['),
        /kubectl/,
      ],
    ] as [Exclude<typeof kube.pods, object[]>, RegExp][]) {
      kube.pods = answer;
      const run = await inUse('--kubernetes');
      assert.equal(run.code, 1, run.stdout);
      assert.match(run.stderr, message);
      assert.equal(run.stdout, '');
    }
    const none = await server.run(['in-use', '--kubernetes'], { env: { KUBECONFIG: join(folder, 'none') } });
    assert.equal(none.code, 1);
    assert.match(none.stderr, /kubectl gave no pods/);
    await writeTree(join(folder, 'bin'), { 'readlink@': findTool('readlink') ?? '' });
    const missing = await server.run(['in-use', '--kubernetes'], { env: { PATH: join(folder, 'bin') } });
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /kubectl was not found/);
  });
});
