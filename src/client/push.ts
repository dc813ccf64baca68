import { createHash } from 'node:crypto';
import { digestAlgorithm, type Digest } from '../core/digest.ts';
import { isJsonObject, JsonError, parseJson } from '../core/json.ts';
import type { Reference } from '../core/reference.ts';
import { discardBody, readBody } from './body.ts';
import { FetchError } from './outcome.ts';
import type { RegistryCaller, RepositoryAddress } from './registry-caller.ts';
import { TransientError, type StreamedBody, type WireAnswer } from './transport.ts';

/** A manifest or an index, exactly as it is to be stored. */
export interface ManifestContent {
  digest: Digest;
  mediaType: string;
  bytes: Uint8Array;
}

/** A config or a layer; read only when the registry does not have it. */
export interface BlobContent extends StreamedBody {
  digest: Digest;
}

/** An image, or an index with all its images: everything that a push sends. */
export interface PushContent {
  root: ManifestContent;
  /** What the root names, each behind what it names itself. */
  children: ManifestContent[];
  /** Each once. */
  blobs: BlobContent[];
}

export interface PushEvents {
  /** So many bytes more are done with: sent, or found to be there. */
  onBytes(count: number): void;
}

export interface PushReport {
  digest: Digest;
  blobsPushed: number;
  blobsPresent: number;
  bytesPushed: number;
}

/** A registry's refusal of a push, in its own words. */
export class PushRefused extends Error {
  override readonly name = 'PushRefused';
  readonly status: number;
  /** The distribution API's: `NAME_UNKNOWN`, `TAG_INVALID`; empty where the registry gave none. */
  readonly code: string;

  constructor(message: string, status: number, code: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** What is to be pushed is not what its digest says: it was damaged, or changed while it was read. */
export class ContentError extends Error {
  override readonly name = 'ContentError';
}

const AT_ONCE = 4;
const ATTEMPTS = 3;
const ERROR_LIMIT = 64 * 1024;

/**
 * Pushes blobs that the registry lacks, then manifests from the leaves to the root, which takes the tag of the reference
 * (or none, where it has only a digest). Streams from the source in constant memory, and checks every digest on the way.
 * Raises FetchError, PushRefused, ContentError, and what reading the content raises.
 */
export async function pushImage(
  caller: RegistryCaller,
  reference: Reference,
  content: PushContent,
  events: PushEvents,
): Promise<PushReport> {
  const { host, path, tag, digest } = reference;
  const repository: RepositoryAddress = { host, path };
  if (digest !== undefined && digest !== content.root.digest) {
    throw new ContentError(`the source is ${content.root.digest}, and not the ${digest} that it is to be pushed as`);
  }
  const report: PushReport = { digest: content.root.digest, blobsPushed: 0, blobsPresent: 0, bytesPushed: 0 };
  const left = [...content.blobs];
  const failed = new AbortController();
  const work = async (): Promise<void> => {
    for (let blob = left.shift(); blob !== undefined && !failed.signal.aborted; blob = left.shift()) {
      if (await hasBlob(caller, repository, blob.digest)) {
        report.blobsPresent++;
        events.onBytes(blob.bytes);
      } else {
        await pushBlob(caller, repository, blob, events, failed.signal);
        report.blobsPushed++;
        report.bytesPushed += blob.bytes;
      }
    }
  };
  const workers = Array.from({ length: AT_ONCE }, () =>
    work().catch((error: unknown) => {
      // What the others are sending is of no use any more.
      failed.abort(error);
      throw error;
    }),
  );
  const outcomes = await Promise.allSettled(workers);
  if (failed.signal.aborted) throw failed.signal.reason;
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  for (const manifest of content.children) await putManifest(caller, repository, manifest, manifest.digest);
  await putManifest(caller, repository, content.root, tag ?? (digest === undefined ? 'latest' : digest));
  return report;
}

async function hasBlob(caller: RegistryCaller, repository: RepositoryAddress, digest: Digest): Promise<boolean> {
  const answer = await caller.call(repository, {
    method: 'HEAD',
    path: `/v2/${repository.path}/blobs/${digest}`,
    actions: 'pull,push',
  });
  discardBody(answer);
  // Whatever else is wrong, the upload will be told it with a reason.
  return answer.status === 200;
}

/** A broken upload begins anew: what the other side has kept of it is not known. */
async function pushBlob(
  caller: RegistryCaller,
  repository: RepositoryAddress,
  blob: BlobContent,
  events: PushEvents,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    let counted = 0;
    const body: StreamedBody = {
      bytes: blob.bytes,
      open: () =>
        verified(blob, (count) => {
          counted += count;
          events.onBytes(count);
        }),
    };
    try {
      return await uploadBlob(caller, repository, blob.digest, body, signal);
    } catch (error) {
      if (!(error instanceof TransientError) || attempt >= ATTEMPTS || signal.aborted) throw error;
      events.onBytes(-counted);
    }
  }
}

async function uploadBlob(
  caller: RegistryCaller,
  repository: RepositoryAddress,
  digest: Digest,
  body: StreamedBody,
  signal: AbortSignal,
): Promise<void> {
  const started = await caller.call(repository, {
    method: 'POST',
    path: `/v2/${repository.path}/blobs/uploads/`,
    body: '',
    actions: 'pull,push',
    signal,
  });
  if (started.status !== 202) throw await refusal(caller, repository, started);
  discardBody(started);
  const location = started.headers.location;
  const target = location === undefined ? null : URL.parse(location, started.url.href);
  if (target === null)
    throw new FetchError({ kind: 'corrupt', host: repository.host, reason: 'it does not say where to upload to' });
  target.searchParams.set('digest', digest);
  const answer = await caller.call(repository, {
    method: 'PUT',
    path: target.href,
    headers: { 'content-type': 'application/octet-stream' },
    body,
    actions: 'pull,push',
    once: true,
    signal,
  });
  if (answer.status !== 201 && answer.status !== 204) throw await refusal(caller, repository, answer);
  discardBody(answer);
}

async function putManifest(
  caller: RegistryCaller,
  repository: RepositoryAddress,
  manifest: ManifestContent,
  name: string,
): Promise<void> {
  const answer = await caller.call(repository, {
    method: 'PUT',
    path: `/v2/${repository.path}/manifests/${name}`,
    headers: { 'content-type': manifest.mediaType },
    body: manifest.bytes,
    actions: 'pull,push',
  });
  if (answer.status !== 201 && answer.status !== 200) throw await refusal(caller, repository, answer);
  discardBody(answer);
  const told = answer.headers['docker-content-digest'];
  if (
    typeof told === 'string' &&
    told !== '' &&
    told !== manifest.digest &&
    digestAlgorithm(manifest.digest) === told.split(':')[0]
  ) {
    throw new FetchError({
      kind: 'corrupt',
      host: repository.host,
      reason: `it took ${manifest.digest} and calls it ${told.slice(0, 140)}`,
    });
  }
}

async function* verified(blob: BlobContent, onBytes: (count: number) => void): AsyncGenerator<Uint8Array, void, undefined> {
  const algorithm = digestAlgorithm(blob.digest);
  const hash = createHash(algorithm);
  let last: Uint8Array | undefined;
  let bytes = 0;
  for await (const chunk of blob.open()) {
    hash.update(chunk);
    bytes += chunk.length;
    if (bytes > blob.bytes)
      throw new ContentError(`the source has more than the ${blob.bytes} bytes of ${blob.digest} that were said`);
    // The last piece is kept back until all of it is known to be right: a wrong blob never becomes a whole request.
    if (last !== undefined) {
      onBytes(last.length);
      yield last;
    }
    last = chunk;
  }
  if (bytes !== blob.bytes)
    throw new ContentError(`the source has ${bytes} bytes of ${blob.digest}, and not the ${blob.bytes} that were said`);
  if (`${algorithm}:${hash.digest('hex')}` !== blob.digest)
    throw new ContentError(`the source is damaged: what it has as ${blob.digest} is something else`);
  if (last !== undefined) {
    onBytes(last.length);
    yield last;
  }
}

async function refusal(caller: RegistryCaller, { host, path }: RepositoryAddress, answer: WireAnswer): Promise<Error> {
  const { status } = answer;
  const text = await readBody(host, answer, ERROR_LIMIT, caller.patience);
  const { code, message } = readError(text);
  if (status === 401) {
    const reason = (await caller.hasLogin(host))
      ? `the login for it is not taken`
      : `pushing to ${path} needs a login (docker login ${host})`;
    return new FetchError({ kind: 'denied', host, reason });
  }
  return new PushRefused(message === '' ? `HTTP ${status}${code === '' ? '' : ` ${code}`}` : message, status, code);
}

/** The first error of the distribution API's list (spec, "Error Codes"). */
function readError(text: Uint8Array): { code: string; message: string } {
  try {
    const value = parseJson(text);
    const first = isJsonObject(value) && Array.isArray(value['errors']) ? value['errors'][0] : undefined;
    if (!isJsonObject(first)) return { code: '', message: '' };
    const { code, message } = first;
    return {
      code: typeof code === 'string' ? code.slice(0, 100) : '',
      message: typeof message === 'string' ? message.slice(0, 2000) : '',
    };
  } catch (error) {
    if (error instanceof JsonError) return { code: '', message: '' };
    throw error;
  }
}
