import { Fault } from '../../core/fault.ts';
import type { Registry } from '../../registry/registry.ts';
import type { TagImmutableWording } from '../ecr/faults.ts';
import type { HttpHandler } from '../http/context.ts';
import { guard } from '../http/guard.ts';
import { loggablePath, splitTarget } from '../http/target.ts';
import { parseCredentials } from './credentials.ts';
import type { Exchange, OciDeps } from './exchange.ts';
import { createOciFaults } from './faults.ts';
import { createHostPlaces, isEcrHost, type ServedPlaces } from './host-place.ts';
import { parseOciPath } from './path.ts';
import type { OciAccess } from './ports.ts';
import { parseQuery } from './query.ts';
import { chooseRoute } from './routes.ts';
import { createBlobSender } from './send-blob.ts';
import { createOciFailures, sendError } from './send-error.ts';
import { createTokenHandler } from './token.ts';

export interface OciWireOptions {
  registry: Registry;
  access: OciAccess;
  places: ServedPlaces;
  tagImmutableMessage?: TagImmutableWording;
}

/** The registry API below `/v2/`, tokens for it at `/holdfast/token`, and downloads by a signed link below `/holdfast/download/`. */
export function createOciWire(options: OciWireOptions): { oci: HttpHandler; token: HttpHandler; download: HttpHandler } {
  const { registry, access } = options;
  const deps: OciDeps = { registry, access, blobs: createBlobSender() };
  const placeOf = createHostPlaces(options.places);
  const failures = createOciFailures(
    createOciFaults(options.tagImmutableMessage === undefined ? {} : { tagImmutableMessage: options.tagImmutableMessage }),
    () => registry.repositories.hasPublic(),
  );

  const oci: HttpHandler = async (request, response, context) => {
    const { path, query } = splitTarget(request.url ?? '/');
    const credentials = parseCredentials(request.headers.authorization);
    const principal = credentials && (await access.authenticateBasic(credentials.user, credentials.password));
    const target = parseOciPath(path);
    // A stranger learns nothing but that there is something to log in to, unless a repository is public.
    if (principal === undefined && (target === undefined || !('name' in target)))
      throw new Fault('unauthenticated', { reason: 'log in first' });
    if (target === undefined)
      throw new Fault('operation-unknown', { operation: `${request.method} ${loggablePath(path).slice(0, 300)}` });
    const route = chooseRoute(target, request.method);
    if (typeof route !== 'function') {
      if (principal === undefined) throw new Fault('unauthenticated', { reason: 'log in first' });
      sendError(response, {
        status: 405,
        code: 'UNSUPPORTED',
        message: `${request.method} is not supported here; ${route.join(', ')} are`,
        headers: { Allow: route.join(', ') },
      });
      return;
    }
    const namespace = namespaceOf(request.method, query);
    if (namespace !== undefined) response.setHeader('OCI-Namespace', namespace);
    const place = placeOf(namespace ?? request.headers.host);
    const exchange: Exchange = { deps, request, response, context, place, namespace, principal, path, query };
    await route(exchange);
  };

  const download: HttpHandler = async (request, response) => {
    const { path } = splitTarget(request.url ?? '/');
    const grant = await access.downloads.verify(path.slice(path.lastIndexOf('/') + 1), request.method ?? '');
    const repository = await registry.repositories.get(grant, grant.repository);
    await deps.blobs.send(request, response, await registry.layers.open(repository, grant.digest));
  };

  return {
    oci: guard(oci, failures),
    token: guard(createTokenHandler(access), failures),
    download: guard(download, failures),
  };
}

/**
 * The registry for which containerd asks its mirror by `ns`: one of ECR says the region that a mirror's own name does not.
 * Only for reading: nobody pushes to a mirror.
 */
function namespaceOf(method: string | undefined, query: string): string | undefined {
  if ((method !== 'GET' && method !== 'HEAD') || !query.includes('ns=')) return undefined;
  const namespace = parseQuery(query).get('ns');
  return namespace !== undefined && namespace.length <= 255 && isEcrHost(namespace) ? namespace : undefined;
}
