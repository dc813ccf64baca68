import type { Access } from '../../access/access.ts';
import type { Principal } from '../../access/principal.ts';
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { repositoryArn } from '../../core/place.ts';
import type { Lifecycle } from '../../lifecycle/lifecycle.ts';
import type { Registry, Repository } from '../../registry/registry.ts';
import type { AwsCall, JsonService } from '../aws/json-protocol.ts';
import { registryHost, type PublicAddress } from '../aws/registry-host.ts';
import { createEcrFaults, internalError, type TagImmutableWording } from './faults.ts';
import type { EcrCall } from './operation.ts';
import { findOperation } from './operations.ts';

/** What this wire needs of the access room. */
export type EcrAccess = Pick<Access, 'authorize' | 'isAllowed' | 'issueToken' | 'readResourcePolicy'> & {
  readonly downloads: Pick<Access['downloads'], 'sign'>;
};

export interface EcrServiceOptions {
  registry: Registry;
  lifecycle: Lifecycle;
  access: EcrAccess;
  clock: Clock;
  address: PublicAddress;
  tagImmutableMessage?: TagImmutableWording;
}

const SIGNING_NAMES: ReadonlySet<string> = new Set(['ecr']);
const MIB = 1024 * 1024;
// A part has up to 20 MiB, and a third more in base64; a manifest has up to 4 MiB, and some clients escape each letter.
const LONG_BODIES: ReadonlySet<string> = new Set(['UploadLayerPart', 'PutImage']);
const DOWNLOAD_LIFETIME = 60 * 60 * 1000;

/** The ECR API as a service of the AWS JSON protocol. */
export function createEcrService(options: EcrServiceOptions): JsonService<Principal> {
  return {
    targetPrefix: 'AmazonEC2ContainerRegistry_V20150921',
    signingNames: SIGNING_NAMES,
    has: (operation) => findOperation(operation) !== undefined,
    bodyLimit: (operation) => (LONG_BODIES.has(operation) ? 32 * MIB : 8 * MIB),
    faults: createEcrFaults(
      options.tagImmutableMessage === undefined ? {} : { tagImmutableMessage: options.tagImmutableMessage },
    ),
    internalError,
    async call(name, input, awsCall) {
      const operation = findOperation(name);
      if (operation === undefined) throw new Fault('operation-unknown', { operation: name });
      const call = createCall(options, awsCall);
      if (operation.kind === 'implemented') return operation.call(input, call);
      await call.authorize(operation.action, '*');
      throw new Fault('operation-unsupported', { operation: name, instead: operation.instead });
    },
  };
}

function createCall(
  { registry, lifecycle, access, clock, address }: EcrServiceOptions,
  { caller, identity, host, scheme }: AwsCall<Principal>,
): EcrCall {
  const hostOfRegistry = registryHost(address, host, caller);
  return {
    caller,
    registry,
    lifecycle,
    registryHost: hostOfRegistry,
    registryOrigin: `${scheme}://${hostOfRegistry}`,
    async authorize(action, resource) {
      if (typeof resource === 'string') access.authorize({ principal: identity, action, resourceArn: resource });
      else {
        const resourcePolicies = resource.policyText === undefined ? [] : [access.readResourcePolicy(resource.policyText)];
        access.authorize({ principal: identity, action, resourceArn: repositoryArn(resource, resource.name), resourcePolicies });
      }
    },
    issueToken: () => access.issueToken(identity),
    async signDownload(repository: Repository, digest) {
      const { account, region, name } = repository;
      const grant = await access.downloads.sign({
        account,
        region,
        repository: name,
        digest,
        expiresAt: clock.now() + DOWNLOAD_LIFETIME,
      });
      return `/holdfast/download/${grant}`;
    },
    async keepsPolicyAccess(repository, policyText) {
      const resourcePolicies = [access.readResourcePolicy(policyText)];
      return access.isAllowed({
        principal: identity,
        action: 'ecr:SetRepositoryPolicy',
        resourceArn: repositoryArn(repository, repository.name),
        resourcePolicies,
      });
    },
  };
}
