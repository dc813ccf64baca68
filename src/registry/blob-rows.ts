import type { Digest } from '../core/digest.ts';
import { Fault } from '../core/fault.ts';
import type { BlobLocks } from './blob-locks.ts';
import type { RegistryContext, RegistryTransaction } from './context.ts';
import type { BlobStamp, BlobStore } from './ports.ts';
import type { Repository } from './registry.ts';

/** What the parts that handle blobs share. */
export interface BlobContext extends RegistryContext {
  readonly blobs: BlobStore;
  readonly locks: BlobLocks;
}

/** Says that the bytes of `digest` are there, were just found right, and are known by `stamp`. */
export async function writeBlobRow(
  transaction: RegistryTransaction,
  row: { digest: Digest; bytes: number; stamp: BlobStamp; now: number },
): Promise<void> {
  const { digest, bytes, stamp, now } = row;
  await transaction
    .insertInto('blob')
    .values({ digest, bytes, stamp, created_at: now, corrupt_at: null, verified_at: now })
    .onConflict((conflict) => conflict.column('digest').doUpdateSet({ bytes, stamp, corrupt_at: null, verified_at: now }))
    .execute();
}

/** Makes the blob a member with a lease until then; a longer lease stays. Gives whether it was a member before. */
export async function writeMembership(
  transaction: RegistryTransaction,
  repository: Repository,
  digest: Digest,
  leaseUntil: number,
): Promise<boolean> {
  const member = await transaction
    .selectFrom('repository_blob')
    .select('lease_until')
    .where('repository_id', '=', repository.id)
    .where('digest', '=', digest)
    .executeTakeFirst();
  if (member === undefined) {
    await transaction
      .insertInto('repository_blob')
      .values({ repository_id: repository.id, digest, lease_until: leaseUntil })
      .execute();
  } else if (member.lease_until < leaseUntil) {
    await renewLease(transaction, repository, digest, leaseUntil);
  }
  return member !== undefined;
}

/** False when the blob is no member (any more). */
export async function renewLease(
  transaction: RegistryTransaction,
  repository: Repository,
  digest: Digest,
  leaseUntil: number,
): Promise<boolean> {
  const { numUpdatedRows } = await transaction
    .updateTable('repository_blob')
    .set({ lease_until: leaseUntil })
    .where('repository_id', '=', repository.id)
    .where('digest', '=', digest)
    .executeTakeFirstOrThrow();
  return Number(numUpdatedRows) > 0;
}

/** Puts a blob whose bytes are wrong or gone out of the way: served to nobody, healed by the next push. Under the digest's lock. */
export async function condemnBlob(
  { meta, blobs, clock, log }: BlobContext,
  digest: Digest,
  found: Digest | undefined,
): Promise<void> {
  // The row first: bytes that are known to be wrong must not be served, even if moving them fails.
  const repositories = await meta.transact(async (transaction) => {
    await transaction
      .updateTable('blob')
      .set({ corrupt_at: clock.now() })
      .where('digest', '=', digest)
      .where('corrupt_at', 'is', null)
      .execute();
    return transaction
      .selectFrom('repository_blob')
      .innerJoin('repository', 'repository.id', 'repository_blob.repository_id')
      .select('repository.name')
      .where('repository_blob.digest', '=', digest)
      .orderBy('repository.name')
      .limit(100)
      .execute();
  });
  log.error('a blob is corrupt and is served no more; push an image that has it again to heal it', {
    digest,
    found: found ?? 'no bytes',
    repositories: repositories.map((row) => row.name),
  });
  if (found !== undefined) await blobs.quarantine(digest);
}

export function blobUnknown(repository: Repository, digest: Digest): Fault<'blob-unknown'> {
  return new Fault('blob-unknown', { repository: repository.name, registryId: repository.account, digest });
}
