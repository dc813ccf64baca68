import type {
  DeleteLifecyclePolicyRequest,
  DeleteLifecyclePolicyResponse,
  GetLifecyclePolicyPreviewRequest,
  GetLifecyclePolicyPreviewResponse,
  GetLifecyclePolicyRequest,
  GetLifecyclePolicyResponse,
  LifecyclePolicyPreviewResult,
  PutLifecyclePolicyRequest,
  PutLifecyclePolicyResponse,
  StartLifecyclePolicyPreviewRequest,
  StartLifecyclePolicyPreviewResponse,
  UpdateImageStorageClassRequest,
  UpdateImageStorageClassResponse,
} from '@aws-sdk/client-ecr';
import { Fault } from '../../core/fault.ts';
import type { PreviewedImage } from '../../lifecycle/lifecycle.ts';
import { parseLifecyclePolicy } from '../../lifecycle/parse-policy.ts';
import { POLICY_LIMITS } from '../../lifecycle/policy.ts';
import type { Repository } from '../../registry/registry.ts';
import { decodePageToken, encodePageToken } from '../aws/page-token.ts';
import type { StringShape, Wire } from '../aws/shape.ts';
import { readImageId } from './image-ids.ts';
import { onRepository, seconds } from './operation.ts';
import { IMAGE_ID, IMAGE_IDS, NEXT_TOKEN, ON_REPOSITORY, TAG_STATUS } from './shapes.ts';

const POLICY_TEXT = {
  type: 'string',
  min: POLICY_LIMITS.minCharacters,
  max: POLICY_LIMITS.maxCharacters,
} as const satisfies StringShape;
const PAGE = 100;

const putLifecyclePolicy = onRepository<PutLifecyclePolicyRequest, PutLifecyclePolicyResponse>(
  'PutLifecyclePolicy',
  { type: 'structure', members: { ...ON_REPOSITORY, lifecyclePolicyText: { ...POLICY_TEXT, required: true } } },
  async ({ lifecyclePolicyText }, repository, call) => {
    await call.lifecycle.put(call.caller, repository, lifecyclePolicyText);
    return { ...describe(repository), lifecyclePolicyText };
  },
);

const getLifecyclePolicy = onRepository<GetLifecyclePolicyRequest, GetLifecyclePolicyResponse>(
  'GetLifecyclePolicy',
  { type: 'structure', members: ON_REPOSITORY },
  async (_input, repository, call) => ({ ...describe(repository), ...showPolicy(await call.lifecycle.get(repository)) }),
);

const deleteLifecyclePolicy = onRepository<DeleteLifecyclePolicyRequest, DeleteLifecyclePolicyResponse>(
  'DeleteLifecyclePolicy',
  { type: 'structure', members: ON_REPOSITORY },
  async (_input, repository, call) => ({
    ...describe(repository),
    ...showPolicy(await call.lifecycle.delete(call.caller, repository)),
  }),
);

const startLifecyclePolicyPreview = onRepository<StartLifecyclePolicyPreviewRequest, StartLifecyclePolicyPreviewResponse>(
  'StartLifecyclePolicyPreview',
  { type: 'structure', members: { ...ON_REPOSITORY, lifecyclePolicyText: POLICY_TEXT } },
  async ({ lifecyclePolicyText }, repository, call) => {
    const { policyText } = await call.lifecycle.startPreview(repository, lifecyclePolicyText);
    return { ...describe(repository), lifecyclePolicyText: policyText, status: 'IN_PROGRESS' };
  },
);

const getLifecyclePolicyPreview = onRepository<GetLifecyclePolicyPreviewRequest, GetLifecyclePolicyPreviewResponse>(
  'GetLifecyclePolicyPreview',
  {
    type: 'structure',
    members: {
      ...ON_REPOSITORY,
      imageIds: IMAGE_IDS,
      nextToken: NEXT_TOKEN,
      maxResults: { type: 'integer', min: 1, max: PAGE },
      filter: { type: 'structure', members: { tagStatus: TAG_STATUS } },
    },
  },
  async ({ imageIds, nextToken, maxResults, filter }, repository, call) => {
    const tagStatus = filter?.tagStatus ?? 'ANY';
    if (imageIds !== undefined && (nextToken !== undefined || maxResults !== undefined)) {
      throw new Fault('parameter-invalid', {
        member: nextToken === undefined ? 'maxResults' : 'nextToken',
        constraint: 'Must be null when imageIds is specified',
      });
    }
    const only = imageIds?.map((imageId) => {
      const read = readImageId(imageId);
      if (!read.ok && read.refusal.failureCode !== 'ImageNotFound')
        throw new Fault('parameter-invalid', { member: 'imageIds', constraint: read.refusal.failureReason });
      const { imageDigest: digest, imageTag: tag } = imageId;
      return { ...(digest === undefined ? {} : { digest }), ...(tag === undefined ? {} : { tag }) };
    });
    const scope = `GetLifecyclePolicyPreview ${repository.id} ${tagStatus}`;
    const [next] = nextToken === undefined ? [] : decodePageToken(scope, nextToken);
    const preview = await call.lifecycle.getPreview(repository, {
      limit: maxResults ?? PAGE,
      tagStatus,
      ...(next === undefined ? {} : { next }),
      ...(only === undefined ? {} : { only }),
    });
    return {
      ...describe(repository),
      lifecyclePolicyText: preview.policyText,
      status: preview.status,
      previewResults: preview.images.map(showResult),
      ...(preview.status === 'COMPLETE'
        ? {
            summary: {
              expiringImageTotalCount: preview.expiring,
              ...(preview.archiving === 0
                ? {}
                : {
                    transitioningImageTotalCounts: [
                      { targetStorageClass: 'ARCHIVE' as const, imageTotalCount: preview.archiving },
                    ],
                  }),
            },
          }
        : {}),
      ...(preview.next === undefined ? {} : { nextToken: encodePageToken(scope, [preview.next]) }),
    };
  },
);

const updateImageStorageClass = onRepository<UpdateImageStorageClassRequest, UpdateImageStorageClassResponse>(
  'UpdateImageStorageClass',
  {
    type: 'structure',
    members: {
      ...ON_REPOSITORY,
      imageId: { ...IMAGE_ID, required: true },
      targetStorageClass: { type: 'string', enum: ['STANDARD', 'ARCHIVE'], required: true },
    },
  },
  async ({ imageId, targetStorageClass }, repository, call) => {
    const read = readImageId(imageId);
    if (!read.ok && read.refusal.failureCode !== 'ImageNotFound')
      throw new Fault('parameter-invalid', { member: 'imageId', constraint: read.refusal.failureReason });
    const { imageDigest, imageTag } = imageId;
    if (!read.ok) {
      throw new Fault('image-unknown', {
        repository: repository.name,
        registryId: repository.account,
        ...(imageDigest === undefined ? {} : { digest: imageDigest }),
        ...(imageTag === undefined ? {} : { tag: imageTag }),
      });
    }
    const { digest } = await call.registry.images.resolve(repository, read.id);
    const wanted = targetStorageClass === 'ARCHIVE' ? 'archive' : 'standard';
    const image = await call.registry.images.setStorageClass(call.caller, repository, digest, wanted);
    return {
      ...describe(repository),
      imageId: { imageDigest: digest, ...(imageTag === undefined ? {} : { imageTag }) },
      imageStatus: image.storageClass === 'archive' ? 'ARCHIVED' : 'ACTIVE',
    };
  },
);

export const lifecycleOperations = {
  PutLifecyclePolicy: putLifecyclePolicy,
  GetLifecyclePolicy: getLifecyclePolicy,
  DeleteLifecyclePolicy: deleteLifecyclePolicy,
  StartLifecyclePolicyPreview: startLifecyclePolicyPreview,
  GetLifecyclePolicyPreview: getLifecyclePolicyPreview,
  UpdateImageStorageClass: updateImageStorageClass,
};

/** The policy of a creation template; an empty one is none. Raises `parameter-invalid`. */
export function checkTemplatePolicy(text: string): void {
  if (text !== '') parseLifecyclePolicy(text);
}

function describe(repository: Repository): { registryId: string; repositoryName: string } {
  return { registryId: repository.account, repositoryName: repository.name };
}

// AWS tells the time of the last evaluation only when there was one.
function showPolicy({ text, lastEvaluatedAt }: { text: string; lastEvaluatedAt?: number }) {
  return {
    lifecyclePolicyText: text,
    ...(lastEvaluatedAt === undefined ? {} : { lastEvaluatedAt: seconds(lastEvaluatedAt) }),
  };
}

function showResult({ digest, tags, pushedAt, action, rule, storageClass }: PreviewedImage): Wire<LifecyclePolicyPreviewResult> {
  return {
    imageTags: tags.length > 0 ? tags : undefined,
    imageDigest: digest,
    imagePushedAt: seconds(pushedAt),
    action: action === 'archive' ? { type: 'TRANSITION', targetStorageClass: 'ARCHIVE' } : { type: 'EXPIRE' },
    appliedRulePriority: rule,
    storageClass: storageClass === 'archive' ? 'ARCHIVE' : 'STANDARD',
  };
}
