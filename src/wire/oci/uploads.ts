import type { IncomingMessage } from 'node:http';
import { digestAlgorithm, isDigestAlgorithm, parseDigest, type Digest } from '../../core/digest.ts';
import { Fault, isFault } from '../../core/fault.ts';
import { isRepositoryName, type RepositoryName } from '../../core/repository-name.ts';
import type { Chunk, Repository } from '../../registry/registry.ts';
import { bodyChunks } from '../http/body-chunks.ts';
import { acceptBody, contentLength, hasBody } from '../http/body.ts';
import { sendEmpty } from '../http/send.ts';
import { API_VERSION } from './api-version.ts';
import { authorize, callerOf, openRepository, openRepositoryForPush, type Exchange } from './exchange.ts';
import { receivedRange } from './faults.ts';
import { parseQuery } from './query.ts';
import { parseContentRange } from './range.ts';

/** Registry setting that turns mounting across repositories off when it is `DISABLED` (ECR's account setting of that name). */
const MOUNTING = 'account:BLOB_MOUNTING';

/** `POST /v2/<name>/blobs/uploads/`: a session (end-4a, 4c), a whole blob at once (end-4b), or a mount (end-11). */
export async function startUpload(exchange: Exchange, name: RepositoryName): Promise<void> {
  const { request, deps } = exchange;
  const query = parseQuery(exchange.query);
  const repository = await openRepositoryForPush(exchange, name, 'ecr:InitiateLayerUpload');
  const caller = callerOf(exchange);
  const digestText = query.get('digest');
  const mountText = query.get('mount');
  if (mountText !== undefined) {
    const digest = parseDigest(mountText);
    if (await mount(exchange, repository, digest, query.get('from'))) return sendBlobCreated(exchange, name, digest);
  } else if (digestText !== undefined) {
    const digest = parseDigest(digestText);
    authorize(exchange, 'ecr:CompleteLayerUpload', repository);
    const session = await deps.registry.layers.startUpload(caller, repository, { algorithm: digestAlgorithm(digest) });
    try {
      await deps.registry.layers.complete(caller, repository, session.id, digest, chunkOf(request));
    } catch (error) {
      // Nobody knows of this session, so nobody could end it.
      if (!isFault(error, 'blob-digest-mismatch')) await discard(exchange, repository, session.id);
      throw error;
    }
    return sendBlobCreated(exchange, name, digest);
  }
  const algorithm = query.get('digest-algorithm') ?? 'sha256';
  if (!isDigestAlgorithm(algorithm)) throw new Fault('digest-invalid', { text: algorithm.slice(0, 200) });
  const session = await deps.registry.layers.startUpload(caller, repository, { algorithm });
  sendSession(exchange, 202, name, session);
}

/** `PATCH <location>` (end-5): a chunk with `Content-Range`, or a stream without. */
export async function appendUpload(exchange: Exchange, name: RepositoryName, uploadId: string): Promise<void> {
  const { request, deps } = exchange;
  const repository = await openRepository(exchange, name, 'ecr:UploadLayerPart');
  const chunk = await expectedChunk(exchange, repository, uploadId);
  const session = await deps.registry.layers.append(callerOf(exchange), repository, uploadId, chunk ?? chunkOf(request));
  sendSession(exchange, 202, name, session);
}

/** `PUT <location>?digest=<digest>` (end-6), with or without a last chunk. */
export async function completeUpload(exchange: Exchange, name: RepositoryName, uploadId: string): Promise<void> {
  const { deps } = exchange;
  const repository = await openRepository(exchange, name, 'ecr:CompleteLayerUpload');
  const digest = parseDigest(parseQuery(exchange.query).get('digest') ?? '');
  const chunk = await expectedChunk(exchange, repository, uploadId);
  await deps.registry.layers.complete(callerOf(exchange), repository, uploadId, digest, chunk);
  sendBlobCreated(exchange, name, digest);
}

/** `GET <location>` (end-13): how far an upload is. */
export async function getUpload(exchange: Exchange, name: RepositoryName, uploadId: string): Promise<void> {
  const repository = await openRepository(exchange, name, 'ecr:UploadLayerPart');
  sendSession(exchange, 204, name, await exchange.deps.registry.layers.getUpload(repository, uploadId));
}

/** `DELETE <location>` (end-14). */
export async function cancelUpload(exchange: Exchange, name: RepositoryName, uploadId: string): Promise<void> {
  const repository = await openRepository(exchange, name, 'ecr:UploadLayerPart');
  await exchange.deps.registry.layers.cancelUpload(callerOf(exchange), repository, uploadId);
  sendEmpty(exchange.response, 204, API_VERSION);
}

/**
 * The chunk of a request, `undefined` when it has no body. What can be refused is refused before the client is told to
 * send it. Raises `upload-unknown`, `upload-range-invalid`, `upload-incomplete`, `parameter-invalid`.
 */
async function expectedChunk(exchange: Exchange, repository: Repository, uploadId: string): Promise<Chunk | undefined> {
  const { request, deps } = exchange;
  const range = parseContentRange(request.headers['content-range']);
  const session = await deps.registry.layers.getUpload(repository, uploadId);
  if (range !== undefined) {
    if (range.first !== session.offset) {
      throw new Fault('upload-range-invalid', {
        repository: repository.name,
        registryId: repository.account,
        uploadId,
        offset: session.offset,
      });
    }
    const length = contentLength(request);
    const expected = range.last - range.first + 1;
    if (length !== undefined && length !== expected) throw new Fault('upload-incomplete', { expected, received: length });
  }
  return hasBody(request) ? { ...chunkOf(request), ...(range === undefined ? {} : { range }) } : undefined;
}

function chunkOf(request: IncomingMessage): Chunk {
  acceptBody(request);
  const length = contentLength(request) ?? (hasBody(request) ? undefined : 0);
  return { source: bodyChunks(request), ...(length === undefined ? {} : { length }) };
}

/** Where a client names no repository to mount from, this many are tried. */
const SOURCES_TRIED = 50;

/** False where the blob is not to be had there, or not by this client; a session is what it gets then (end-11). */
async function mount(exchange: Exchange, repository: Repository, digest: Digest, fromText: string | undefined): Promise<boolean> {
  const { deps, place } = exchange;
  const { registry } = deps;
  if ((await registry.layers.stat(repository, digest)) !== undefined) return true;
  if ((await registry.settings.get(place, MOUNTING)) === 'DISABLED') return false;
  const sources =
    fromText === undefined
      ? await registry.repositories.holding(place, digest, SOURCES_TRIED)
      : [isRepositoryName(fromText) ? await registry.repositories.find(place, fromText) : undefined];
  for (const from of sources) {
    if (from === undefined || !mayRead(exchange, from)) continue;
    if (await registry.layers.mount(callerOf(exchange), repository, digest, from)) return true;
  }
  return false;
}

/** Having the digest is no right to the content: it is taken only from where this client could read it. */
function mayRead(exchange: Exchange, repository: Repository): boolean {
  try {
    authorize(exchange, 'ecr:GetDownloadUrlForLayer', repository);
    return true;
  } catch (error) {
    if (isFault(error, 'access-denied')) return false;
    throw error;
  }
}

async function discard(exchange: Exchange, repository: Repository, uploadId: string): Promise<void> {
  try {
    await exchange.deps.registry.layers.cancelUpload(callerOf(exchange), repository, uploadId);
  } catch (error) {
    // It may be gone already. Whatever else it is, what ended the push is the error to tell; the collector tidies up.
    exchange.context.log.debug('upload not discarded', {
      uploadId,
      error: error instanceof Error ? error.message : String(error),
    });
  }
}

function sendSession(
  { response }: Exchange,
  status: 202 | 204,
  name: RepositoryName,
  session: { id: string; offset: number },
): void {
  sendEmpty(response, status, {
    ...API_VERSION,
    'Location': `/v2/${name}/blobs/uploads/${session.id}`,
    'Range': receivedRange(session.offset),
    'Docker-Upload-UUID': session.id,
  });
}

function sendBlobCreated({ response }: Exchange, name: RepositoryName, digest: Digest): void {
  sendEmpty(response, 201, { ...API_VERSION, 'Location': `/v2/${name}/blobs/${digest}`, 'Docker-Content-Digest': digest });
}
