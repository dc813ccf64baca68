import type { Blob, Manifest } from './content.ts';
import type { Answer } from './http.ts';
import { need, type Run } from './run.ts';

/** The upload URL with a query member more. */
export function withQuery(location: string, query: string): string {
  return `${location}${location.includes('?') ? '&' : '?'}${query}`;
}

export async function openUpload(run: Run, repository: string, query = ''): Promise<string> {
  const answer = await run.send({ method: 'POST', url: `/v2/${repository}/blobs/uploads/${query}` });
  return need(
    answer.status === 202 ? answer.headers.location : undefined,
    `upload session (${answer.status} ${answer.body.toString()})`,
  );
}

export function finishUpload(run: Run, location: string, digest: string, body?: Buffer): Promise<Answer> {
  return run.send({
    method: 'PUT',
    url: withQuery(location, `digest=${digest}`),
    headers: { 'Content-Type': 'application/octet-stream' },
    ...(body ? { body } : {}),
  });
}

/** The plainest push, for scenarios that are about something else. */
export async function pushBlob(run: Run, repository: string, blob: Blob): Promise<void> {
  const answer = await finishUpload(run, await openUpload(run, repository), blob.digest, blob.bytes);
  need(answer.status === 201 ? true : undefined, `blob (${answer.status} ${answer.body.toString()})`);
}

export function putManifest(
  run: Run,
  repository: string,
  reference: string,
  manifest: Pick<Manifest, 'bytes' | 'mediaType'>,
): Promise<Answer> {
  return run.send({
    method: 'PUT',
    url: `/v2/${repository}/manifests/${reference}`,
    headers: { 'Content-Type': manifest.mediaType },
    body: manifest.bytes,
  });
}

export async function pushManifest(run: Run, repository: string, reference: string, manifest: Manifest): Promise<void> {
  const answer = await putManifest(run, repository, reference, manifest);
  need(answer.status === 201 ? true : undefined, `manifest (${answer.status} ${answer.body.toString()})`);
}

export function get(run: Run, url: string, headers: Record<string, string> = {}): Promise<Answer> {
  return run.send({ method: 'GET', url, headers });
}

export function head(run: Run, url: string, headers: Record<string, string> = {}): Promise<Answer> {
  return run.send({ method: 'HEAD', url, headers });
}

export function remove(run: Run, url: string): Promise<Answer> {
  return run.send({ method: 'DELETE', url });
}

/** Code of the first error. */
export function errorCode(answer: Answer): string | undefined {
  try {
    return (JSON.parse(answer.body.toString()) as { errors?: { code?: string }[] }).errors?.[0]?.code;
  } catch {
    return undefined;
  }
}
