import { parseRepositoryName } from '../../core/repository-name.ts';
import { sendEmpty, sendJson } from '../http/send.ts';
import { deleteBlob, getBlob, headBlob } from './blobs.ts';
import { API_VERSION } from './api-version.ts';
import type { Exchange } from './exchange.ts';
import { listCatalog, listReferrers, listTags } from './listings.ts';
import { deleteManifest, getManifest, putManifest } from './manifests.ts';
import type { OciTarget, OciTargetKind } from './path.ts';
import { appendUpload, cancelUpload, completeUpload, getUpload, startUpload } from './uploads.ts';

type Route<Kind extends OciTargetKind> = (exchange: Exchange, target: Extract<OciTarget, { kind: Kind }>) => Promise<void>;
type Methods<Kind extends OciTargetKind> = Readonly<
  Partial<Record<'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE', Route<Kind>>>
>;

/** Every endpoint of the distribution spec, by what its path names and by its method. */
export const routes: { readonly [Kind in OciTargetKind]: Methods<Kind> } = {
  base: { GET: ping, HEAD: ping },
  catalog: { GET: (exchange) => listCatalog(exchange) },
  manifest: {
    GET: (exchange, target) => getManifest(exchange, parseRepositoryName(target.name), target.reference),
    HEAD: (exchange, target) => getManifest(exchange, parseRepositoryName(target.name), target.reference),
    PUT: (exchange, target) => putManifest(exchange, parseRepositoryName(target.name), target.reference),
    DELETE: (exchange, target) => deleteManifest(exchange, parseRepositoryName(target.name), target.reference),
  },
  blob: {
    GET: (exchange, target) => getBlob(exchange, parseRepositoryName(target.name), target.digest),
    HEAD: (exchange, target) => headBlob(exchange, parseRepositoryName(target.name), target.digest),
    DELETE: (exchange, target) => deleteBlob(exchange, parseRepositoryName(target.name), target.digest),
  },
  uploads: { POST: (exchange, target) => startUpload(exchange, parseRepositoryName(target.name)) },
  upload: {
    GET: (exchange, target) => getUpload(exchange, parseRepositoryName(target.name), target.uploadId),
    PATCH: (exchange, target) => appendUpload(exchange, parseRepositoryName(target.name), target.uploadId),
    PUT: (exchange, target) => completeUpload(exchange, parseRepositoryName(target.name), target.uploadId),
    DELETE: (exchange, target) => cancelUpload(exchange, parseRepositoryName(target.name), target.uploadId),
  },
  tags: { GET: (exchange, target) => listTags(exchange, parseRepositoryName(target.name)) },
  referrers: { GET: (exchange, target) => listReferrers(exchange, parseRepositoryName(target.name), target.digest) },
};

/** What answers there, if anything does; else the methods that would. */
export function chooseRoute(
  target: OciTarget,
  method: string | undefined,
): ((exchange: Exchange) => Promise<void>) | readonly string[] {
  const methods = routes[target.kind] as Methods<OciTargetKind>;
  const route = Object.hasOwn(methods, method ?? '') ? methods[method as keyof Methods<OciTargetKind>] : undefined;
  return route === undefined ? Object.keys(methods) : (exchange) => route(exchange, target as never);
}

/** `GET /v2/` (end-1): being let in is the answer. */
async function ping({ request, response }: Exchange): Promise<void> {
  if (request.method === 'HEAD') sendEmpty(response, 200, API_VERSION);
  else sendJson(response, 200, {}, API_VERSION);
}
