import { createHash } from 'node:crypto';
import type {
  CreateRepositoryRequest,
  CreateRepositoryResponse,
  DeleteRepositoryRequest,
  DeleteRepositoryResponse,
  DescribeRepositoriesRequest,
  DescribeRepositoriesResponse,
  PutImageScanningConfigurationRequest,
  PutImageScanningConfigurationResponse,
  PutImageTagMutabilityRequest,
  PutImageTagMutabilityResponse,
  Repository as SdkRepository,
} from '@aws-sdk/client-ecr';
import { Fault } from '../../core/fault.ts';
import { repositoryArn, type Place } from '../../core/place.ts';
import { parseRepositoryName } from '../../core/repository-name.ts';
import type { Repository } from '../../registry/registry.ts';
import { decodePageToken, encodePageToken } from '../aws/page-token.ts';
import type { Wire } from '../aws/shape.ts';
import { findRepository, onRegistry, onRepository, requireRegistry, seconds, type EcrCall } from './operation.ts';
import { readResourceTags } from './resource-tags.ts';
import {
  DEFAULT_PAGE,
  ENCRYPTION_CONFIGURATION,
  EXCLUSION_FILTERS,
  MAX_RESULTS,
  NEXT_TOKEN,
  ON_REPOSITORY,
  REGISTRY_ID,
  REPOSITORY_NAME,
  RESOURCE_TAGS,
  SCANNING_CONFIGURATION,
  TAG_MUTABILITY,
} from './shapes.ts';
import { checkExclusionFilters } from './tag-mutability.ts';

const createRepository = onRegistry<CreateRepositoryRequest, CreateRepositoryResponse>(
  'CreateRepository',
  {
    type: 'structure',
    members: {
      ...ON_REPOSITORY,
      tags: RESOURCE_TAGS,
      imageTagMutability: TAG_MUTABILITY,
      imageTagMutabilityExclusionFilters: EXCLUSION_FILTERS,
      imageScanningConfiguration: SCANNING_CONFIGURATION,
      encryptionConfiguration: ENCRYPTION_CONFIGURATION,
    },
  },
  async (input, call, action) => {
    const name = parseRepositoryName(input.repositoryName);
    if (input.registryId !== undefined && input.registryId !== call.caller.account) {
      throw new Fault('parameter-invalid', {
        member: 'registryId',
        constraint: `This server has the registry ${call.caller.account} only`,
      });
    }
    await call.authorize(action, repositoryArn(call.caller, name));
    const tagMutability = input.imageTagMutability ?? 'MUTABLE';
    const repository = await call.registry.repositories.create(call.caller, name, {
      tagMutability,
      exclusionFilters: checkExclusionFilters(tagMutability, input.imageTagMutabilityExclusionFilters),
      scanOnPush: input.imageScanningConfiguration?.scanOnPush ?? false,
      ...readEncryption(call.caller, input.encryptionConfiguration),
      resourceTags: readResourceTags(input.tags),
    });
    return { repository: describeRepository(repository, call) };
  },
  { authorizes: 'itself' },
);

const describeRepositories = onRegistry<DescribeRepositoriesRequest, DescribeRepositoriesResponse>(
  'DescribeRepositories',
  {
    type: 'structure',
    members: {
      registryId: REGISTRY_ID,
      repositoryNames: { type: 'list', of: REPOSITORY_NAME, min: 1, max: 100 },
      nextToken: NEXT_TOKEN,
      maxResults: MAX_RESULTS,
    },
  },
  async (input, call, action) => {
    const names = input.repositoryNames;
    if (names !== undefined) {
      if (input.nextToken !== undefined || input.maxResults !== undefined) {
        throw new Fault('parameter-invalid', {
          member: input.nextToken === undefined ? 'maxResults' : 'nextToken',
          constraint: 'Must be null when repositoryNames is specified',
        });
      }
      const repositories: Repository[] = [];
      for (const name of new Set(names)) {
        requireRegistry(call, input.registryId, name);
        repositories.push(await findRepository(call, parseRepositoryName(name), action));
      }
      return { repositories: repositories.map((repository) => describeRepository(repository, call)) };
    }
    await call.authorize(action, repositoryArn(call.caller, '*'));
    if (input.registryId !== undefined && input.registryId !== call.caller.account) return { repositories: [] };
    const [next] = input.nextToken === undefined ? [] : decodePageToken('DescribeRepositories', input.nextToken);
    const page = await call.registry.repositories.list(call.caller, {
      limit: input.maxResults ?? DEFAULT_PAGE,
      ...(next === undefined ? {} : { next }),
    });
    return {
      repositories: page.items.map((repository) => describeRepository(repository, call)),
      ...(page.next === undefined ? {} : { nextToken: encodePageToken('DescribeRepositories', [page.next]) }),
    };
  },
  { authorizes: 'itself' },
);

const deleteRepository = onRepository<DeleteRepositoryRequest, DeleteRepositoryResponse>(
  'DeleteRepository',
  { type: 'structure', members: { ...ON_REPOSITORY, force: { type: 'boolean' } } },
  async (input, repository, call) => {
    await call.registry.repositories.delete(call.caller, repository, { force: input.force ?? false });
    return { repository: describeRepository(repository, call) };
  },
);

const putImageTagMutability = onRepository<PutImageTagMutabilityRequest, PutImageTagMutabilityResponse>(
  'PutImageTagMutability',
  {
    type: 'structure',
    members: {
      ...ON_REPOSITORY,
      imageTagMutability: { ...TAG_MUTABILITY, required: true },
      imageTagMutabilityExclusionFilters: EXCLUSION_FILTERS,
    },
  },
  async (input, repository, call) => {
    const filters = checkExclusionFilters(input.imageTagMutability, input.imageTagMutabilityExclusionFilters);
    const changed = await call.registry.repositories.setTagMutability(call.caller, repository, input.imageTagMutability, filters);
    return { registryId: changed.account, repositoryName: changed.name, ...describeTagMutability(changed) };
  },
);

const putImageScanningConfiguration = onRepository<PutImageScanningConfigurationRequest, PutImageScanningConfigurationResponse>(
  'PutImageScanningConfiguration',
  { type: 'structure', members: { ...ON_REPOSITORY, imageScanningConfiguration: { ...SCANNING_CONFIGURATION, required: true } } },
  async (input, repository, call) => {
    const changed = await call.registry.repositories.setScanOnPush(
      call.caller,
      repository,
      input.imageScanningConfiguration.scanOnPush ?? false,
    );
    return {
      registryId: changed.account,
      repositoryName: changed.name,
      imageScanningConfiguration: { scanOnPush: changed.scanOnPush },
    };
  },
);

export const repositoryOperations = {
  CreateRepository: createRepository,
  DescribeRepositories: describeRepositories,
  DeleteRepository: deleteRepository,
  PutImageTagMutability: putImageTagMutability,
  PutImageScanningConfiguration: putImageScanningConfiguration,
};

function describeRepository(repository: Repository, call: EcrCall): Wire<SdkRepository> {
  return {
    repositoryArn: repositoryArn(repository, repository.name),
    registryId: repository.account,
    repositoryName: repository.name,
    repositoryUri: `${call.registryHost}/${repository.name}`,
    createdAt: seconds(repository.createdAt),
    ...describeTagMutability(repository),
    imageScanningConfiguration: { scanOnPush: repository.scanOnPush },
    encryptionConfiguration: {
      encryptionType: repository.encryptionType,
      ...(repository.kmsKey === undefined ? {} : { kmsKey: repository.kmsKey }),
    },
  };
}

function describeTagMutability(
  repository: Repository,
): Pick<Wire<SdkRepository>, 'imageTagMutability' | 'imageTagMutabilityExclusionFilters'> {
  return {
    imageTagMutability: repository.tagMutability,
    ...(repository.exclusionFilters.length > 0 ? { imageTagMutabilityExclusionFilters: repository.exclusionFilters } : {}),
  };
}

/**
 * What a client asks for is kept and told again, so that its plans show no drift; the bytes lie as the disk or the bucket
 * keeps them (docs/ecr-api.md says so). Without a key AWS fills in the account's own, and so a stable name is filled in here.
 */
export function readEncryption(
  place: Place,
  encryption: { encryptionType: Repository['encryptionType']; kmsKey?: string } | undefined,
): Pick<Repository, 'encryptionType' | 'kmsKey'> {
  if (encryption === undefined) return { encryptionType: 'AES256' };
  const { encryptionType, kmsKey } = encryption;
  if (encryptionType === 'AES256') {
    if (kmsKey !== undefined)
      throw new Fault('parameter-invalid', {
        member: 'encryptionConfiguration',
        constraint: 'kmsKey must be null when encryptionType is AES256',
      });
    return { encryptionType };
  }
  return { encryptionType, kmsKey: kmsKey ?? ownKeyArn(place) };
}

function ownKeyArn({ account, region }: Place): string {
  const hex = createHash('sha256').update(`${account}/${region}/aws/ecr`).digest('hex');
  const id = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
  return `arn:aws:kms:${region}:${account}:key/${id}`;
}
