import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { open, mkdtemp, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ECR } from '@aws-sdk/client-ecr';
import { readConfig } from '../../src/config.ts';
import { createManualClock } from '../../src/core/clock.ts';
import { digestOf } from '../../src/core/digest.ts';
import { isFault } from '../../src/core/fault.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { parseRepositoryName } from '../../src/core/repository-name.ts';
import { systemClock } from '../../src/drivers/system/clock.ts';
import { openFileBlobs } from '../../src/drivers/blobs/fs.ts';
import { createRegistry } from '../../src/registry/create-registry.ts';
import { startServer } from '../../src/serve.ts';
import { blobOf, freshConfig, imageManifest, type Blob } from '../conformance/content.ts';
import { createHttp, type Answer } from '../conformance/http.ts';
import { chunks, readBlob } from '../support/blobs.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { caller, createCountingIds } from '../support/registry.ts';
import { requireRoot, requireTool } from '../support/tools.ts';
import { createCrashFileSystem } from './crash-file-system.ts';
import { openQuickMeta } from './quick-meta.ts';
import { READING, stepFiles } from './seams.ts';

const MIB = 1024 * 1024;

test('a full disk refuses pushes by name, serves pulls, and takes deletions, all without a restart', async (t) => {
  if (!requireRoot(t)) return;
  const [mount, umount] = [requireTool(t, 'mount'), requireTool(t, 'umount')];
  if (mount === undefined || umount === undefined) return;
  const { folder, unmount } = await mountSmallDisk({ mount, umount }, 24 * MIB);
  const config = readConfig({ HOLDFAST_DATA: join(folder, 'data'), HOLDFAST_PORT: '0', HOLDFAST_COLLECT_EVERY: '0' }, {}, folder);
  let ahead = 0;
  const clock = { now: () => systemClock.now() + ahead, monotonic: () => systemClock.monotonic() + ahead };
  const server = await startServer(config, { log: silentLogger, clock });
  const { accessKeyId = '', secretAccessKey = '' } = server.firstKey ?? {};
  const http = createHttp({
    baseUrl: server.url,
    authorization: `Basic ${Buffer.from(`${accessKeyId}:${secretAccessKey}`).toString('base64')}`,
  });
  const ecr = new ECR({
    endpoint: server.url,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
  });
  t.after(async () => {
    http.close();
    ecr.destroy();
    await server.close();
    await unmount();
  });
  await ecr.createRepository({ repositoryName: 'app' });
  const pushBlob = async (blob: Blob): Promise<Answer> => {
    const opened = await http.send({ method: 'POST', url: '/v2/app/blobs/uploads/' });
    if (opened.status !== 202) return opened;
    return http.send({ method: 'PUT', url: `${opened.headers.location}?digest=${blob.digest}`, body: blob.bytes });
  };
  const pushImage = async (layer: Blob, tag: string): Promise<Answer> => {
    const config = freshConfig();
    const manifest = imageManifest(config, [layer]);
    for (const blob of [config, layer]) {
      const answer = await pushBlob(blob);
      if (answer.status !== 201) return answer;
    }
    return http.send({
      method: 'PUT',
      url: `/v2/app/manifests/${tag}`,
      headers: { 'Content-Type': manifest.mediaType },
      body: manifest.bytes,
    });
  };
  const fresh = () => blobOf(randomBytes(2 * MIB));
  const expectPull = async (layer: Blob): Promise<void> => {
    const { status, body } = await http.send({ method: 'GET', url: `/v2/app/blobs/${layer.digest}` });
    assert.equal(status, 200);
    assert.ok(body.equals(layer.bytes));
  };

  const first = fresh();
  assert.equal((await pushImage(first, 'first')).status, 201);
  let refused: { layer: Blob; answer: Answer } | undefined;
  let fitted = 0;
  for (; refused === undefined && fitted < 20; fitted++) {
    const layer = fresh();
    const answer = await pushImage(layer, `filler-${fitted}`);
    if (answer.status !== 201) refused = { layer, answer };
  }
  assert.ok(refused !== undefined && fitted > 4, `${fitted} images of 2 MiB on a disk of 24`);
  assert.equal(refused.answer.status, 507, refused.answer.body.toString());
  assert.match(refused.answer.body.toString(), /"STORAGE_FULL".*disk of the registry is full/);

  // Its own reserve is not all: somebody else takes the last byte, too.
  const filler = join(folder, 'filler');
  await fillUp(filler);
  const { layer } = refused;
  const early = await pushBlob(layer);
  assert.equal(early.status, 507, early.body.toString());
  const { uploadId } = await ecr.initiateLayerUpload({ repositoryName: 'app' }).catch((error: Error & { name: string }) => {
    assert.equal(error.name, 'ServerException');
    assert.match(error.message, /disk/);
    return { uploadId: undefined };
  });
  if (uploadId !== undefined) {
    await assert.rejects(
      ecr.uploadLayerPart({
        repositoryName: 'app',
        uploadId,
        partFirstByte: 0,
        partLastByte: layer.bytes.length - 1,
        layerPartBlob: layer.bytes,
      }),
      (error: Error) => error.name === 'ServerException' && /disk/.test(error.message),
    );
  }
  await expectPull(first);
  assert.equal((await http.send({ method: 'HEAD', url: `/v2/app/blobs/${layer.digest}` })).status, 404);
  assert.equal((await http.send({ method: 'GET', url: '/healthz' })).status, 200);

  const deleted = await http.send({ method: 'DELETE', url: '/v2/app/manifests/filler-0' });
  assert.equal(deleted.status, 202, deleted.body.toString());
  const gone = await ecr.batchDeleteImage({
    repositoryName: 'app',
    imageIds: [{ imageTag: 'filler-1' }, { imageTag: 'filler-2' }, { imageTag: 'filler-3' }],
  });
  assert.deepEqual(gone.failures ?? [], []);
  // Those whom the disk refused may come back for as long as their leases last.
  ahead += config.leaseMs;
  const report = await server.registry.collector.run({ purge: true });
  assert.ok(report.bytesFreed > 3 * 2 * MIB, JSON.stringify(report));

  await rm(filler);
  assert.equal((await pushImage(layer, 'at-last')).status, 201);
  await expectPull(layer);
  await expectPull(first);
});

test('no room at any one step of a push: a clear refusal, nothing half done, and the same push succeeds later', async (t) => {
  const clock = createManualClock(1_700_000_000_000);
  const meta = await openQuickMeta(t);
  const files = createCrashFileSystem(clock);
  const ids = createCountingIds();
  let failAt = Infinity;
  let steps = 0;
  let failed = '';
  const step = (name: string): void => {
    if (READING.has(name) || ++steps !== failAt) return;
    failed = name;
    throw Object.assign(new Error('no space left on device'), { code: steps % 2 === 0 ? 'ENOSPC' : 'EDQUOT' });
  };
  const boot = async () => {
    const blobs = await openFileBlobs({ root: '/store', log: silentLogger, fileSystem: stepFiles(files, step) });
    return { blobs, registry: createRegistry({ meta, blobs, clock, ids, log: silentLogger }) };
  };
  let { blobs, registry } = await boot();
  const repository = await registry.repositories.create(caller, parseRepositoryName('app'));
  const push = async (content: string): Promise<void> => {
    const { id } = await registry.layers.startUpload(caller, repository);
    await registry.layers.append(caller, repository, id, { source: chunks(content.slice(0, 10)) });
    await registry.layers.complete(caller, repository, id, digestOf(content), { source: chunks(content.slice(10)) });
  };
  let at = 1;
  for (; ; at++) {
    const content = `pushed at ${at} into a full disk`;
    steps = 0;
    failed = '';
    failAt = at;
    const outcome = await push(content).then(
      () => 'ok',
      (error: unknown) => (isFault(error, 'storage-full') || isFault(error, 'storage-failed') ? error.kind : String(error)),
    );
    failAt = Infinity;
    if (failed === '') break;
    const flush = failed === 'datasync' || failed === 'sync directory';
    // Tidying up after the answer is certain may fail: the collector does it again.
    const expected = flush ? ['storage-failed'] : failed === 'unlink' ? ['ok', 'storage-full'] : ['storage-full'];
    assert.ok(expected.includes(outcome), `${failed} failed, and the push said ${outcome}`);
    if (flush) ({ blobs, registry } = await boot());
    assert.deepEqual(await checkInvariants({ meta, blobs }), [], `no room at step ${at} (${failed})`);
    if (outcome !== 'ok') assert.equal(await registry.layers.stat(repository, digestOf(content)), undefined);
    await push(content);
    assert.equal(await registry.layers.open(repository, digestOf(content)).then(readBlob), content);
  }
  assert.ok(at > 8, `only ${at} steps`);
  t.diagnostic(`no room at each of ${at - 1} steps`);
});

/** A file system of so many bytes, in memory. */
async function mountSmallDisk(
  tools: { mount: string; umount: string },
  bytes: number,
): Promise<{ folder: string; unmount: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-small-'));
  execFileSync(tools.mount, ['-t', 'tmpfs', '-o', `size=${bytes}`, 'holdfast-test', folder]);
  const unmount = async (): Promise<void> => {
    execFileSync(tools.umount, [folder]);
    await rmdir(folder);
  };
  return { folder, unmount };
}

async function fillUp(path: string): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (let block = MIB; block >= 1; block = Math.floor(block / 2)) {
      try {
        for (;;) await file.write(Buffer.alloc(block));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
  } finally {
    await file.close();
  }
}
