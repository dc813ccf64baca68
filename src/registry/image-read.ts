import { isDigest, type Digest } from '../core/digest.ts';
import type { Tag } from '../core/tag.ts';
import { createBodyCache } from './body-cache.ts';
import { prepareQuery, rememberQuery } from './compiled.ts';
import type { RegistryContext } from './context.ts';
import { imageUnknown } from './image-rows.ts';
import type { PullTimes } from './pull-times.ts';
import type { Images, Repository } from './registry.ts';
import { repositoryUnknown } from './repository-rows.ts';

const CACHED_BODIES_BYTES = 64 * 1024 * 1024;

/** Every pull begins here: one query, remembered until something changes, and the body from memory if it was read lately. */
export function createRead({ meta }: RegistryContext, pulls: PullTimes): Images['read'] {
  const { read } = meta;
  const bodies = createBodyCache(CACHED_BODIES_BYTES);
  const columns = [
    'manifest.id',
    'manifest.digest',
    'manifest.media_type',
    'manifest.storage_class',
    'manifest.pulled_at',
  ] as const;
  const byTag = rememberQuery(
    meta,
    read
      .selectFrom('tag')
      .innerJoin('manifest', 'manifest.id', 'tag.manifest_id')
      .select(columns)
      .where('tag.repository_id', '=', 0)
      .where('tag.name', '=', ''),
    (row) => row,
  );
  const byDigest = rememberQuery(
    meta,
    read.selectFrom('manifest').select(columns).where('repository_id', '=', 0).where('digest', '=', ''),
    (row) => row,
  );
  const bodyOf = prepareQuery(read.selectFrom('manifest').select('body').where('id', '=', 0));

  const unknown = async (repository: Repository, id: Digest | Tag): Promise<Error> => {
    const row = await read.selectFrom('repository').select('id').where('id', '=', repository.id).executeTakeFirst();
    if (row === undefined) return repositoryUnknown(repository, repository.name);
    return imageUnknown(repository, isDigest(id) ? { digest: id } : { tag: id });
  };

  return async (repository, id, options) => {
    const row = await (isDigest(id) ? byDigest : byTag).find([repository.id, id]);
    if (row === undefined || row.storage_class !== 'standard') throw await unknown(repository, id);
    const digest = row.digest as Digest;
    let body = bodies.get(digest);
    if (body === undefined) {
      const [found] = await bodyOf.run(read, [row.id]);
      if (found === undefined) throw await unknown(repository, id);
      body = found.body;
      bodies.set(digest, body);
    }
    if (options?.recordPull === true) pulls.note(row.id, row.pulled_at);
    return { digest, mediaType: row.media_type, body };
  };
}
