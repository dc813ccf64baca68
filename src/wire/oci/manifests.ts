import { isDigest, parseDigest } from '../../core/digest.ts';
import { Fault } from '../../core/fault.ts';
import { MANIFEST_LIMITS } from '../../core/manifest.ts';
import type { RepositoryName } from '../../core/repository-name.ts';
import { isTag, parseTag, type Tag } from '../../core/tag.ts';
import type { Digest } from '../../core/digest.ts';
import { readBody } from '../http/body.ts';
import { endWithBytes, sendHead, sendEmpty } from '../http/send.ts';
import { API_VERSION } from './api-version.ts';
import { callerOf, openRepository, openRepositoryForPush, type Exchange } from './exchange.ts';
import { parseQuery } from './query.ts';
import { isFresh } from './send-blob.ts';

/** `GET` and `HEAD /v2/<name>/manifests/<reference>` (end-3): the bytes as they were pushed, whatever `Accept` says. */
export async function getManifest(exchange: Exchange, name: RepositoryName, reference: string): Promise<void> {
  const { request, response, deps } = exchange;
  const repository = await openRepository(exchange, name, 'ecr:BatchGetImage');
  const id = readable(reference);
  if (id === undefined)
    throw new Fault('image-unknown', { repository: name, registryId: repository.account, tag: reference.slice(0, 300) });
  const isHead = request.method === 'HEAD';
  const manifest = await deps.registry.images.read(repository, id, { recordPull: !isHead });
  if (isFresh(request, manifest.digest)) {
    response.writeHead(304, { ...API_VERSION, 'Docker-Content-Digest': manifest.digest, 'ETag': `"${manifest.digest}"` }).end();
    return;
  }
  const headers = {
    'Content-Type': manifest.mediaType,
    'Content-Length': manifest.body.length,
    'Docker-Content-Digest': manifest.digest,
    'ETag': `"${manifest.digest}"`,
    'X-Content-Type-Options': 'nosniff',
    ...API_VERSION,
  };
  if (isHead) return sendHead(response, headers);
  response.writeHead(200, headers);
  endWithBytes(response, manifest.body);
}

/** `PUT /v2/<name>/manifests/<reference>[?tag=…]` (end-7a, end-7b). */
export async function putManifest(exchange: Exchange, name: RepositoryName, reference: string): Promise<void> {
  const { request, response, deps, query } = exchange;
  const repository = await openRepositoryForPush(exchange, name, 'ecr:PutImage');
  const digest = reference.includes(':') ? parseDigest(reference) : undefined;
  const asked = parseQuery(query).all('tag').map(parseTag);
  const tags = [...new Set<Tag>(digest === undefined ? [parseTag(reference), ...asked] : asked)];
  const body = await readBody(
    request,
    MANIFEST_LIMITS.bytes,
    (bytes) => new Fault('manifest-too-large', { bytes, limit: MANIFEST_LIMITS.bytes }),
  );
  const mediaType = request.headers['content-type'];
  const stored = await deps.registry.images.put(callerOf(exchange), repository, {
    body,
    tags,
    ...(mediaType === undefined ? {} : { mediaType }),
    ...(digest === undefined ? {} : { digest }),
  });
  sendEmpty(response, 201, {
    ...API_VERSION,
    'Location': `/v2/${name}/manifests/${stored.digest}`,
    'Docker-Content-Digest': stored.digest,
    ...(stored.subject === undefined ? {} : { 'OCI-Subject': stored.subject }),
    ...(asked.length === 0 ? {} : { 'OCI-Tag': asked.join(', ') }),
  });
}

/** `DELETE /v2/<name>/manifests/<reference>` (end-9): a digest goes with all its tags, a tag goes alone. */
export async function deleteManifest(exchange: Exchange, name: RepositoryName, reference: string): Promise<void> {
  const { response, deps } = exchange;
  const repository = await openRepository(exchange, name, 'ecr:BatchDeleteImage');
  const caller = callerOf(exchange);
  if (reference.includes(':')) {
    await deps.registry.images.delete(caller, repository, parseDigest(reference), { cause: 'delete' });
  } else {
    if (!isTag(reference))
      throw new Fault('image-unknown', { repository: name, registryId: repository.account, tag: reference.slice(0, 300) });
    await deps.registry.images.untag(caller, repository, reference, { lastTag: 'keep-image', cause: 'delete' });
  }
  sendEmpty(response, 202, API_VERSION);
}

/** What a reader asked for; `undefined` for a tag that cannot exist. Raises `digest-invalid`. */
function readable(reference: string): Digest | Tag | undefined {
  if (reference.includes(':')) return isDigest(reference) ? reference : parseDigest(reference);
  return isTag(reference) ? reference : undefined;
}
