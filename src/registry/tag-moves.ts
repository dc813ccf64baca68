import { sql } from 'kysely';
import type { Digest } from '../core/digest.ts';
import { Fault } from '../core/fault.ts';
import type { Caller } from '../core/place.ts';
import type { Tag } from '../core/tag.ts';
import type { RegistryOptions, RegistryTransaction } from './context.ts';
import { chunksOf } from './image-rows.ts';
import type { Repository } from './registry.ts';
import { isTagProtected, protectionReason } from './tag-protection.ts';

export type TagCause = 'push' | 'retag' | 'delete' | 'expire' | 'restore';

/**
 * The time of a change in the repository: now, or the repository's latest push or tag move where the clock has gone back
 * since. What comes later is never older, so "newest first" and "at that time" stay true.
 */
export async function repositoryTime(transaction: RegistryTransaction, repository: Repository, now: number): Promise<number> {
  const latest = await transaction
    .selectNoFrom((builder) => [
      builder
        .selectFrom('manifest')
        .select('pushed_at')
        .where('repository_id', '=', repository.id)
        .orderBy('pushed_at', 'desc')
        .limit(1)
        .as('pushed'),
      builder
        .selectFrom('tag_event')
        .select('at')
        .where('account', '=', repository.account)
        .where('region', '=', repository.region)
        .where('repository', '=', repository.name)
        .orderBy('at', 'desc')
        .limit(1)
        .as('moved'),
    ])
    .executeTakeFirstOrThrow();
  return Math.max(now, latest.pushed ?? 0, latest.moved ?? 0);
}

/** Raises `tag-immutable` for the first tag that would move and may not. `targets`: what the tags point at now. */
export function refuseProtectedMoves(
  repository: Repository,
  moving: Tag[],
  targets: ReadonlyMap<Tag, { digest: Digest }>,
  options: Pick<RegistryOptions, 'tagImmutableMessage'>,
): void {
  for (const tag of moving) {
    const target = targets.get(tag);
    if (target === undefined || !isTagProtected(repository.tagMutability, repository.exclusionFilters, tag)) continue;
    throw new Fault('tag-immutable', {
      repository: repository.name,
      registryId: repository.account,
      tag,
      digest: target.digest,
      because: protectionReason(repository.tagMutability, options.tagImmutableMessage),
    });
  }
}

/** Points tags at an image and writes their history. Protection and limits have been checked. */
export async function moveTags(
  transaction: RegistryTransaction,
  caller: Caller,
  repository: Repository,
  image: { id: number; digest: Digest },
  tags: Tag[],
  move: { at: number; cause: TagCause; targets: ReadonlyMap<Tag, { digest: Digest }> },
): Promise<void> {
  for (const chunk of chunksOf(tags)) {
    await transaction
      .insertInto('tag')
      .values(chunk.map((name) => ({ repository_id: repository.id, name, manifest_id: image.id, updated_at: move.at })))
      .onConflict((conflict) =>
        conflict.columns(['repository_id', 'name']).doUpdateSet({
          manifest_id: sql.ref<number>('excluded.manifest_id'),
          updated_at: sql.ref<number>('excluded.updated_at'),
        }),
      )
      .execute();
    await transaction
      .insertInto('tag_event')
      .values(
        chunk.map((tag) => ({
          account: repository.account,
          region: repository.region,
          repository: repository.name,
          tag,
          at: move.at,
          old_digest: move.targets.get(tag)?.digest ?? null,
          new_digest: image.digest,
          principal: caller.principal,
          cause: move.cause,
        })),
      )
      .execute();
  }
}

/** Removes one tag and writes its history. */
export async function removeTag(
  transaction: RegistryTransaction,
  caller: Caller,
  repository: Repository,
  tag: { name: Tag; digest: Digest },
  move: { at: number; cause: string },
): Promise<void> {
  await transaction.deleteFrom('tag').where('repository_id', '=', repository.id).where('name', '=', tag.name).execute();
  await transaction
    .insertInto('tag_event')
    .values({
      account: repository.account,
      region: repository.region,
      repository: repository.name,
      tag: tag.name,
      at: move.at,
      old_digest: tag.digest,
      new_digest: null,
      principal: caller.principal,
      cause: move.cause,
    })
    .execute();
}

/** Raises `limit-exceeded` when the image would have more tags than it may. An image has few, so they are counted each time. */
export async function checkTagLimit(
  transaction: RegistryTransaction,
  manifestId: number | undefined,
  added: number,
  limit: number,
): Promise<void> {
  let existing = 0;
  if (manifestId !== undefined && added > 0) {
    const row = await transaction
      .selectFrom('tag')
      .select((builder) => builder.fn.countAll<number>().as('count'))
      .where('manifest_id', '=', manifestId)
      .executeTakeFirstOrThrow();
    existing = Number(row.count);
  }
  if (existing + added > limit) throw new Fault('limit-exceeded', { what: 'tags per image', limit });
}
