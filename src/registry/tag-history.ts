import type { Digest } from '../core/digest.ts';
import type { Tag } from '../core/tag.ts';
import { recordAudit } from './audit.ts';
import type { RegistryContext } from './context.ts';
import { decodeCursor, pageOf } from './cursor.ts';
import { findImage, imageUnknown, readTargets } from './image-rows.ts';
import { restoreImage } from './image-restore.ts';
import type { TagEvent, TagHistory } from './registry.ts';
import { readRepository } from './repository-rows.ts';
import { checkTagLimit, moveTags, refuseProtectedMoves, repositoryTime } from './tag-moves.ts';

/** Where every tag has pointed at every time; kept for ever, a deleted repository's too. */
export function createTagHistory(context: RegistryContext): TagHistory {
  const { meta, clock, options } = context;

  const history: TagHistory = {
    async history(place, tag, { limit, next }) {
      let query = meta.read
        .selectFrom('tag_event')
        .select(['id', 'tag', 'at', 'old_digest', 'new_digest', 'principal', 'cause'])
        .where('account', '=', place.account)
        .where('region', '=', place.region)
        .where('repository', '=', place.name)
        .orderBy('at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1);
      if (tag !== undefined) query = query.where('tag', '=', tag);
      if (next !== undefined) {
        const [at, id] = decodeCursor(next, ['number', 'number']);
        query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('at', 'id'), '<', tuple(at, id)));
      }
      return pageOf(
        await query.execute(),
        limit,
        (row) => [row.at, row.id],
        (row): TagEvent => ({
          tag: row.tag as Tag,
          at: row.at,
          principal: row.principal,
          cause: row.cause,
          ...(row.old_digest !== null ? { oldDigest: row.old_digest as Digest } : {}),
          ...(row.new_digest !== null ? { newDigest: row.new_digest as Digest } : {}),
        }),
      );
    },

    async at(place, tag, time) {
      const row = await meta.read
        .selectFrom('tag_event')
        .select('new_digest')
        .where('account', '=', place.account)
        .where('region', '=', place.region)
        .where('repository', '=', place.name)
        .where('tag', '=', tag)
        .where('at', '<=', time)
        .orderBy('at', 'desc')
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst();
      return (row?.new_digest ?? undefined) as Digest | undefined;
    },

    async restore(caller, known, tag, target) {
      const digest = 'digest' in target ? target.digest : await history.at(known, tag, target.at);
      return meta.transact(async (transaction) => {
        const repository = await readRepository(transaction, known);
        if (digest === undefined) throw imageUnknown(repository, { tag });
        const targets = await readTargets(transaction, repository.id, [tag]);
        if (targets.get(tag)?.digest === digest) return digest;
        refuseProtectedMoves(repository, [tag], targets, options);
        const image =
          (await findImage(transaction, repository.id, digest)) ??
          (await restoreImage(transaction, repository, digest, clock.now()));
        if (image === undefined || image.isArchived) throw imageUnknown(repository, { digest, tag });
        await checkTagLimit(transaction, image.id, 1, options.limits.tagsPerImage);
        const at = await repositoryTime(transaction, repository, clock.now());
        await moveTags(transaction, caller, repository, { id: image.id, digest }, [tag], { at, cause: 'restore', targets });
        await recordAudit(transaction, caller, {
          at,
          action: 'tag.restore',
          repository: repository.name,
          detail: { tag, digest },
        });
        return digest;
      });
    },
  };
  return history;
}
