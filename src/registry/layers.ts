import type { Digest } from '../core/digest.ts';
import { Fault } from '../core/fault.ts';
import { recordAudit } from './audit.ts';
import { blobUnknown, condemnBlob, renewLease, writeBlobRow, writeMembership, type BlobContext } from './blob-rows.ts';
import { rememberQuery } from './compiled.ts';
import type { BlobReader } from './ports.ts';
import type { Layers, Repository } from './registry.ts';
import { readRepository } from './repository-rows.ts';
import { createUploads } from './uploads.ts';

/** Blobs as the repositories see them. `layerLimit`: the largest blob, in bytes. */
export function createLayers(context: BlobContext, limits: { layerLimit?: number } = {}): Layers {
  const { meta, blobs, clock, locks, options } = context;

  const member = rememberQuery(
    meta,
    meta.read
      .selectFrom('repository_blob')
      .innerJoin('blob', 'blob.digest', 'repository_blob.digest')
      .select(['blob.bytes', 'blob.stamp', 'blob.corrupt_at', 'repository_blob.lease_until'])
      .where('repository_blob.repository_id', '=', 0)
      .where('repository_blob.digest', '=', ''),
    (row) => row,
  );
  const findMember = (repository: Repository, digest: Digest) => member.find([repository.id, digest]);

  /** Opens the blob once its bytes are known to be right. Under the digest's lock. */
  async function openVerified(repository: Repository, digest: Digest): Promise<{ bytes: number; reader: BlobReader }> {
    // Somebody who held the lock before may have seen to it.
    const row = await findMember(repository, digest);
    if (row === undefined) throw blobUnknown(repository, digest);
    if (row.corrupt_at !== null) throw new Fault('blob-corrupt', { digest });
    const reader = await blobs.open(digest);
    try {
      if (reader?.stamp === row.stamp) return { bytes: row.bytes, reader };
      const found = await blobs.rehash(digest);
      if (reader !== undefined && found === digest) {
        const after = await blobs.open(digest);
        await after?.close();
        // What was hashed is not surely what the reader sees.
        if (after?.stamp !== reader.stamp) throw new Error(`${digest} was written to from outside while it was checked`);
        const { bytes, stamp } = reader;
        await meta.transact((transaction) => writeBlobRow(transaction, { digest, bytes, stamp, now: clock.now() }));
        return { bytes, reader };
      }
      await condemnBlob(context, digest, found);
      throw new Fault('blob-corrupt', { digest });
    } catch (error) {
      await reader?.close();
      throw error;
    }
  }

  return {
    ...createUploads(context, limits),

    async stat(repository, digest) {
      const row = await findMember(repository, digest);
      // "Not here" makes a client push it again, which is what heals a corrupt one.
      if (row === undefined || row.corrupt_at !== null) return undefined;
      const now = clock.now();
      if (row.lease_until - now < options.leaseMs / 2) {
        // The answer lets a client leave the blob out of its push: it counts only if the lease could still be written.
        const isMember = await meta.transact((transaction) => renewLease(transaction, repository, digest, now + options.leaseMs));
        if (!isMember) return undefined;
      }
      return { digest, bytes: row.bytes };
    },

    async open(repository, digest) {
      const row = await findMember(repository, digest);
      if (row === undefined) throw blobUnknown(repository, digest);
      if (row.corrupt_at !== null) throw new Fault('blob-corrupt', { digest });
      const reader = await blobs.open(digest);
      if (reader?.stamp === row.stamp) return { digest, bytes: row.bytes, reader };
      await reader?.close();
      return { digest, ...(await locks(digest, () => openVerified(repository, digest))) };
    },

    async isReferenced(repository, digest) {
      const row = await meta.read
        .selectFrom('manifest_blob')
        .crossJoin('manifest')
        .whereRef('manifest.id', '=', 'manifest_blob.manifest_id')
        .select('manifest.id')
        .where('manifest_blob.digest', '=', digest)
        .where('manifest.repository_id', '=', repository.id)
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    },

    mount: (caller, repository, digest, from) =>
      meta.transact(async (transaction) => {
        await readRepository(transaction, repository);
        const source = await transaction
          .selectFrom('repository_blob')
          .innerJoin('blob', 'blob.digest', 'repository_blob.digest')
          .select('blob.bytes')
          .where('repository_blob.repository_id', '=', from.id)
          .where('repository_blob.digest', '=', digest)
          .where('blob.corrupt_at', 'is', null)
          .executeTakeFirst();
        if (source === undefined) return false;
        const now = clock.now();
        await writeMembership(transaction, repository, digest, now + options.leaseMs);
        await recordAudit(transaction, caller, {
          at: now,
          action: 'blob.mount',
          repository: repository.name,
          detail: { digest, from: from.name },
        });
        return true;
      }),

    remove: (caller, repository, digest) =>
      meta.transact(async (transaction) => {
        await readRepository(transaction, repository);
        const reference = await transaction
          .selectFrom('manifest_blob')
          .crossJoin('manifest')
          .whereRef('manifest.id', '=', 'manifest_blob.manifest_id')
          .select('manifest.id')
          .where('manifest_blob.digest', '=', digest)
          .where('manifest.repository_id', '=', repository.id)
          .limit(1)
          .executeTakeFirst();
        if (reference !== undefined) throw new Fault('blob-referenced', { repository: repository.name, digest });
        const { numDeletedRows } = await transaction
          .deleteFrom('repository_blob')
          .where('repository_id', '=', repository.id)
          .where('digest', '=', digest)
          .executeTakeFirstOrThrow();
        if (Number(numDeletedRows) === 0) throw blobUnknown(repository, digest);
        await recordAudit(transaction, caller, {
          at: clock.now(),
          action: 'blob.remove',
          repository: repository.name,
          detail: { digest },
        });
      }),
  };
}
