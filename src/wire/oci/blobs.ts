import { parseDigest } from '../../core/digest.ts';
import { Fault } from '../../core/fault.ts';
import type { RepositoryName } from '../../core/repository-name.ts';
import { sendEmpty, sendHead } from '../http/send.ts';
import { API_VERSION } from './api-version.ts';
import { callerOf, openRepository, type Exchange } from './exchange.ts';
import { blobHeaders } from './send-blob.ts';

/** `HEAD /v2/<name>/blobs/<digest>` (end-2). */
export async function headBlob(exchange: Exchange, name: RepositoryName, digestText: string): Promise<void> {
  const { response, deps } = exchange;
  const repository = await openRepository(exchange, name, 'ecr:BatchCheckLayerAvailability');
  const digest = parseDigest(digestText);
  const blob = await deps.registry.layers.stat(repository, digest);
  if (blob === undefined) throw new Fault('blob-unknown', { repository: name, registryId: repository.account, digest });
  sendHead(response, blobHeaders(digest, blob.bytes));
}

/** `GET /v2/<name>/blobs/<digest>` (end-2), whole or in part. */
export async function getBlob(exchange: Exchange, name: RepositoryName, digestText: string): Promise<void> {
  const { request, response, deps } = exchange;
  const repository = await openRepository(exchange, name, 'ecr:GetDownloadUrlForLayer');
  await deps.blobs.send(request, response, await deps.registry.layers.open(repository, parseDigest(digestText)));
}

/** `DELETE /v2/<name>/blobs/<digest>` (end-10): only what no image refers to. */
export async function deleteBlob(exchange: Exchange, name: RepositoryName, digestText: string): Promise<void> {
  const { response, deps } = exchange;
  const repository = await openRepository(exchange, name, 'ecr:BatchDeleteImage');
  await deps.registry.layers.remove(callerOf(exchange), repository, parseDigest(digestText));
  sendEmpty(response, 202, API_VERSION);
}
