import { sql } from 'kysely';
import type { Digest } from '../core/digest.ts';
import { Fault, isFault } from '../core/fault.ts';
import type { Caller } from '../core/place.ts';
import type { Tag } from '../core/tag.ts';
import { recordAudit } from './audit.ts';
import type { RegistryContext, RegistryTransaction } from './context.ts';
import { readAncestors, readLiveHolds, readParents } from './holds.ts';
import { getImage, imageUnknown, readTags, readTargets } from './image-rows.ts';
import type { Hold, Images, Repository } from './registry.ts';
import { readRepository } from './repository-rows.ts';
import { removeTag, repositoryTime } from './tag-moves.ts';

export type DeletionCause = 'delete' | 'expire';

/** How long what is deleted can be restored. */
interface Grace {
  readonly options: Pick<RegistryContext['options'], 'graceMs'>;
}

/** Deleting: an image leaves every wire at once, and lies among the deleted ones until its grace period ends. */
export function createDeletions(context: RegistryContext): Pick<Images, 'untag' | 'delete'> {
  const { meta, clock } = context;
  return {
    untag: (caller, known, tag, { lastTag, digest, cause = 'delete' }) =>
      meta.transact(async (transaction) => {
        const repository = await readRepository(transaction, known);
        const target = (await readTargets(transaction, repository.id, [tag])).get(tag);
        if (target === undefined) throw imageUnknown(repository, { tag, ...(digest !== undefined ? { digest } : {}) });
        if (digest !== undefined && digest !== target.digest) {
          throw new Fault('tag-digest-mismatch', { repository: repository.name, registryId: repository.account, digest, tag });
        }
        const isLast = lastTag === 'delete-image' && !(await hasOtherTag(transaction, target.manifestId, tag));
        if (isLast) {
          await deleteImage(transaction, context, caller, repository, target.digest, {
            cause: cause === 'expire' ? 'expire' : 'delete',
          });
        } else {
          const at = await repositoryTime(transaction, repository, clock.now());
          await removeTag(transaction, caller, repository, { name: tag, digest: target.digest }, { at, cause });
        }
        await recordAudit(transaction, caller, {
          at: clock.now(),
          action: 'tag.delete',
          repository: repository.name,
          detail: { tag, digest: target.digest, imageDeleted: isLast },
        });
        return target.digest;
      }),

    delete: (caller, known, digest, { cause = 'delete', run } = {}) =>
      meta.transact(async (transaction) => {
        const repository = await readRepository(transaction, known);
        const tags = await deleteImage(transaction, context, caller, repository, digest, {
          cause,
          ...(run !== undefined ? { run } : {}),
        });
        await recordAudit(transaction, caller, {
          at: clock.now(),
          action: `image.${cause}`,
          repository: repository.name,
          detail: { digest, tags, ...(run !== undefined ? { run } : {}) },
        });
        return tags;
      }),
  };
}

/**
 * Deletes one image inside the caller's transaction, and gives the tags that it had. Writes tag history, no audit row.
 * Raises `image-unknown`, `image-held`, `image-referenced`.
 */
export async function deleteImage(
  transaction: RegistryTransaction,
  context: Pick<RegistryContext, 'clock'> & Grace,
  caller: Caller,
  repository: Repository,
  digest: Digest,
  deletion: { cause: DeletionCause; run?: string },
): Promise<Tag[]> {
  const now = context.clock.now();
  const image = await getImage(transaction, repository, digest);
  const ancestors = await readAncestors(transaction, repository.id, digest);
  const holds = await readLiveHolds(transaction, repository, [digest, ...ancestors], now);
  if (holds.length > 0) throw imageHeld(repository, digest, holds);
  if (ancestors.length > 0) {
    const parents = await readParents(transaction, repository.id, [digest]);
    throw new Fault('image-referenced', { repository: repository.name, digest, parents });
  }
  const tags = (await readTags(transaction, [image.id])).get(image.id) ?? [];
  await moveToDeleted(transaction, context, caller, repository, { ...deletion, images: [image], now });
  return tags;
}

export function imageHeld(repository: Repository, digest: Digest, holds: Hold[]): Fault<'image-held'> {
  return new Fault('image-held', {
    repository: repository.name,
    digest,
    holds: holds.slice(0, 100).map(({ kind, holder, since }) => ({ kind, holder, since })),
  });
}

/**
 * Deletes many images inside the caller's transaction, at most CHUNK of them: what of it could be deleted, with the tags
 * that they had, and why the others could not (`image-unknown`, `image-held`, `image-referenced`). Writes no audit rows.
 */
export async function deleteImages(
  transaction: RegistryTransaction,
  context: Pick<RegistryContext, 'clock'> & Grace,
  caller: Caller,
  repository: Repository,
  digests: Digest[],
  deletion: { cause: DeletionCause; run?: string },
): Promise<{ deleted: Map<Digest, Tag[]>; refused: Map<Digest, Fault> }> {
  const result = { deleted: new Map<Digest, Tag[]>(), refused: new Map<Digest, Fault>() };
  if (digests.length === 0) return result;
  const now = context.clock.now();
  const entries = await transaction
    .selectFrom('manifest_child')
    .crossJoin('manifest')
    .whereRef('manifest.id', '=', 'manifest_child.manifest_id')
    .select('manifest_child.digest')
    .distinct()
    .where('manifest_child.digest', 'in', digests)
    .where('manifest.repository_id', '=', repository.id)
    .execute();
  const isEntry = new Set(entries.map(({ digest }) => digest));
  const held = Map.groupBy(await readLiveHolds(transaction, repository, digests, now), ({ digest }) => digest);
  const rows = await transaction
    .selectFrom('manifest')
    .select(['id', 'digest'])
    .where('repository_id', '=', repository.id)
    .where('digest', 'in', digests)
    .execute();
  const ids = new Map(rows.map(({ id, digest }) => [digest as Digest, id]));
  const images: { id: number; digest: Digest }[] = [];
  for (const digest of digests) {
    const id = ids.get(digest);
    const holds = held.get(digest);
    if (id === undefined) result.refused.set(digest, imageUnknown(repository, { digest }));
    else if (isEntry.has(digest)) {
      // Whoever holds an index that lists it is looked for as well.
      try {
        result.deleted.set(digest, await deleteImage(transaction, context, caller, repository, digest, deletion));
      } catch (error) {
        if (!isFault(error)) throw error;
        result.refused.set(digest, error);
      }
    } else if (holds !== undefined) result.refused.set(digest, imageHeld(repository, digest, holds));
    else images.push({ id, digest });
  }
  if (images.length === 0) return result;
  const tags = await readTags(
    transaction,
    images.map(({ id }) => id),
  );
  for (const { id, digest } of images) result.deleted.set(digest, tags.get(id) ?? []);
  await moveToDeleted(transaction, context, caller, repository, { ...deletion, images, now });
  return result;
}

/**
 * Moves some images, or all of the repository's, among the deleted ones, with their tags, edges and history. The caller has
 * made sure that none is held at the time `now`; holds that had expired by then go with their images.
 */
export async function moveToDeleted(
  transaction: RegistryTransaction,
  { options }: Grace,
  caller: Caller,
  repository: Repository,
  which: { images?: { id: number; digest: Digest }[]; cause: DeletionCause; run?: string; now: number },
): Promise<void> {
  const { images, now } = which;
  const { account, region, name } = repository;
  // Whole tables at a time: a repository may have 100,000 images. The casts are for databases that have to know the type
  // of a bare parameter; tag names need no escape inside JSON.
  const selected =
    images === undefined
      ? sql<boolean>`manifest.repository_id = ${repository.id}`
      : sql<boolean>`manifest.id in (${sql.join(images.map(({ id }) => id))})`;
  const text = (value: string | null) => sql`cast(${value} as text)`;
  const number = (value: number) => sql`cast(${value} as bigint)`;
  const at = await repositoryTime(transaction, repository, now);

  await sql`
    insert into deleted_manifest (account, region, repository, digest, media_type, tags, pushed_at, pushed_by, pulled_at,
      storage_class, archived_at, activated_at, deleted_at, purge_at, principal, cause, run, body)
    select ${text(account)}, ${text(region)}, ${text(name)}, digest, media_type,
      coalesce((select '["' || string_agg(tag.name, '","' order by tag.name) || '"]' from tag where tag.manifest_id = manifest.id), '[]'),
      pushed_at, pushed_by, pulled_at, storage_class, archived_at, activated_at,
      ${number(now)}, ${number(now + options.graceMs)}, ${text(caller.principal)}, ${text(which.cause)}, ${text(which.run ?? null)}, body
    from manifest where ${selected} order by manifest.id`.execute(transaction);
  await sql`
    insert into deleted_blob (deleted_manifest_id, digest)
    select deleted_manifest.id, manifest_blob.digest
    from manifest
    inner join manifest_blob on manifest_blob.manifest_id = manifest.id
    inner join deleted_manifest on deleted_manifest.account = ${account} and deleted_manifest.region = ${region}
      and deleted_manifest.repository = ${name} and deleted_manifest.digest = manifest.digest
    where ${selected}`.execute(transaction);
  await sql`
    insert into tag_event (account, region, repository, tag, at, old_digest, new_digest, principal, cause)
    select ${text(account)}, ${text(region)}, ${text(name)}, tag.name, ${number(at)}, manifest.digest, null, ${text(caller.principal)}, ${text(which.cause)}
    from manifest inner join tag on tag.manifest_id = manifest.id
    where ${selected} order by manifest.id, tag.name`.execute(transaction);

  if (images === undefined) {
    await transaction.deleteFrom('tag').where('repository_id', '=', repository.id).execute();
    await transaction.deleteFrom('hold').where('repository_id', '=', repository.id).where('expires_at', '<=', now).execute();
    await transaction.deleteFrom('manifest').where('repository_id', '=', repository.id).execute();
  } else {
    const ids = images.map(({ id }) => id);
    const digests = images.map(({ digest }) => digest);
    await transaction.deleteFrom('tag').where('manifest_id', 'in', ids).execute();
    await transaction
      .deleteFrom('hold')
      .where('repository_id', '=', repository.id)
      .where('digest', 'in', digests)
      .where('expires_at', '<=', now)
      .execute();
    await transaction.deleteFrom('manifest').where('id', 'in', ids).execute();
  }
}

async function hasOtherTag(transaction: RegistryTransaction, manifestId: number, tag: Tag): Promise<boolean> {
  const row = await transaction
    .selectFrom('tag')
    .select('name')
    .where('manifest_id', '=', manifestId)
    .where('name', '!=', tag)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
