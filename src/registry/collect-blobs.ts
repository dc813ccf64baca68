import type { Digest } from '../core/digest.ts';
import type { Pass } from './collection-pass.ts';
import { chunksOf } from './image-rows.ts';

/** Rows looked at before others get their turn: about a quarter of a millisecond. */
const BATCH = 50;
/** Memberships held in memory at one time, while the images of a repository are looked through. */
const SLICE = 100_000;
/** Memberships ended in one transaction: one whose blob thousands of images elsewhere share is looked up for long. */
const ENDED_AT_ONCE = 10;
const WALK_FROM = 100;

/** Gives up sessions that nobody goes on with, and the staging files that no session owns. */
export async function collectUploads({ context: { meta, blobs }, now, dryRun, times, report, breathe }: Pass): Promise<void> {
  const idleSince = now - times.uploadIdle;
  const idle = await meta.read.selectFrom('upload').select('id').where('updated_at', '<=', idleSince).execute();
  for (const { id } of idle) {
    if (!dryRun) {
      // Again, in the transaction: its client may have come back.
      const { numDeletedRows } = await meta.transact((transaction) =>
        transaction.deleteFrom('upload').where('id', '=', id).where('updated_at', '<=', idleSince).executeTakeFirstOrThrow(),
      );
      if (Number(numDeletedRows) === 0) continue;
      await blobs.discardUpload(id);
    }
    report.uploadsDiscarded++;
    await breathe();
  }
  for await (const { uploadId, modifiedAt } of blobs.listUploads()) {
    if (modifiedAt > now - times.orphanAge) continue;
    const session = await meta.read.selectFrom('upload').select('id').where('id', '=', uploadId).executeTakeFirst();
    if (session !== undefined) continue;
    if (!dryRun) await blobs.discardUpload(uploadId);
    report.orphansDeleted++;
  }
}

/** Which repositories need another look, from pass to pass. */
export interface MembershipMemory {
  /** Leases up to then have been looked at; `undefined` before the first pass of the process. */
  until: number | undefined;
  /** Passed over because somebody was uploading, or not looked at yet since an image of theirs was purged. */
  readonly waiting: Set<number>;
}

export function createMembershipMemory(): MembershipMemory {
  return { until: undefined, waiting: new Set() };
}

/**
 * Ends memberships that nothing needs: the lease is over, no image of the repository refers to the blob, nobody is
 * uploading into the repository. A membership can only come to that when its lease ends or an image is purged, so after
 * the first pass only those are looked at to which that has happened. Gives, for a dry run, how many memberships of
 * each digest would end.
 */
export async function collectMemberships(pass: Pass, memory: MembershipMemory): Promise<Map<string, number>> {
  const { context, now, dryRun, report, breathe } = pass;
  const { read } = context.meta;
  const ended = new Map<string, number>();
  const isFull = memory.until === undefined || now < memory.until || pass.purge || dryRun;
  const waiting = new Set<number>();

  const endThose = async (repositoryId: number, digests: Digest[]): Promise<void> => {
    for (const few of chunksOf(digests, ENDED_AT_ONCE)) {
      if (!dryRun) report.membershipsEnded += await endMemberships(pass, repositoryId, few);
      else {
        report.membershipsEnded += few.length;
        for (const digest of few) ended.set(digest, (ended.get(digest) ?? 0) + 1);
      }
      await breathe();
    }
  };

  const whole = isFull ? (await read.selectFrom('repository').select('id').execute()).map((row) => row.id) : [...memory.waiting];
  for (const repositoryId of whole) {
    if (await isUploading(pass, repositoryId)) {
      waiting.add(repositoryId);
      continue;
    }
    for (let after: string | undefined = ''; after !== undefined;) {
      const slice = await readExpired(pass, repositoryId, after);
      after = slice.next;
      await endThose(repositoryId, await withoutReferenced(pass, repositoryId, slice.digests));
    }
  }

  if (!isFull && memory.until !== undefined) {
    const newly = await read
      .selectFrom('repository_blob')
      .select(['repository_id', 'digest'])
      .where('lease_until', '>', memory.until)
      .where('lease_until', '<=', now)
      .execute();
    const lapsed = new Map<number, Set<Digest>>();
    for (const row of newly) {
      const digests = lapsed.get(row.repository_id) ?? new Set<Digest>();
      lapsed.set(row.repository_id, digests.add(row.digest as Digest));
    }
    for (const [repositoryId, digests] of lapsed) {
      if (memory.waiting.has(repositoryId)) continue;
      if (await isUploading(pass, repositoryId)) waiting.add(repositoryId);
      // A walk through all images pays only for many.
      else
        await endThose(
          repositoryId,
          digests.size > WALK_FROM ? await withoutReferenced(pass, repositoryId, digests) : [...digests],
        );
    }
  }
  if (!dryRun) {
    memory.until = now;
    memory.waiting.clear();
    for (const repositoryId of waiting) memory.waiting.add(repositoryId);
  }
  return ended;
}

async function isUploading({ context: { meta, options }, now }: Pass, repositoryId: number): Promise<boolean> {
  const session = await meta.read
    .selectFrom('upload')
    .select('id')
    .where('repository_id', '=', repositoryId)
    .where('updated_at', '>', now - options.leaseMs)
    .limit(1)
    .executeTakeFirst();
  return session !== undefined;
}

/** Members whose lease is over, by digest; `next` when there are more. */
async function readExpired(
  { context: { meta }, now, breathe }: Pass,
  repositoryId: number,
  after: string,
): Promise<{ digests: Set<Digest>; next: string | undefined }> {
  const digests = new Set<Digest>();
  for (let last = after; ; await breathe()) {
    const rows = await meta.read
      .selectFrom('repository_blob')
      .select(['digest', 'lease_until'])
      .where('repository_id', '=', repositoryId)
      .where('digest', '>', last)
      .orderBy('digest')
      .limit(BATCH)
      .execute();
    for (const row of rows) if (row.lease_until <= now) digests.add(row.digest as Digest);
    const end = rows.at(-1);
    if (rows.length < BATCH || end === undefined) return { digests, next: undefined };
    last = end.digest;
    if (digests.size >= SLICE) return { digests, next: last };
  }
}

/** Strikes out what the repository's images refer to: in one walk through them, whatever a blob's number of images. */
async function withoutReferenced(
  { context: { meta }, breathe }: Pass,
  repositoryId: number,
  digests: Set<Digest>,
): Promise<Digest[]> {
  for (let after = 0; digests.size > 0; await breathe()) {
    const images = await meta.read
      .selectFrom('manifest')
      .select('id')
      .where('repository_id', '=', repositoryId)
      .where('id', '>', after)
      .orderBy('id')
      .limit(BATCH / 5)
      .execute();
    const last = images.at(-1);
    if (last === undefined) break;
    after = last.id;
    const ids = images.map((image) => image.id);
    const edges = await meta.read.selectFrom('manifest_blob').select('digest').where('manifest_id', 'in', ids).execute();
    for (const edge of edges) digests.delete(edge.digest as Digest);
  }
  return [...digests];
}

/** Everything is asked again, in the transaction that acts: what was read before only said where to look. */
async function endMemberships(
  { context: { meta, options }, now }: Pass,
  repositoryId: number,
  digests: Digest[],
): Promise<number> {
  const { numDeletedRows } = await meta.transact((transaction) =>
    transaction
      .deleteFrom('repository_blob')
      .where('repository_id', '=', repositoryId)
      .where('digest', 'in', digests)
      .where('lease_until', '<=', now)
      .where((builder) =>
        builder.not(
          builder.exists(
            builder
              .selectFrom('manifest_blob')
              .select('manifest_blob.manifest_id')
              .whereRef('manifest_blob.digest', '=', 'repository_blob.digest')
              // Not a join: it would start from the repository's images, all of them, for each digest.
              .where((edge) =>
                edge(
                  edge.selectFrom('manifest').select('repository_id').whereRef('manifest.id', '=', 'manifest_blob.manifest_id'),
                  '=',
                  repositoryId,
                ),
              ),
          ),
        ),
      )
      .where((builder) =>
        builder.not(
          builder.exists(
            builder
              .selectFrom('upload')
              .select('upload.id')
              .where('upload.repository_id', '=', repositoryId)
              .where('upload.updated_at', '>', now - options.leaseMs),
          ),
        ),
      )
      .executeTakeFirstOrThrow(),
  );
  return Number(numDeletedRows);
}

/** Deletes blobs that no repository has and no deleted image could need again: the row, then the bytes. */
export async function collectBlobs(pass: Pass, ended: Map<string, number>): Promise<void> {
  const { context, now, dryRun, purge, report, breathe } = pass;
  const { meta, blobs, locks } = context;
  for (let after = ''; ; await breathe()) {
    const rows = await meta.read
      .selectFrom('blob')
      .select((builder) => [
        'blob.digest',
        'blob.bytes',
        // Only a dry run has to count, and a base image is a member of thousands of repositories.
        (dryRun
          ? builder
              .selectFrom('repository_blob')
              .select((count) => count.fn.countAll<number>().as('count'))
              .whereRef('repository_blob.digest', '=', 'blob.digest')
          : builder.exists(
              builder
                .selectFrom('repository_blob')
                .select('repository_blob.repository_id')
                .whereRef('repository_blob.digest', '=', 'blob.digest'),
            )
        ).as('members'),
      ])
      .where('blob.digest', '>', after)
      .orderBy('blob.digest')
      .limit(BATCH)
      .execute();
    for (const row of rows) {
      after = row.digest;
      if (Number(row.members) > (ended.get(row.digest) ?? 0)) continue;
      const digest = row.digest as Digest;
      // The images that this pass purged have no edges any more, except in a dry run.
      let wanted = meta.read
        .selectFrom('deleted_blob')
        .innerJoin('deleted_manifest', 'deleted_manifest.id', 'deleted_blob.deleted_manifest_id')
        .select('deleted_manifest.id')
        .where('deleted_blob.digest', '=', digest)
        .limit(1);
      if (dryRun) wanted = wanted.where(purge ? 'deleted_manifest.deleted_at' : 'deleted_manifest.purge_at', '>', now);
      if ((await wanted.executeTakeFirst()) !== undefined) continue;
      if (dryRun) {
        report.blobsDeleted++;
        report.bytesFreed += row.bytes;
        continue;
      }
      await locks(digest, async () => {
        const { numDeletedRows } = await meta.transact((transaction) =>
          transaction
            .deleteFrom('blob')
            .where('digest', '=', digest)
            .where(({ not, exists, selectFrom }) =>
              not(exists(selectFrom('repository_blob').select('repository_id').where('digest', '=', digest))),
            )
            .where(({ not, exists, selectFrom }) =>
              not(exists(selectFrom('deleted_blob').select('deleted_manifest_id').where('digest', '=', digest))),
            )
            .where(({ not, exists, selectFrom }) =>
              not(exists(selectFrom('manifest_blob').select('manifest_id').where('digest', '=', digest))),
            )
            .executeTakeFirstOrThrow(),
        );
        if (Number(numDeletedRows) === 0) return;
        report.blobsDeleted++;
        report.bytesFreed += await blobs.remove(digest);
      });
      await breathe();
    }
    if (rows.length < BATCH) return;
  }
}

/** Removes files that no row owns: a crash left them between the row and the bytes. */
export async function collectFiles({ context: { meta, blobs, locks }, now, dryRun, times, report }: Pass): Promise<void> {
  const isOwned = async (digest: Digest) =>
    (await meta.read.selectFrom('blob').select('digest').where('digest', '=', digest).executeTakeFirst()) !== undefined;
  for await (const { digest, bytes, modifiedAt } of blobs.list()) {
    if (modifiedAt > now - times.orphanAge || (await isOwned(digest))) continue;
    await locks(digest, async () => {
      // A push that made the file may have written its row while we waited for the lock.
      if (await isOwned(digest)) return;
      report.bytesFreed += dryRun ? bytes : await blobs.remove(digest);
      report.orphansDeleted++;
    });
  }
}
