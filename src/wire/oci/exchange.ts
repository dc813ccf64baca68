import type { IncomingMessage, ServerResponse } from 'node:http';
import { Fault } from '../../core/fault.ts';
import { repositoryArn, type Caller, type Place } from '../../core/place.ts';
import type { RepositoryName } from '../../core/repository-name.ts';
import type { Principal } from '../../access/principal.ts';
import type { Registry, Repository } from '../../registry/registry.ts';
import type { RequestContext } from '../http/context.ts';
import type { BlobSender } from './send-blob.ts';
import type { OciAccess, Resource } from './ports.ts';

/** What every operation of this wire works with. */
export interface OciDeps {
  readonly registry: Registry;
  readonly access: OciAccess;
  readonly blobs: BlobSender;
}

/** One request whose sender is known. */
export interface Exchange {
  readonly deps: OciDeps;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly context: RequestContext;
  readonly place: Place;
  /** The registry for which a mirror is asked, where that decided the place. */
  readonly namespace: string | undefined;
  /** Absent for an anonymous reader of a public repository. */
  readonly principal: Principal | undefined;
  readonly path: string;
  /** Undecoded, without the question mark. */
  readonly query: string;
}

/** Who acts, for what is recorded. Only reading is open to strangers. */
export function callerOf({ place, principal }: Exchange): Caller {
  if (principal === undefined) throw new Fault('unauthenticated', { reason: 'log in first' });
  return { account: place.account, region: place.region, principal: principal.arn };
}

/** Raises `access-denied`, and `unauthenticated` for a stranger where `resource` is no public repository to be read. */
export function authorize(exchange: Exchange, action: string, resource: Resource): void {
  const { principal, deps } = exchange;
  if (principal === undefined) {
    const isPublic = 'publicPull' in resource && resource.publicPull;
    if (!isPublic || !PUBLIC_ACTIONS.has(action)) throw new Fault('unauthenticated', { reason: 'log in first' });
    return;
  }
  const policyText = 'policyText' in resource ? resource.policyText : undefined;
  deps.access.authorize({
    principal,
    action,
    resourceArn: resource.name === '*' ? '*' : repositoryArn(resource, resource.name),
    ...(policyText === undefined ? {} : { resourcePolicies: [deps.access.readResourcePolicy(policyText)] }),
  });
}

const PUBLIC_ACTIONS: ReadonlySet<string> = new Set([
  'ecr:BatchGetImage',
  'ecr:GetDownloadUrlForLayer',
  'ecr:BatchCheckLayerAvailability',
  'ecr:ListImages',
]);

/**
 * The repository of a request, once its sender may do `action` there. Whether it exists is told only to those who may.
 * Raises `access-denied`, `unauthenticated`, `repository-unknown`.
 */
export async function openRepository(exchange: Exchange, name: RepositoryName, action: string): Promise<Repository> {
  const { place, deps } = exchange;
  const repository = await deps.registry.repositories.find(place, name);
  authorize(exchange, action, repository ?? { ...place, name });
  if (repository === undefined) throw new Fault('repository-unknown', { repository: name, registryId: place.account });
  return repository;
}

/** The same for the first request of a push, which may make the repository. */
export async function openRepositoryForPush(exchange: Exchange, name: RepositoryName, action: string): Promise<Repository> {
  const { place, deps } = exchange;
  const found = await deps.registry.repositories.find(place, name);
  authorize(exchange, action, found ?? { ...place, name });
  if (found !== undefined) return found;
  return deps.registry.repositories.getForPush(callerOf(exchange), name, () =>
    authorize(exchange, 'ecr:CreateRepository', { ...place, name }),
  );
}
