import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createCleanup } from '../support/cleanup.ts';
import { buildImage, layoutFiles, temporaryFolder, writeTree } from '../support/image-source.ts';
import { startHoldfast, type Finished, type HoldfastProcess } from '../support/server.ts';

interface Shown {
  images: {
    repository: string;
    digest?: string;
    tags: string[];
    usedBy: string[];
    risks: { kind: string; message: string }[];
  }[];
  atRisk: number;
  tagged: { tag: string }[];
  held: object[];
}

describe('holdfast in-use', () => {
  const scope = createCleanup();
  let server: HoldfastProcess;
  let folder: string;
  const [one, two, three] = [buildImage('one'), buildImage('two'), buildImage('three')];

  before(async () => {
    server = await startHoldfast(scope, { HOLDFAST_RUNTIME: 'simulated' });
    folder = await temporaryFolder(scope);
    await push(one, 'v1');
    await push(two, 'latest');
  });
  after(() => scope.run());

  async function push(image: ReturnType<typeof buildImage>, tag: string): Promise<void> {
    const layout = await writeTree(join(folder, `${tag}-${image.digest.slice(7, 20)}`), layoutFiles(image));
    const pushed = await server.run(['push', layout, `team/app:${tag}`, '--create']);
    assert.equal(pushed.code, 0, pushed.stderr);
  }

  async function inUse(args: string[], env: Record<string, string> = {}): Promise<Shown & Finished> {
    const run = await server.run(['in-use', ...args, '--json'], { env });
    assert.ok(run.stdout !== '', run.stderr);
    return { ...run, ...(JSON.parse(run.stdout) as Shown) };
  }

  /** A kubectl that answers with these pods. */
  async function kubectl(pods: { name: string; image: string; imageID: string }[]): Promise<{ PATH: string }> {
    const items = pods.map(({ name, image, imageID }) => ({
      metadata: { namespace: 'prod', name },
      spec: { containers: [{ name: 'app', image }] },
      status: { phase: 'Running', containerStatuses: [{ name: 'app', image, imageID }] },
    }));
    await writeFile(join(folder, 'pods.json'), JSON.stringify({ items }));
    await writeFile(join(folder, 'kubectl'), `#!/bin/sh\ncat '${join(folder, 'pods.json')}'\n`);
    await chmod(join(folder, 'kubectl'), 0o755);
    return { PATH: `${folder}:${process.env['PATH']}` };
  }

  test('holds, without anything at risk', async () => {
    const hold = await server.run(['hold', 'add', 'team/app:v1', '--kind', 'person', '--holder', 'ann']);
    assert.equal(hold.code, 0, hold.stderr);
    const shown = await inUse([]);
    assert.equal(shown.code, 0, shown.stderr);
    assert.deepEqual(
      shown.images.map(({ digest, tags, usedBy }) => [digest, tags, usedBy]),
      [[one.digest, ['v1'], ['hold: person ann']]],
    );
  });

  test('pods: what moved, what is gone, what can move; then held and tagged', async () => {
    const host = server.registryHost;
    const env = await kubectl([
      { name: 'pinned', image: `${host}/team/app:v1@${one.digest}`, imageID: `${host}/team/app@${one.digest}` },
      { name: 'old', image: `${host}/team/app:latest`, imageID: `docker-pullable://${host}/team/app@${one.digest}` },
      { name: 'lost', image: `${host}/team/app@${three.digest}`, imageID: `${host}/team/app@${three.digest}` },
      { name: 'foreign', image: 'docker.io/library/redis:7', imageID: `docker.io/library/redis@${three.digest}` },
    ]);
    const shown = await inUse(['team/app', '--kubernetes', '--hold', '--ttl', '2h', '--tag', 'Prod-{tag}'], env);
    assert.equal(shown.code, 1);
    const risks = new Map(shown.images.map(({ digest, risks: found }) => [digest, found.map(({ kind }) => kind).sort()]));
    assert.deepEqual(risks.get(one.digest), ['tag-moved', 'tag-mutable']);
    assert.deepEqual(risks.get(three.digest), ['gone']);
    assert.equal(shown.images.length, 2);
    assert.deepEqual(
      shown.tagged.map(({ tag }) => tag),
      ['Prod-v1'],
    );
    assert.equal(shown.held.length, 2);

    // What is held is not taken, and a second time nothing is tagged anew.
    const again = await inUse(['team/app', '--kubernetes', '--tag', 'Prod-{tag}'], env);
    assert.deepEqual(again.tagged, []);
    const holds = JSON.parse((await server.run(['hold', 'list', '--json'])).stdout).holds as { kind: string; holder: string }[];
    assert.deepEqual(holds.map(({ kind, holder }) => `${kind} ${holder}`).sort(), [
      'person ann',
      'pod prod/old',
      'pod prod/pinned',
    ]);
  });

  test('an image that the policy takes is at risk before it goes', async () => {
    const host = server.registryHost;
    await push(buildImage('four'), 'young');
    const env = await kubectl([
      { name: 'x', image: `${host}/team/app@${two.digest}`, imageID: `${host}/team/app@${two.digest}` },
    ]);
    const policy = join(folder, 'policy.json');
    const selection = { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 1 };
    await writeFile(
      policy,
      JSON.stringify({
        rules: [{ rulePriority: 7, selection, action: { type: 'expire' } }],
        holdfast: { version: 1, confirmAbovePercent: 1 },
      }),
    );
    const put = await server.run(['lifecycle', 'put', 'team/app', '--policy', policy]);
    assert.equal(put.code, 0, put.stderr);
    const shown = await inUse(['team/app', '--kubernetes'], env);
    assert.equal(shown.code, 1);
    assert.deepEqual(shown.images[0]?.risks, [{ kind: 'going', message: 'rule 7 of the policy takes it' }]);
    // --aws asks the same of Amazon's API, where holds are not known.
    const aws = await server.run(['in-use', 'team/app', '--aws', '--json'], { env: server.env });
    assert.ok(aws.code === 0 || aws.code === 1, aws.stderr);
  });

  test('wrong usage', async () => {
    for (const [args, message] of [
      [['--tag', 'Prod'], /needs \{tag\}/],
      [['--aws', '--hold'], /knows no holds/],
      [['--aws', '--docker'], /one or the others/],
      [['--ttl', 'soon'], /not a length of time/],
    ] as const) {
      const run = await server.run(['in-use', ...args]);
      assert.equal(run.code, 2, run.stderr);
      assert.match(run.stderr, message);
    }
  });
});
