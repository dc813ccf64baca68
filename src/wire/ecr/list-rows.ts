import type { ImageIdentifier } from '@aws-sdk/client-ecr';
import type { Page } from '../../core/page.ts';
import type { ListedImage } from '../../registry/registry.ts';

export type ListPage = (limit: number, next: string | undefined) => Promise<Page<ListedImage>>;

/**
 * One row for each tag of each image, and one for an untagged image. A page may end within an image: the position is
 * then the place of that image in the list, its digest, and the last tag that was told.
 */
export async function listRows(
  list: ListPage,
  limit: number,
  position: string[],
): Promise<{ rows: ImageIdentifier[]; position?: string[] }> {
  const [from, digest, tag] = position;
  const start = from === '' ? undefined : from;
  const page = await list(limit, start);
  let images = page.items;
  if (digest !== undefined && tag !== undefined) {
    // Newer images may have come before it since; an image that has gone has nothing more to tell.
    const at = images.findIndex((image) => image.digest === digest);
    if (at >= 0)
      images = images
        .slice(at)
        .map((image, index) => (index > 0 ? image : { ...image, tags: image.tags.filter((name) => name > tag) }));
  }
  const skipped = page.items.length - images.length;
  const rows: ImageIdentifier[] = [];
  for (const [index, image] of images.entries()) {
    const isResumed = index === 0 && digest === image.digest;
    if (image.tags.length === 0 && !isResumed) rows.push({ imageDigest: image.digest });
    const told = image.tags.slice(0, limit - rows.length);
    rows.push(...told.map((imageTag) => ({ imageDigest: image.digest, imageTag })));
    const isWhole = told.length === image.tags.length;
    if (rows.length < limit && isWhole) continue;
    const last = told.at(-1);
    if (!isWhole && last !== undefined)
      return { rows, position: [page.items[skipped + index - 1]?.place ?? from ?? '', image.digest, last] };
    const isEnd = skipped + index + 1 === page.items.length;
    const next = isEnd ? page.next : image.place;
    return next === undefined ? { rows } : { rows, position: [next] };
  }
  return page.next === undefined ? { rows } : { rows, position: [page.next] };
}
