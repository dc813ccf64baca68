import type { Kysely } from 'kysely';
import type { Digest } from '../core/digest.ts';
import { manifestShape } from '../core/media-type.ts';
import type { Repository } from '../registry/registry.ts';
import { readLiveHolds } from '../registry/holds.ts';
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
  images: StoredLifecycleImage[];
  /** Changes whenever anything but a pull or a hold changes in the repository. */
  stamp: number;
}

const PAGE = 5_000;
const ATTEMPTS = 5;

/**
 * All images of a repository with their tags, edges and live holders, as they were together at one moment: read in pages,
 * and again where something has changed meanwhile. `undefined` when the repository never held still; inside a transaction
 * it always does.
 */
export async function readRepositoryImages(
  database: Kysely<LifecycleTables>,
  repository: Repository,
  now: number,
): Promise<RepositoryImages | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const stamp = await readStamp(database, repository);
    const images = await readPages(database, repository.id);
    if ((await readStamp(database, repository)) !== stamp) continue;
    await addHolders(database, repository, images, now);
    return { images, stamp };
  }
  return undefined;
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

async function readPages(database: Kysely<LifecycleTables>, repositoryId: number): Promise<StoredLifecycleImage[]> {
  const images: StoredLifecycleImage[] = [];
  const tags = await readEdges(
    async (after) =>
      database
        .selectFrom('tag')
        .select(['name as value', 'manifest_id'])
        .where('repository_id', '=', repositoryId)
        .where('name', '>', after)
        .orderBy('name')
        .limit(PAGE)
        .execute(),
    (row) => row.value,
    '',
  );
  const indexes: StoredLifecycleImage[] = [];
  let after = 0;
  for (;;) {
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
      .where('id', '>', after)
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
    after = rows.at(-1)?.id ?? after;
    if (rows.length < PAGE) break;
  }
  for (let from = 0; from < indexes.length; from += 500) {
    const chunk = indexes.slice(from, from + 500);
    const rows = await database
      .selectFrom('manifest_child')
      .select(['manifest_id', 'digest'])
      .where(
        'manifest_id',
        'in',
        chunk.map(({ id }) => id),
      )
      .execute();
    const children = new Map<number, Digest[]>();
    for (const row of rows) pushTo(children, row.manifest_id, row.digest as Digest);
    for (const index of chunk) index.children = children.get(index.id) ?? [];
  }
  return images;
}

async function readEdges<Row extends { manifest_id: number; value: string }, Key>(
  readPage: (after: Key) => Promise<Row[]>,
  keyOf: (row: Row) => Key,
  first: Key,
): Promise<Map<number, string[]>> {
  const edges = new Map<number, string[]>();
  let after = first;
  for (;;) {
    const rows = await readPage(after);
    for (const row of rows) pushTo(edges, row.manifest_id, row.value);
    const last = rows.at(-1);
    if (rows.length < PAGE || last === undefined) return edges;
    after = keyOf(last);
  }
}

function pushTo<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [value]);
  else known.push(value);
}

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
      if (image.holders?.includes(name) !== true) image.holders = [...(image.holders ?? []), name];
      queue.push(...(image.children ?? []));
    }
  }
}
