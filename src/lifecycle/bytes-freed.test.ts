import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MediaType } from '../core/media-type.ts';
import { silentLogger } from '../core/logger.ts';
import type { MetaStore } from '../core/meta-store.ts';
import { createBlobRegistry } from '../../test/support/blobs.ts';
import { bytesStored } from '../../test/support/check-invariants.ts';
import { caller, createCountingIds } from '../../test/support/registry.ts';
import { createLifecycle } from './create-lifecycle.ts';
import type { LifecycleTables } from './schema.ts';

const DAY = 86_400_000;

test('a preview names the bytes that the collector frees in the end, whatever refers to what goes', async (t) => {
  const { registry, meta, blobs, clock, create, push } = await createBlobRegistry(t, { settings: { graceMs: DAY } });
  const lifecycle = createLifecycle({
    meta: meta as unknown as MetaStore<LifecycleTables>,
    registry,
    clock,
    ids: createCountingIds(),
    log: silentLogger,
    graceMs: DAY,
  });
  const repository = await create();
  const about = (digest: string) => ({ subject: { mediaType: MediaType.ociManifest, digest, size: 1 } });
  const going = await push(repository, 'an image that goes', 'v1');
  const signature = await push(repository, 'a signature', undefined, about(going));
  await push(repository, 'a signature of the signature', undefined, about(signature));
  await push(repository, 'a report that somebody has tagged', 'report', about(going));
  const held = await push(repository, 'a report that somebody holds', undefined, about(going));
  await registry.holds.take(caller, repository, { digest: held, kind: 'person', holder: 'ann' });
  clock.advance(DAY);
  const staying = await push(repository, 'an image that stays', 'v2');
  await push(repository, 'its signature', undefined, about(staying));

  const policy = JSON.stringify({
    rules: [
      {
        rulePriority: 1,
        selection: { tagStatus: 'tagged', tagPatternList: ['v*'], countType: 'imageCountMoreThan', countNumber: 1 },
        action: { type: 'expire' },
      },
    ],
  });
  const { freed } = await lifecycle.explain(repository, policy);
  assert.deepEqual([freed.referrers, freed.entries, freed.bytesWithEntries], [2, 0, freed.bytes]);
  await lifecycle.put(caller, repository, policy, { run: false });
  assert.equal((await lifecycle.run(caller, repository, { confirmed: true })).expired, 1);
  const before = await bytesStored(blobs);
  // Each that follows has a grace period of its own; somebody looks in every half an hour.
  for (let hours = 0; hours < 5 * 24; hours += 0.5) {
    clock.advance(DAY / 48);
    await registry.collector.run();
  }
  assert.equal(before - (await bytesStored(blobs)), freed.bytes);
});
