import type { Digest } from '../core/digest.ts';
import { isFault } from '../core/fault.ts';
import type { Caller } from '../core/place.ts';
import { recordAudit } from './audit.ts';
import type { Pass } from './collection-pass.ts';
import type { RegistryTransaction } from './context.ts';
import { deleteImage } from './image-delete.ts';
import type { Repository } from './registry.ts';
import { toRepository } from './repository-rows.ts';

const BATCH = 100;
/** Who did it, in the audit log and in the history of tags. */
const PRINCIPAL = 'system:collector';

/** Removes the rows of holds that have run out; they have held nothing since. */
export async function collectHolds({ context: { meta }, now, dryRun, report, breathe }: Pass): Promise<void> {
  if (dryRun) {
    const { count } = await meta.read
      .selectFrom('hold')
      .select((builder) => builder.fn.countAll<number>().as('count'))
      .where('expires_at', '<=', now)
      .executeTakeFirstOrThrow();
    report.holdsExpired += Number(count);
    return;
  }
  for (let removed = BATCH; removed === BATCH; await breathe()) {
    const result = await meta.transact((transaction) =>
      transaction
        .deleteFrom('hold')
        .where('id', 'in', (builder) => builder.selectFrom('hold').select('id').where('expires_at', '<=', now).limit(BATCH))
        .executeTakeFirstOrThrow(),
    );
    removed = Number(result.numDeletedRows);
    report.holdsExpired += removed;
  }
}

/**
 * Forgets deleted images whose grace has ended, and deletes the referrers that an image leaves behind. Adds to
 * `touched` the repositories whose layers may have become free.
 */
export async function collectImages(pass: Pass, touched: Set<number>): Promise<void> {
  const { context, now, dryRun, report, breathe } = pass;
  for (let after = 0; ; await breathe()) {
    let query = context.meta.read.selectFrom('deleted_manifest').select('id').where('id', '>', after).orderBy('id').limit(BATCH);
    query = pass.purge ? query.where('deleted_at', '<=', now) : query.where('purge_at', '<=', now);
    const due = await query.execute();
    for (const { id } of due) {
      after = id;
      /** Referrers that stay: held, tagged by somebody, or part of an index. */
      const kept = new Set<number>();
      for (let isDone = false; !isDone;) {
        const work = (transaction: RegistryTransaction) => purgeImage(transaction, pass, id, kept);
        const step = dryRun ? await planPurge(pass, id) : await context.meta.transact(work);
        for (const referrer of step.keep) kept.add(referrer);
        report.referrersDeleted += step.referrers;
        report.imagesPurged += step.purged;
        if (!dryRun && step.repositoryId !== undefined) touched.add(step.repositoryId);
        isDone = step.isDone;
      }
    }
    if (due.length < BATCH) return;
  }
}

interface PurgeStep {
  referrers: number;
  purged: number;
  keep: number[];
  repositoryId: number | undefined;
  isDone: boolean;
}

/** What is to go with one deleted image: nothing when it has been restored since. */
async function readPurge(database: Pick<RegistryTransaction, 'selectFrom'>, pass: Pass, id: number, kept: Set<number>) {
  const image = await database
    .selectFrom('deleted_manifest')
    .select(['account', 'region', 'repository', 'digest', 'pushed_at'])
    .where('id', '=', id)
    .where(pass.purge ? 'deleted_at' : 'purge_at', '<=', pass.now)
    .executeTakeFirst();
  if (image === undefined) return undefined;
  const row = await database
    .selectFrom('repository')
    .selectAll()
    .where('account', '=', image.account)
    .where('region', '=', image.region)
    .where('name', '=', image.repository)
    .executeTakeFirst();
  const repository = row && toRepository(row);
  if (repository === undefined) return { image, repository, referrers: [] };
  const again = await database
    .selectFrom('manifest')
    .select('id')
    .where('repository_id', '=', repository.id)
    .where('digest', '=', image.digest)
    .executeTakeFirst();
  if (again !== undefined) return { image, repository, referrers: [] };
  const referrers = await database
    .selectFrom('manifest')
    .select(['id', 'digest'])
    .where('repository_id', '=', repository.id)
    .where('subject', '=', image.digest)
    // Somebody named it: it is more than an attachment.
    .where((builder) =>
      builder.not(builder.exists(builder.selectFrom('tag').select('tag.name').whereRef('tag.manifest_id', '=', 'manifest.id'))),
    )
    .orderBy('id')
    .limit(BATCH + kept.size)
    .execute();
  return { image, repository, referrers: referrers.filter((referrer) => !kept.has(referrer.id)).slice(0, BATCH) };
}

async function planPurge(pass: Pass, id: number): Promise<PurgeStep> {
  const found = await readPurge(pass.context.meta.read, pass, id, new Set());
  const referrers = found?.referrers.length ?? 0;
  return { referrers, purged: found === undefined ? 0 : 1, keep: [], repositoryId: found?.repository?.id, isDone: true };
}

async function purgeImage(transaction: RegistryTransaction, pass: Pass, id: number, kept: Set<number>): Promise<PurgeStep> {
  const found = await readPurge(transaction, pass, id, kept);
  if (found === undefined) return { referrers: 0, purged: 0, keep: [], repositoryId: undefined, isDone: true };
  const { image, repository } = found;
  const keep: number[] = [];
  let referrers = 0;
  for (const referrer of found.referrers) {
    if (repository !== undefined && (await deleteReferrer(transaction, pass, repository, referrer.digest as Digest))) referrers++;
    else keep.push(referrer.id);
  }
  const isDone = found.referrers.length < BATCH;
  if (isDone) {
    if (pass.purge && repository !== undefined) await endLeases(transaction, pass, repository, { id, pushedAt: image.pushed_at });
    await transaction.deleteFrom('deleted_blob').where('deleted_manifest_id', '=', id).execute();
    await transaction.deleteFrom('deleted_manifest').where('id', '=', id).execute();
  }
  return { referrers, purged: isDone ? 1 : 0, keep, repositoryId: repository?.id, isDone };
}

async function deleteReferrer(
  transaction: RegistryTransaction,
  { context, now }: Pass,
  repository: Repository,
  digest: Digest,
): Promise<boolean> {
  const caller: Caller = { account: repository.account, region: repository.region, principal: PRINCIPAL };
  try {
    await deleteImage(transaction, context, caller, repository, digest, { cause: 'expire' });
  } catch (error) {
    // Both are found out before anything is written.
    if (isFault(error, 'image-held') || isFault(error, 'image-referenced')) return false;
    throw error;
  }
  await recordAudit(transaction, caller, {
    at: now,
    action: 'image.expire',
    repository: repository.name,
    detail: { digest, reason: 'subject purged' },
  });
  return true;
}

/**
 * An operator who purges wants the room now: leases that the image's own push left behind end with it, where nobody is
 * uploading into the repository.
 */
async function endLeases(
  transaction: RegistryTransaction,
  { context: { options }, now }: Pass,
  repository: Repository,
  image: { id: number; pushedAt: number },
) {
  await transaction
    .updateTable('repository_blob')
    .set({ lease_until: now })
    .where('repository_id', '=', repository.id)
    .where('lease_until', '>', now)
    .where('lease_until', '<=', image.pushedAt + options.leaseMs)
    .where('digest', 'in', (builder) =>
      builder.selectFrom('deleted_blob').select('digest').where('deleted_manifest_id', '=', image.id),
    )
    .where((builder) =>
      builder.not(
        builder.exists(
          builder
            .selectFrom('upload')
            .select('upload.id')
            .where('upload.repository_id', '=', repository.id)
            .where('upload.updated_at', '>', now - options.leaseMs),
        ),
      ),
    )
    .execute();
}
