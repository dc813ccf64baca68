import type { Kysely } from 'kysely';
import type { Digest } from '../core/digest.ts';
import { Fault } from '../core/fault.ts';
import type { Tag } from '../core/tag.ts';
import type { ImageDetail, ImageId, Repository, StorageClass } from './registry.ts';
import type { RegistryTables } from './schema.ts';

/** Of a manifest's row, what is of a known size; its annotations can have megabytes. */
export const summaryColumns = [
  'manifest.id',
  'manifest.digest',
  'manifest.media_type',
  'manifest.artifact_type',
  'manifest.config_media_type',
  'manifest.subject',
  'manifest.size',
  'manifest.image_size',
  'manifest.pushed_at',
  'manifest.pushed_by',
  'manifest.pulled_at',
  'manifest.storage_class',
  'manifest.archived_at',
  'manifest.activated_at',
] as const;

/** All of a manifest's row but its body. */
export const detailColumns = [...summaryColumns, 'manifest.annotations'] as const;

export interface SummaryRow {
  id: number;
  digest: string;
  media_type: string;
  artifact_type: string | null;
  config_media_type: string | null;
  subject: string | null;
  size: number;
  image_size: number;
  pushed_at: number;
  pushed_by: string;
  pulled_at: number | null;
  storage_class: string;
  archived_at: number | null;
  activated_at: number | null;
}

export type DetailRow = SummaryRow & { annotations: string | null };

export function toImageDetail(row: SummaryRow & Partial<DetailRow>, tags: Tag[]): ImageDetail {
  return {
    digest: row.digest as Digest,
    mediaType: row.media_type,
    manifestBytes: row.size,
    imageBytes: row.image_size,
    tags,
    pushedAt: row.pushed_at,
    pushedBy: row.pushed_by,
    storageClass: row.storage_class as StorageClass,
    ...(row.artifact_type !== null ? { artifactType: row.artifact_type } : {}),
    ...(row.config_media_type !== null ? { configMediaType: row.config_media_type } : {}),
    ...(row.subject !== null ? { subject: row.subject as Digest } : {}),
    ...(typeof row.annotations === 'string' ? { annotations: JSON.parse(row.annotations) as Record<string, string> } : {}),
    ...(row.pulled_at !== null ? { pulledAt: row.pulled_at } : {}),
    ...(row.archived_at !== null ? { archivedAt: row.archived_at } : {}),
    ...(row.activated_at !== null ? { activatedAt: row.activated_at } : {}),
  };
}

/** How many values one statement names at most. */
export const CHUNK = 500;

export function* chunksOf<Item>(items: Item[], size = CHUNK): Generator<Item[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}

/** The tags of each manifest, sorted; manifests without any are not in the map. */
export async function readTags(database: Kysely<RegistryTables>, manifestIds: number[]): Promise<Map<number, Tag[]>> {
  const tags = new Map<number, Tag[]>();
  for (const ids of chunksOf(manifestIds)) {
    const rows = await database
      .selectFrom('tag')
      .select(['manifest_id', 'name'])
      .where('manifest_id', 'in', ids)
      .orderBy('manifest_id')
      .orderBy('name')
      .execute();
    for (const row of rows) {
      const known = tags.get(row.manifest_id);
      if (known === undefined) tags.set(row.manifest_id, [row.name as Tag]);
      else known.push(row.name as Tag);
    }
  }
  return tags;
}

export interface StoredImage {
  id: number;
  digest: Digest;
  mediaType: string;
  isArchived: boolean;
}

export async function findImage(
  database: Kysely<RegistryTables>,
  repositoryId: number,
  digest: Digest,
): Promise<StoredImage | undefined> {
  const row = await database
    .selectFrom('manifest')
    .select(['id', 'media_type', 'storage_class'])
    .where('repository_id', '=', repositoryId)
    .where('digest', '=', digest)
    .executeTakeFirst();
  return row && { id: row.id, digest, mediaType: row.media_type, isArchived: row.storage_class === 'archive' };
}

/** Raises `image-unknown`. */
export async function getImage(database: Kysely<RegistryTables>, repository: Repository, digest: Digest): Promise<StoredImage> {
  const image = await findImage(database, repository.id, digest);
  if (image === undefined) throw imageUnknown(repository, { digest });
  return image;
}

/** What each of the tags points at; tags that are not there are not in the map. */
export async function readTargets(
  database: Kysely<RegistryTables>,
  repositoryId: number,
  tags: Tag[],
): Promise<Map<Tag, { manifestId: number; digest: Digest }>> {
  const targets = new Map<Tag, { manifestId: number; digest: Digest }>();
  for (const names of chunksOf(tags)) {
    const rows = await database
      .selectFrom('tag')
      .innerJoin('manifest', 'manifest.id', 'tag.manifest_id')
      .select(['tag.name', 'tag.manifest_id', 'manifest.digest'])
      .where('tag.repository_id', '=', repositoryId)
      .where('tag.name', 'in', names)
      .execute();
    for (const row of rows) targets.set(row.name as Tag, { manifestId: row.manifest_id, digest: row.digest as Digest });
  }
  return targets;
}

export function imageUnknown(repository: Repository, id: ImageId): Fault<'image-unknown'> {
  return new Fault('image-unknown', { repository: repository.name, registryId: repository.account, ...id });
}
