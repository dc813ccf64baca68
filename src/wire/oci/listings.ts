import { isDigest, parseDigest } from '../../core/digest.ts';
import { MediaType } from '../../core/media-type.ts';
import type { RepositoryName } from '../../core/repository-name.ts';
import type { ImageDetail } from '../../registry/registry.ts';
import { encodeCursor } from '../../registry/cursor.ts';
import { sendJson } from '../http/send.ts';
import { API_VERSION } from './api-version.ts';
import { authorize, openRepository, type Exchange } from './exchange.ts';
import { LARGEST_PAGE, nextLink, parsePageSize, parseQuery } from './query.ts';

/** `GET /v2/<name>/tags/list[?n=][&last=]` (end-8). */
export async function listTags(exchange: Exchange, name: RepositoryName): Promise<void> {
  const { response, deps } = exchange;
  const repository = await openRepository(exchange, name, 'ecr:ListImages');
  const query = parseQuery(exchange.query);
  const limit = parsePageSize(query.get('n'));
  const last = query.get('last');
  const page =
    limit === 0
      ? { tags: [], more: false }
      : await deps.registry.images.tags(repository, { limit, ...(last === undefined ? {} : { last }) });
  const end = page.tags.at(-1);
  const link =
    page.more && end !== undefined
      ? {
          Link: nextLink(exchange, [
            ['n', String(limit)],
            ['last', end],
          ]),
        }
      : {};
  sendJson(response, 200, { name, tags: page.tags }, { ...API_VERSION, ...link });
}

/** `GET /v2/_catalog[?n=][&last=]`: the repositories of the account and region. */
export async function listCatalog(exchange: Exchange): Promise<void> {
  const { response, deps, place } = exchange;
  authorize(exchange, 'ecr:DescribeRepositories', { ...place, name: '*' });
  const query = parseQuery(exchange.query);
  const limit = parsePageSize(query.get('n'));
  const last = query.get('last');
  const page =
    limit === 0
      ? { items: [] }
      : await deps.registry.repositories.list(place, { limit, ...(last === undefined ? {} : { next: encodeCursor([last]) }) });
  const next =
    'next' in page && page.next !== undefined
      ? {
          Link: nextLink(exchange, [
            ['n', String(limit)],
            ['last', page.items.at(-1)?.name ?? ''],
          ]),
        }
      : {};
  sendJson(response, 200, { repositories: page.items.map((repository) => repository.name) }, { ...API_VERSION, ...next });
}

/** An answer ends at the first page of images that brings it to this many bytes; annotations can be long. */
const REFERRERS_BYTES = 2 * 1024 * 1024;
const REFERRERS_PAGE = 50;

/** `GET /v2/<name>/referrers/<digest>[?artifactType=]` (end-12): never 404, not even for a repository that is not there. */
export async function listReferrers(exchange: Exchange, name: RepositoryName, digestText: string): Promise<void> {
  const { response, deps, place } = exchange;
  const repository = await deps.registry.repositories.find(place, name);
  authorize(exchange, 'ecr:BatchGetImage', repository ?? { ...place, name });
  const digest = isDigest(digestText) ? digestText : parseDigest(digestText);
  const query = parseQuery(exchange.query);
  const artifactTypes = query.all('artifactType').filter((type) => type !== '');
  const limit = Math.max(parsePageSize(query.get('n')), 1);
  const manifests: object[] = [];
  let bytes = 0;
  let next = query.get('next');
  while (repository !== undefined) {
    const page = await deps.registry.images.referrers(repository, digest, {
      limit: Math.min(REFERRERS_PAGE, limit - manifests.length),
      ...(next === undefined ? {} : { next }),
      ...(artifactTypes.length === 0 ? {} : { artifactTypes }),
    });
    for (const image of page.items) {
      // An archived image cannot be pulled, so it is not offered.
      if (image.storageClass === 'archive') continue;
      const descriptor = referrerDescriptor(image);
      bytes += JSON.stringify(descriptor).length;
      manifests.push(descriptor);
    }
    next = page.next;
    if (next === undefined || bytes >= REFERRERS_BYTES || manifests.length >= Math.min(limit, LARGEST_PAGE)) break;
  }
  const parameters: [string, string][] = artifactTypes.map((type) => ['artifactType', type]);
  if (query.get('n') !== undefined) parameters.push(['n', String(limit)]);
  sendJson(
    response,
    200,
    { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests },
    {
      ...API_VERSION,
      'Content-Type': MediaType.ociIndex,
      ...(artifactTypes.length === 0 ? {} : { 'OCI-Filters-Applied': 'artifactType' }),
      ...(repository === undefined || next === undefined ? {} : { Link: nextLink(exchange, [...parameters, ['next', next]]) }),
    },
  );
}

function referrerDescriptor(image: ImageDetail): object {
  return {
    mediaType: image.mediaType,
    digest: image.digest,
    size: image.manifestBytes,
    ...(image.artifactType === undefined ? {} : { artifactType: image.artifactType }),
    ...(image.annotations === undefined ? {} : { annotations: image.annotations }),
  };
}
