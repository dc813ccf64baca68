import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { createManualClock } from '../core/clock.ts';
import { digestOf } from '../core/digest.ts';
import { silentLogger } from '../core/logger.ts';
import type { RepositoryName } from '../core/repository-name.ts';
import { parseTag } from '../core/tag.ts';
import { openFileBlobs } from '../drivers/blobs/fs.ts';
import { createRegistry } from './create-registry.ts';
import { caller, createCountingIds, imageManifest, openTestMeta } from '../../test/support/registry.ts';

it('the whole registry takes an image in, layer by layer, and counts what it has', async (test) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-room-'));
  test.after(() => rm(folder, { recursive: true }));
  const meta = await openTestMeta(test);
  const blobs = await openFileBlobs({ root: join(folder, 'blobs'), log: silentLogger });
  test.after(() => blobs.close());
  const clock = createManualClock(1_700_000_000_000);
  const registry = createRegistry({
    meta,
    blobs,
    clock,
    ids: createCountingIds(),
    log: silentLogger,
    settings: { limits: { imagesPerRepository: 1 } },
  });

  const repository = await registry.repositories.create(caller, 'team/app' as RepositoryName);
  for (const content of ['config', 'layer']) {
    const session = await registry.layers.startUpload(caller, repository);
    const source = (async function* () {
      yield Buffer.from(content);
    })();
    await registry.layers.complete(caller, repository, session.id, digestOf(content), { source });
  }
  const { body, digest } = imageManifest('config', ['layer']);
  await registry.images.put(caller, repository, { body, tags: [parseTag('v1')] });
  await registry.holds.take(caller, repository, { digest, kind: 'task', holder: 'a', timeToLive: 10 });
  assert.deepEqual(await registry.usage(), { repositories: 1, images: 1, blobs: 2, blobBytes: 11, deletedImages: 0, holds: 1 });
  clock.advance(10);
  await registry.images.read(repository, digest, { recordPull: true });
  await registry.close();
  assert.equal((await registry.images.resolve(repository, { digest })).pulledAt, clock.now());
  await registry.images.delete(caller, repository, digest);
  assert.deepEqual(await registry.usage(), { repositories: 1, images: 0, blobs: 2, blobBytes: 11, deletedImages: 1, holds: 0 });
});
