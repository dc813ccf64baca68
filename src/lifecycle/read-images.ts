import type { Kysely } from 'kysely';
import type { Digest } from '../core/digest.ts';
import { manifestShape } from '../core/media-type.ts';
import { breathe } from '../registry/collection-pass.ts';
import { readLiveHolds } from '../registry/holds.ts';
import { chunksOf } from '../registry/image-rows.ts';
import type { Repository } from '../registry/registry.ts';
import type { LifecycleImage } from './evaluate.ts';
import type { LifecycleTables } from './schema.ts';

/** An image as the evaluator wants it, and what a person is told of it. */
export interface StoredLifecycleImage extends LifecycleImage {
  /** The manifest's row. */
  id: number;
  /** ECR's imageSizeInBytes. */
  imageBytes: number;
}

export interface RepositoryImages {
  /** Oldest first, by their push. */
  images: StoredLifecycleImage[];
  /** Changes whenever anything but a pull or a hold changes in the repository. */
  stamp: number;
}

/** Rows that are read at once: a millisecond or two. */
const PAGE = 500;

/**
 * All images of a repository with their tags, edges and live holders. `database` is a snapshot or a transaction, so that
 * they are as they were together at one moment; in a transaction, which nothing may wait in, `rest` does nothing.
 */
export async function readRepositoryImages(
  database: Kysely<LifecycleTables>,
  repository: Repository,
  now: number,
  rest: () => Promise<void> = breathe,
): Promise<RepositoryImages> {
  const stamp = await readStamp(database, repository);
  const tags = await readTags(database, repository.id, rest);
  const images = await readManifests(database, repository.id, tags, rest);
  await addHolders(database, repository, images, now);
  return { images, stamp };
}

/** The last change of the repository: each acknowledged one has its row of audit, written in its own transaction. */
export async function readStamp(database: Kysely<LifecycleTables>, repository: Repository): Promise<number> {
  const row = await database
    .selectFrom('audit')
    .select('id')
    .where('account', '=', repository.account)
    .where('region', '=', repository.region)
    .where('repository', '=', repository.name)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? 0;
}

async function readTags(
  database: Kysely<LifecycleTables>,
  repositoryId: number,
  rest: () => Promise<void>,
): Promise<Map<number, string[]>> {
  const tags = new Map<number, string[]>();
  for (let after = ''; ; await rest()) {
    const rows = await database
      .selectFrom('tag')
      .select(['name', 'manifest_id'])
      .where('repository_id', '=', repositoryId)
      .where('name', '>', after)
      .orderBy('name')
      .limit(PAGE)
      .execute();
    for (const row of rows) pushTo(tags, row.manifest_id, row.name);
    const last = rows.at(-1);
    if (rows.length < PAGE || last === undefined) return tags;
    after = last.name;
  }
}

async function readManifests(
  database: Kysely<LifecycleTables>,
  repositoryId: number,
  tags: ReadonlyMap<number, string[]>,
  rest: () => Promise<void>,
): Promise<StoredLifecycleImage[]> {
  const images: StoredLifecycleImage[] = [];
  const indexes: StoredLifecycleImage[] = [];
  // In the order of an index of the table: by `id`, each page would sort the whole repository.
  for (let [pushedAt, id] = [Number.MIN_SAFE_INTEGER, 0]; ; await rest()) {
    const rows = await database
      .selectFrom('manifest')
      .select([
        'id',
        'digest',
        'media_type',
        'subject',
        'image_size',
        'pushed_at',
        'pulled_at',
        'storage_class',
        'archived_at',
        'activated_at',
      ])
      .where('repository_id', '=', repositoryId)
      .where((builder) => builder(builder.refTuple('pushed_at', 'id'), '>', builder.tuple(pushedAt, id)))
      .orderBy('pushed_at')
      .orderBy('id')
      .limit(PAGE)
      .execute();
    for (const row of rows) {
      const image: StoredLifecycleImage = {
        id: row.id,
        digest: row.digest as Digest,
        tags: tags.get(row.id) ?? [],
        pushedAt: row.pushed_at,
        storageClass: row.storage_class === 'archive' ? 'archive' : 'standard',
        imageBytes: row.image_size,
        ...(row.pulled_at === null ? {} : { pulledAt: row.pulled_at }),
        ...(row.archived_at === null ? {} : { archivedAt: row.archived_at }),
        ...(row.activated_at === null ? {} : { activatedAt: row.activated_at }),
        ...(row.subject === null ? {} : { subject: row.subject as Digest }),
      };
      images.push(image);
      if (manifestShape(row.media_type) === 'index') indexes.push(image);
    }
    const last = rows.at(-1);
    if (rows.length < PAGE || last === undefined) break;
    [pushedAt, id] = [last.pushed_at, last.id];
  }
  for (const chunk of chunksOf(indexes)) {
    const rows = await database
      .selectFrom('manifest_child')
      .select(['manifest_id', 'digest'])
      .where(
        'manifest_id',
        'in',
        chunk.map((index) => index.id),
      )
      .execute();
    const children = new Map<number, Digest[]>();
    for (const row of rows) pushTo(children, row.manifest_id, row.digest as Digest);
    for (const index of chunk) index.children = children.get(index.id) ?? [];
    await rest();
  }
  return images;
}

function pushTo<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [value]);
  else known.push(value);
}

/** Of those who need an image, so many are told: a task each, there may be ten thousand. */
const MOST_HOLDERS = 100;

/** A hold on an index is one on all that it lists, directly or through others. */
async function addHolders(
  database: Kysely<LifecycleTables>,
  repository: Repository,
  images: StoredLifecycleImage[],
  now: number,
): Promise<void> {
  const holds = await readLiveHolds(database as never, repository, 'all', now);
  if (holds.length === 0) return;
  const byDigest = new Map(images.map((image) => [image.digest, image]));
  for (const { digest, kind, holder } of holds) {
    const name = `${kind} ${holder}`;
    const seen = new Set<Digest>();
    const queue = [digest];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const image = byDigest.get(next);
      if (image === undefined || seen.has(next)) continue;
      seen.add(next);
      const holders = image.holders ?? [];
      // What an index lists has been given all that the index was.
      if (holders.length >= MOST_HOLDERS) continue;
      if (!holders.includes(name)) image.holders = [...holders, name];
      queue.push(...(image.children ?? []));
    }
  }
}
