import { digestAlgorithm, type Digest } from '../core/digest.ts';
import { Fault } from '../core/fault.ts';
import type { Caller } from '../core/place.ts';
import { declaredImageSize, parseManifest } from '../core/manifest.ts';
import type { Tag } from '../core/tag.ts';
import { recordAudit } from './audit.ts';
import type { RegistryContext, RegistryTransaction } from './context.ts';
import { decodeCursor, pageOf } from './cursor.ts';
import { checkChildren, forgetDeleted, insertEdges, insertManifest } from './image-put.ts';
import { chunksOf, readTargets } from './image-rows.ts';
import type { DeletedImage, Images, Repository } from './registry.ts';
import { readRepository } from './repository-rows.ts';
import { moveTags, repositoryTime } from './tag-moves.ts';

export function createRestores(context: RegistryContext): Pick<Images, 'listDeleted' | 'restore'> {
  const { meta } = context;
  return {
    async listDeleted(repository, { limit, next }) {
      let query = meta.read
        .selectFrom('deleted_manifest')
        .select(['id', 'digest', 'media_type', 'tags', 'pushed_at', 'deleted_at', 'purge_at', 'principal', 'cause', 'run'])
        .where('account', '=', repository.account)
        .where('region', '=', repository.region)
        .where('repository', '=', repository.name)
        .orderBy('deleted_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1);
      if (next !== undefined) {
        const [deletedAt, id] = decodeCursor(next, ['number', 'number']);
        query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('deleted_at', 'id'), '<', tuple(deletedAt, id)));
      }
      return pageOf(
        await query.execute(),
        limit,
        (row) => [row.deleted_at, row.id],
        (row): DeletedImage => ({
          digest: row.digest as Digest,
          mediaType: row.media_type,
          tags: JSON.parse(row.tags) as Tag[],
          pushedAt: row.pushed_at,
          deletedAt: row.deleted_at,
          purgeAt: row.purge_at,
          principal: row.principal,
          cause: row.cause,
          ...(row.run !== null ? { run: row.run } : {}),
        }),
      );
    },

    restore: (caller, known, digest) =>
      meta.transact(async (transaction) => {
        const repository = await readRepository(transaction, known);
        const restored = await restoreWithTags(transaction, context, caller, repository, digest);
        if (restored === undefined) throw new Fault('deleted-image-unknown', { repository: repository.name, digest });
        return restored;
      }),
  };
}

/** `restoreImage` with the tags that nobody has taken since, and its audit row. */
export async function restoreWithTags(
  transaction: RegistryTransaction,
  { clock }: Pick<RegistryContext, 'clock'>,
  caller: Caller,
  repository: Repository,
  digest: Digest,
): Promise<{ tags: Tag[]; tagsTaken: Tag[] } | undefined> {
  const restored = await restoreImage(transaction, repository, digest, clock.now());
  if (restored === undefined) return undefined;
  const targets = await readTargets(transaction, repository.id, restored.tags);
  const tags = restored.tags.filter((tag) => !targets.has(tag));
  const tagsTaken = restored.tags.filter((tag) => targets.has(tag));
  const at = await repositoryTime(transaction, repository, clock.now());
  await moveTags(transaction, caller, repository, { id: restored.id, digest }, tags, { at, cause: 'restore', targets });
  await recordAudit(transaction, caller, {
    at,
    action: 'image.restore',
    repository: repository.name,
    detail: { digest, tags, tagsTaken },
  });
  return { tags, tagsTaken };
}

/**
 * Puts a deleted image back inside the caller's transaction, without its tags: those that it had are given back.
 * `undefined` when no image of this digest can be restored. Raises `children-unknown`. Writes no audit row.
 */
export async function restoreImage(
  transaction: RegistryTransaction,
  repository: Repository,
  digest: Digest,
  now: number,
): Promise<{ id: number; tags: Tag[]; isArchived: boolean } | undefined> {
  const row = await transaction
    .selectFrom('deleted_manifest')
    .selectAll()
    .where('account', '=', repository.account)
    .where('region', '=', repository.region)
    .where('repository', '=', repository.name)
    .where('digest', '=', digest)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const manifest = parseManifest(row.body, row.media_type, digestAlgorithm(digest));
  const largestChild = await checkChildren(transaction, repository, manifest, { archivedToo: row.storage_class === 'archive' });
  const blobs = await transaction.selectFrom('deleted_blob').select('digest').where('deleted_manifest_id', '=', row.id).execute();
  const digests = blobs.map((blob) => blob.digest as Digest);

  const imageSize = manifest.shape === 'index' ? largestChild : declaredImageSize(manifest);
  const { pushed_at, pushed_by, pulled_at, storage_class, archived_at, activated_at } = row;
  const life = { pushed_at, pushed_by, pulled_at, storage_class, archived_at, activated_at };
  const id = await insertManifest(transaction, repository, manifest, row.body, imageSize, life);
  for (const chunk of chunksOf(digests)) {
    await transaction
      .insertInto('repository_blob')
      .values(chunk.map((blob) => ({ repository_id: repository.id, digest: blob, lease_until: now })))
      .onConflict((conflict) => conflict.columns(['repository_id', 'digest']).doNothing())
      .execute();
  }
  await insertEdges(transaction, id, manifest, digests);
  await forgetDeleted(transaction, repository, digest);
  return { id, tags: JSON.parse(row.tags) as Tag[], isArchived: storage_class === 'archive' };
}
