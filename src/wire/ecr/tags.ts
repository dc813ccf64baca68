import type {
  ListTagsForResourceRequest,
  ListTagsForResourceResponse,
  TagResourceRequest,
  TagResourceResponse,
  UntagResourceRequest,
  UntagResourceResponse,
} from '@aws-sdk/client-ecr';
import { Fault } from '../../core/fault.ts';
import { isRepositoryName } from '../../core/repository-name.ts';
import type { Repository } from '../../registry/registry.ts';
import { findRepository, onRegistry, type EcrCall } from './operation.ts';
import { readResourceTags, writeResourceTags } from './resource-tags.ts';
import { RESOURCE_TAGS } from './shapes.ts';

const RESOURCE_ARN = { type: 'string', max: 2048, required: true } as const;

const tagResource = onRegistry<TagResourceRequest, TagResourceResponse>(
  'TagResource',
  { type: 'structure', members: { resourceArn: RESOURCE_ARN, tags: { ...RESOURCE_TAGS, required: true } } },
  async (input, call, action) => {
    const repository = await findByArn(call, input.resourceArn, action);
    await call.registry.repositories.addResourceTags(call.caller, repository, readResourceTags(input.tags));
    return {};
  },
  { authorizes: 'itself' },
);

const untagResource = onRegistry<UntagResourceRequest, UntagResourceResponse>(
  'UntagResource',
  {
    type: 'structure',
    members: {
      resourceArn: RESOURCE_ARN,
      tagKeys: { type: 'list', of: { type: 'string', max: 1024 }, max: 200, required: true },
    },
  },
  async (input, call, action) => {
    const repository = await findByArn(call, input.resourceArn, action);
    await call.registry.repositories.removeResourceTags(call.caller, repository, input.tagKeys);
    return {};
  },
  { authorizes: 'itself' },
);

const listTagsForResource = onRegistry<ListTagsForResourceRequest, ListTagsForResourceResponse>(
  'ListTagsForResource',
  { type: 'structure', members: { resourceArn: RESOURCE_ARN } },
  async (input, call, action) => {
    const repository = await findByArn(call, input.resourceArn, action);
    return { tags: writeResourceTags(await call.registry.repositories.resourceTags(repository)) };
  },
  { authorizes: 'itself' },
);

export const tagOperations = { TagResource: tagResource, UntagResource: untagResource, ListTagsForResource: listTagsForResource };

/** `arn:aws:ecr:<region>:<account>:repository/<name>`. Raises `parameter-invalid` for another kind of ARN, and `repository-unknown`. */
async function findByArn(call: EcrCall, arn: string, action: string): Promise<Repository> {
  const [, region, registryId = '', name = ''] = /^arn:aws[a-z-]*:ecr:([a-z0-9-]+):([0-9]{12}):repository\/(.+)$/.exec(arn) ?? [];
  if (!isRepositoryName(name)) throw new Fault('parameter-invalid', { member: 'resourceArn', constraint: 'Invalid ARN' });
  if (region !== call.caller.region || registryId !== call.caller.account)
    throw new Fault('repository-unknown', { repository: name, registryId });
  return findRepository(call, name, action);
}
