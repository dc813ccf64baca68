import { Fault } from '../core/fault.ts';
import type { Tag } from '../core/tag.ts';
import type { RegistryContext } from './context.ts';
import { decodeCursor, encodeCursor, pageOf } from './cursor.ts';
import {
  detailColumns,
  imageUnknown,
  readTags,
  readTargets,
  summaryColumns,
  toImageDetail,
  type DetailRow,
  type SummaryRow,
} from './image-rows.ts';
import type { ImageDetail, Images, Repository } from './registry.ts';
import { repositoryUnknown } from './repository-rows.ts';

/** A page ends with what brings it to so many: an image may have a thousand tags, and a page a thousand images. */
const MOST_TAGS = 10_000;
/** Bytes of manifests, which their annotations are a part of. */
const MOST_BYTES = 4 * 1024 * 1024;

/** What is read of images, beside their bodies. */
export function createImageLists({ meta }: RegistryContext): Pick<Images, 'resolve' | 'list' | 'tags' | 'referrers'> {
  const { read } = meta;

  const withTags = async (rows: SummaryRow[]): Promise<ImageDetail[]> => {
    const tags = await readTags(
      read,
      rows.map((row) => row.id),
    );
    return rows.map((row) => toImageDetail(row, tags.get(row.id) ?? []));
  };

  const withAnnotations = async (rows: SummaryRow[]): Promise<DetailRow[]> => {
    if (rows.length === 0) return [];
    const ids = rows.map(({ id }) => id);
    const found = await read.selectFrom('manifest').select(['id', 'annotations']).where('id', 'in', ids).execute();
    const annotations = new Map(found.map((row) => [row.id, row.annotations]));
    return rows.map((row) => ({ ...row, annotations: annotations.get(row.id) ?? null }));
  };

  /** Nothing found: is it only empty, or gone? */
  const checkThere = async (repository: Repository): Promise<void> => {
    const row = await read.selectFrom('repository').select('id').where('id', '=', repository.id).executeTakeFirst();
    if (row === undefined) throw repositoryUnknown(repository, repository.name);
  };

  return {
    async resolve(repository, id) {
      let { digest } = id;
      if (id.tag !== undefined) {
        const target = (await readTargets(read, repository.id, [id.tag])).get(id.tag);
        if (target !== undefined && digest !== undefined && target.digest !== digest) {
          throw new Fault('tag-digest-mismatch', {
            repository: repository.name,
            registryId: repository.account,
            digest,
            tag: id.tag,
          });
        }
        digest = target?.digest;
      }
      const row =
        digest &&
        (await read
          .selectFrom('manifest')
          .select(detailColumns)
          .where('repository_id', '=', repository.id)
          .where('digest', '=', digest)
          .executeTakeFirst());
      if (row === undefined) {
        await checkThere(repository);
        throw imageUnknown(repository, id);
      }
      return (await withTags([row]))[0] as ImageDetail;
    },

    async list(repository, { limit, next, tagStatus, storageClass }) {
      let query = read
        .selectFrom('manifest')
        .select(summaryColumns)
        .select(({ selectFrom }) =>
          selectFrom('tag')
            .select(({ fn }) => fn.countAll<number>().as('count'))
            .whereRef('tag.manifest_id', '=', 'manifest.id')
            .as('tag_count'),
        )
        .where('repository_id', '=', repository.id)
        .orderBy('pushed_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1);
      if (storageClass !== undefined) query = query.where('storage_class', '=', storageClass);
      if (tagStatus === 'TAGGED' || tagStatus === 'UNTAGGED') {
        query = query.where(({ exists, not, selectFrom }) => {
          const tagged = exists(selectFrom('tag').select('tag.name').whereRef('tag.manifest_id', '=', 'manifest.id'));
          return tagStatus === 'TAGGED' ? tagged : not(tagged);
        });
      }
      if (next !== undefined) {
        const [pushedAt, id] = decodeCursor(next, ['number', 'number']);
        query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('pushed_at', 'id'), '<', tuple(pushedAt, id)));
      }
      const rows = await query.execute();
      if (rows.length === 0) await checkThere(repository);
      const placeOf = (row: SummaryRow): [number, number] => [row.pushed_at, row.id];
      const shown = fitting(rows.slice(0, limit), (row) => Number(row.tag_count), MOST_TAGS);
      const page = pageOf(rows, shown, placeOf, (row) => row);
      const items = await withTags(page.items);
      return {
        ...page,
        items: items.map((item, at) => ({ ...item, place: encodeCursor(placeOf(page.items[at] as SummaryRow)) })),
      };
    },

    async tags(repository, { limit, last }) {
      let query = read
        .selectFrom('tag')
        .innerJoin('manifest', 'manifest.id', 'tag.manifest_id')
        .select('tag.name')
        .where('tag.repository_id', '=', repository.id)
        .where('manifest.storage_class', '=', 'standard')
        .orderBy('tag.name')
        .limit(limit + 1);
      if (last !== undefined) query = query.where('tag.name', '>', last);
      const rows = await query.execute();
      if (rows.length === 0) await checkThere(repository);
      return { tags: rows.slice(0, limit).map((row) => row.name as Tag), more: rows.length > limit };
    },

    async referrers(repository, digest, { limit, next, artifactTypes }) {
      let query = read
        .selectFrom('manifest')
        .select(summaryColumns)
        .where('repository_id', '=', repository.id)
        .where('subject', '=', digest)
        .orderBy('digest')
        .limit(limit + 1);
      if (artifactTypes !== undefined) {
        if (artifactTypes.length === 0) return { items: [] };
        query = query.where('artifact_type', 'in', artifactTypes);
      }
      if (next !== undefined) query = query.where('digest', '>', decodeCursor(next, ['string'])[0]);
      const rows = await query.execute();
      if (rows.length === 0) await checkThere(repository);
      const page = pageOf(
        rows,
        fitting(rows.slice(0, limit), (row) => row.size, MOST_BYTES),
        (row) => [row.digest],
        (row) => row,
      );
      return { ...page, items: await withTags(await withAnnotations(page.items)) };
    },
  };
}

/** How many of the rows a page has room for; one at least. */
function fitting<Row>(rows: Row[], weigh: (row: Row) => number, most: number): number {
  let weight = 0;
  const over = rows.findIndex((row) => (weight += weigh(row)) > most);
  return over === -1 ? rows.length : Math.max(1, over);
}
