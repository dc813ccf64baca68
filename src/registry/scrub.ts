import type { Digest } from '../core/digest.ts';
import { condemnBlob, type BlobContext } from './blob-rows.ts';
import { breathe } from './collection-pass.ts';
import type { Collector } from './registry.ts';

const BATCH = 200;

/** Hashes every blob that counts as sound, one at a time, so that pushes and pulls keep the other processor. */
export async function scrubBlobs(
  context: BlobContext,
  progress?: Parameters<Collector['scrub']>[0],
): ReturnType<Collector['scrub']> {
  const { meta, blobs, locks, clock } = context;
  const sound = meta.read.selectFrom('blob').where('corrupt_at', 'is', null);
  const { count } = await sound.select((builder) => builder.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
  const report = { blobs: 0, bytes: 0, corrupt: [] as Digest[] };

  /** Under the digest's lock: hashes again, for the blob may have been replaced or collected meanwhile. */
  async function judge(digest: Digest): Promise<void> {
    const row = await meta.read.selectFrom('blob').select('corrupt_at').where('digest', '=', digest).executeTakeFirst();
    if (row === undefined || row.corrupt_at !== null) return;
    const found = await blobs.rehash(digest);
    if (found === digest) return;
    await condemnBlob(context, digest, found);
    report.corrupt.push(digest);
  }

  for (let after = ''; ;) {
    const rows = await sound.select(['digest', 'bytes']).where('digest', '>', after).orderBy('digest').limit(BATCH).execute();
    const right: Digest[] = [];
    for (const row of rows) {
      after = row.digest;
      const digest = row.digest as Digest;
      // Without the lock: a layer of many gigabytes takes a while, and its push must not wait for that.
      if ((await blobs.rehash(digest)) === digest) right.push(digest);
      else await locks(digest, () => judge(digest));
      report.blobs++;
      report.bytes += row.bytes;
      progress?.(report.blobs, Math.max(Number(count), report.blobs));
      await breathe();
    }
    if (right.length > 0) {
      await meta.transact((transaction) =>
        transaction.updateTable('blob').set({ verified_at: clock.now() }).where('digest', 'in', right).execute(),
      );
    }
    if (rows.length < BATCH) return report;
  }
}
