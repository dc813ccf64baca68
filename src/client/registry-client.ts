import { digestAlgorithm, digestOf, isDigest, type Digest } from '../core/digest.ts';
import { isJsonObject, JsonError, parseJson } from '../core/json.ts';
import { MANIFEST_LIMITS } from '../core/manifest.ts';
import { MediaType } from '../core/media-type.ts';
import type { Reference } from '../core/reference.ts';
import { bodyChunks, discardBody, readBody, refuseCoding, verifiedChunks } from './body.ts';
import { FetchError, settle, type Outcome } from './outcome.ts';
import { createRegistryCaller, type ClientDependencies, type ClientSettings, type RepositoryAddress } from './registry-caller.ts';
import type { WireAnswer } from './transport.ts';

/** What a tag or digest points at, as the registry says it. */
export interface ResolvedManifest {
  digest: Digest;
  mediaType?: string;
}

export interface FetchedManifest extends ResolvedManifest {
  mediaType: string;
  /** Exactly as stored; their digest has been computed and agrees. */
  bytes: Uint8Array;
}

export interface BlobRequest {
  /** First and last byte, both inclusive. Without it the whole blob comes, and is checked against its digest. */
  range?: { first: number; last: number };
  /** As a descriptor declared it; more or fewer bytes are refused. */
  size?: number;
  signal?: AbortSignal;
}

/** Talks to any registry that speaks the OCI distribution API. Every failure is an outcome; only bugs throw. */
export interface RegistryClient {
  /** HEAD; GET only where HEAD does not tell the digest. A reference without tag and digest means `latest`. */
  resolve(reference: Reference): Promise<Outcome<ResolvedManifest>>;
  /** The manifest's bytes (at most 4 MiB), checked against every digest that is known of them. */
  getManifest(reference: Reference): Promise<Outcome<FetchedManifest>>;
  /** Every tag, in the registry's order; at most 200 pages. */
  listTags(repository: RepositoryAddress): Promise<Outcome<string[]>>;
  /** Bytes as they come. The stream raises FetchError when it breaks off or is not what its digest says; a range is not checked. */
  openBlob(repository: RepositoryAddress, digest: Digest, request?: BlobRequest): Promise<Outcome<AsyncIterable<Buffer>>>;
  /** Breaks off what is under way; from then on every answer is a failure. */
  close(): void;
}

/** An index comes first: without it Docker Hub answers with the digest of one platform's manifest. */
const ACCEPT = [MediaType.ociIndex, MediaType.dockerManifestList, MediaType.ociManifest, MediaType.dockerManifest].join(', ');
const TAG_PAGE_LIMIT = 8 * 1024 * 1024;
const TAG_PAGES = 200;

export function createRegistryClient(dependencies: ClientDependencies, settings: ClientSettings = {}): RegistryClient {
  const caller = createRegistryCaller(dependencies, settings);
  const { call, patience } = caller;

  /** Turns every status but the expected ones into its failure. */
  async function expect(repository: RepositoryAddress, answer: WireAnswer, what: string, expected: number[]): Promise<void> {
    if (expected.includes(answer.status)) return;
    discardBody(answer);
    const { host } = repository;
    const { status } = answer;
    if (status === 401 || status === 403) {
      const reason = (await caller.hasLogin(host))
        ? `the login for it may not read ${repository.path}`
        : `${repository.path} needs a login, or is not there (docker login ${host})`;
      throw new FetchError({ kind: 'denied', host, reason });
    }
    // 400 is what registries answer to a name or digest that they would never hold.
    if (status === 404 || status === 410 || status === 400)
      throw new FetchError({ kind: 'not-found', host, reason: `it has no ${what}` });
    throw new FetchError({ kind: 'unreachable', host, reason: `it answers HTTP ${status}` });
  }

  async function head(reference: Reference): Promise<ResolvedManifest> {
    const path = manifestPath(reference);
    const answer = await call(reference, { method: 'HEAD', path, headers: { accept: ACCEPT } });
    // Some registries do not know HEAD; its absence says nothing of the manifest.
    if (answer.status === 405 || answer.status === 501) {
      discardBody(answer);
      return get(reference);
    }
    await expect(reference, answer, nameOf(reference), [200]);
    discardBody(answer);
    const digest = answer.headers['docker-content-digest'];
    if (digest === undefined || digest === '') return get(reference);
    if (typeof digest !== 'string' || !isDigest(digest))
      throw corrupt(reference.host, `it answers with a digest that is none for ${nameOf(reference)}`);
    if (reference.digest !== undefined && digest !== reference.digest)
      throw corrupt(reference.host, `it answers with another digest for ${reference.digest}`);
    const mediaType = contentType(answer);
    return { digest, ...(mediaType ? { mediaType } : {}) };
  }

  async function get(reference: Reference): Promise<FetchedManifest> {
    const answer = await call(reference, { method: 'GET', path: manifestPath(reference), headers: { accept: ACCEPT } });
    await expect(reference, answer, nameOf(reference), [200]);
    const bytes = await readBody(reference.host, answer, MANIFEST_LIMITS.bytes, patience);
    const told = answer.headers['docker-content-digest'];
    const claims = [reference.digest, typeof told === 'string' && told !== '' ? told : undefined].filter(
      (claim) => claim !== undefined,
    );
    for (const claim of claims) {
      if (!isDigest(claim) || digestOf(bytes, digestAlgorithm(claim)) !== claim) {
        throw corrupt(reference.host, `what it sent for ${nameOf(reference)} is not ${claim.slice(0, 140)}`);
      }
    }
    const mediaType = contentType(answer) ?? ownMediaType(bytes);
    if (mediaType === undefined) throw corrupt(reference.host, `it does not say what ${nameOf(reference)} is`);
    return { digest: (claims[0] as Digest | undefined) ?? digestOf(bytes), mediaType, bytes };
  }

  async function tags(repository: RepositoryAddress): Promise<string[]> {
    const found: string[] = [];
    let path: string | undefined = `/v2/${repository.path}/tags/list?n=1000`;
    const seen = new Set<string>();
    while (path !== undefined) {
      if (seen.size >= TAG_PAGES || seen.has(path))
        throw corrupt(repository.host, `its list of tags of ${repository.path} does not end`);
      seen.add(path);
      const answer = await call(repository, { method: 'GET', path });
      await expect(repository, answer, `repository ${repository.path}`, [200]);
      const page = readJson(await readBody(repository.host, answer, TAG_PAGE_LIMIT, patience));
      // A repository without tags: distribution answers `"tags": null`.
      const list = isJsonObject(page) ? (page['tags'] ?? []) : undefined;
      if (!Array.isArray(list)) throw corrupt(repository.host, `its list of tags of ${repository.path} is not one`);
      for (const tag of list) if (typeof tag === 'string') found.push(tag);
      path = nextPage(answer, path);
    }
    return found;
  }

  async function blob(
    repository: RepositoryAddress,
    digest: Digest,
    { range, size, signal }: BlobRequest,
  ): Promise<AsyncIterable<Buffer>> {
    const { host } = repository;
    const headers: Record<string, string> = range ? { range: `bytes=${range.first}-${range.last}` } : {};
    const answer = await call(repository, {
      method: 'GET',
      path: `/v2/${repository.path}/blobs/${digest}`,
      headers,
      ...(signal ? { signal } : {}),
    });
    await expect(repository, answer, `blob ${digest}`, range ? [200, 206] : [200]);
    refuseCoding(host, answer);
    const chunks = bodyChunks(host, answer, patience);
    if (!range) return verifiedChunks(host, chunks, digest, size);
    const got = answer.headers['content-range'] ?? '';
    if (answer.status !== 206 || !got.startsWith(`bytes ${range.first}-${range.last}/`)) {
      answer.body.destroy();
      throw corrupt(
        host,
        `it does not give the part of a blob that was asked for (${answer.status === 206 ? got.slice(0, 60) : 'all of it came'})`,
      );
    }
    return exactly(host, chunks, range.last - range.first + 1);
  }

  return {
    resolve: (reference) => settle(() => head(reference)),
    getManifest: (reference) => settle(() => get(reference)),
    listTags: (repository) => settle(() => tags(repository)),
    openBlob: (repository, digest, request = {}) => settle(() => blob(repository, digest, request)),
    close: () => caller.close(),
  };
}

async function* exactly(host: string, chunks: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer, void, undefined> {
  let received = 0;
  for await (const chunk of chunks) {
    received += chunk.length;
    if (received > size) break;
    yield chunk;
  }
  if (received !== size) throw corrupt(host, `it sent ${received} bytes of a part of ${size}`);
}

function manifestPath(reference: Reference): string {
  return `/v2/${reference.path}/manifests/${reference.digest ?? reference.tag ?? 'latest'}`;
}

function nameOf(reference: Reference): string {
  return reference.digest ? `${reference.path}@${reference.digest}` : `${reference.path}:${reference.tag ?? 'latest'}`;
}

function contentType(answer: WireAnswer): string | undefined {
  const type = answer.headers['content-type']?.split(';')[0]?.trim();
  return type === '' || type === 'application/octet-stream' || type === 'text/plain' ? undefined : type;
}

function ownMediaType(bytes: Uint8Array): string | undefined {
  const document = readJson(bytes);
  const own = isJsonObject(document) ? document['mediaType'] : undefined;
  return typeof own === 'string' ? own : undefined;
}

/** The path of `Link: <…>; rel="next"`. Only the path is taken: a list does not go on at another host. */
function nextPage(answer: WireAnswer, current: string): string | undefined {
  const link = answer.headers['link'];
  const target = /<([^<>]{1,4096})>\s*;[^,]*\brel="?next"?/i.exec(Array.isArray(link) ? link.join(', ') : (link ?? ''))?.[1];
  const url = target === undefined ? null : URL.parse(target, new URL(current, answer.url).href);
  return url?.pathname.startsWith('/v2/') === true ? url.pathname + url.search : undefined;
}

function readJson(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes);
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

function corrupt(host: string, reason: string): FetchError {
  return new FetchError({ kind: 'corrupt', host, reason });
}
