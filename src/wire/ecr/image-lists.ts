import type {
  DescribeImagesRequest,
  DescribeImagesResponse,
  ImageDetail as SdkImageDetail,
  ImageIdentifier,
  ImageReferrer,
  ListImageReferrersRequest,
  ListImageReferrersResponse,
  ListImagesRequest,
  ListImagesResponse,
} from '@aws-sdk/client-ecr';
import { parseDigest, type Digest } from '../../core/digest.ts';
import { Fault } from '../../core/fault.ts';
import type { Page } from '../../core/page.ts';
import type { ImageDetail, ListedImage, Repository, StorageClass, TagStatus } from '../../registry/registry.ts';
import { decodePageToken, encodePageToken } from '../aws/page-token.ts';
import type { Wire } from '../aws/shape.ts';
import { readImageId } from './image-ids.ts';
import { listRows } from './list-rows.ts';
import { onRepository, seconds, type EcrCall } from './operation.ts';
import {
  CHECKED_IMAGE_DIGEST,
  DEFAULT_PAGE,
  IMAGE_IDS,
  IMAGE_STATUS_FILTER,
  MAX_RESULTS,
  NEXT_TOKEN,
  ON_REPOSITORY,
  TAG_STATUS,
} from './shapes.ts';

type StatusFilter = 'ACTIVE' | 'ARCHIVED' | 'ACTIVATING' | 'ANY';

const describeImages = onRepository<DescribeImagesRequest, DescribeImagesResponse>(
  'DescribeImages',
  {
    type: 'structure',
    members: {
      ...ON_REPOSITORY,
      imageIds: IMAGE_IDS,
      nextToken: NEXT_TOKEN,
      maxResults: MAX_RESULTS,
      filter: { type: 'structure', members: { tagStatus: TAG_STATUS, imageStatus: IMAGE_STATUS_FILTER } },
    },
  },
  async (input, repository, call) => {
    const { tagStatus = 'ANY', imageStatus } = input.filter ?? {};
    if (input.imageIds !== undefined) {
      if (input.nextToken !== undefined || input.maxResults !== undefined) {
        throw new Fault('parameter-invalid', {
          member: input.nextToken === undefined ? 'maxResults' : 'nextToken',
          constraint: 'Must be null when imageIds is specified',
        });
      }
      const images = await resolveAll(call, repository, input.imageIds);
      return {
        imageDetails: images
          .filter((image) => hasStatus(image, tagStatus, imageStatus ?? 'ANY'))
          .map((image) => describeImage(image, repository)),
      };
    }
    const scope = `DescribeImages ${repository.id} ${tagStatus} ${imageStatus ?? ''}`;
    const [next] = input.nextToken === undefined ? [] : decodePageToken(scope, input.nextToken);
    const page = await listByStatus(call, repository, { limit: input.maxResults ?? DEFAULT_PAGE, next, tagStatus, imageStatus });
    return {
      imageDetails: page.items.map((image) => describeImage(image, repository)),
      ...(page.next === undefined ? {} : { nextToken: encodePageToken(scope, [page.next]) }),
    };
  },
);

const listImages = onRepository<ListImagesRequest, ListImagesResponse>(
  'ListImages',
  {
    type: 'structure',
    members: {
      ...ON_REPOSITORY,
      nextToken: NEXT_TOKEN,
      maxResults: MAX_RESULTS,
      filter: { type: 'structure', members: { tagStatus: TAG_STATUS, imageStatus: IMAGE_STATUS_FILTER } },
    },
  },
  async (input, repository, call) => {
    const { tagStatus = 'ANY', imageStatus } = input.filter ?? {};
    const scope = `ListImages ${repository.id} ${tagStatus} ${imageStatus ?? ''}`;
    const position = input.nextToken === undefined ? [] : decodePageToken(scope, input.nextToken);
    const list = (limit: number, next: string | undefined) =>
      listByStatus(call, repository, { limit, next, tagStatus, imageStatus });
    const page = await listRows(list, input.maxResults ?? DEFAULT_PAGE, position);
    return { imageIds: page.rows, ...(page.position === undefined ? {} : { nextToken: encodePageToken(scope, page.position) }) };
  },
);

const listImageReferrers = onRepository<ListImageReferrersRequest, ListImageReferrersResponse>(
  'ListImageReferrers',
  {
    type: 'structure',
    members: {
      ...ON_REPOSITORY,
      subjectId: { type: 'structure', members: { imageDigest: { ...CHECKED_IMAGE_DIGEST, required: true } }, required: true },
      filter: {
        type: 'structure',
        members: {
          artifactTypes: { type: 'list', of: { type: 'string', min: 1, max: 255 }, min: 0, max: 5 },
          artifactStatus: IMAGE_STATUS_FILTER,
        },
      },
      nextToken: NEXT_TOKEN,
      maxResults: { type: 'integer', min: 1, max: 50 },
    },
  },
  async (input, repository, call) => {
    const subject = parseDigest(input.subjectId.imageDigest);
    const { artifactTypes = [], artifactStatus } = input.filter ?? {};
    const scope = `ListImageReferrers ${repository.id} ${subject} ${JSON.stringify(artifactTypes)} ${artifactStatus ?? ''}`;
    const [next] = input.nextToken === undefined ? [] : decodePageToken(scope, input.nextToken);
    const page = await call.registry.images.referrers(repository, subject, {
      limit: input.maxResults ?? 20,
      ...(next === undefined ? {} : { next }),
      ...(artifactTypes.length > 0 ? { artifactTypes } : {}),
    });
    const referrers = page.items.filter((image) => hasStatus(image, 'ANY', artifactStatus ?? 'ACTIVE')).map(describeReferrer);
    return { referrers, ...(page.next === undefined ? {} : { nextToken: encodePageToken(scope, [page.next]) }) };
  },
  { action: 'BatchGetImage' },
);

export const imageListOperations = {
  DescribeImages: describeImages,
  ListImages: listImages,
  ListImageReferrers: listImageReferrers,
};

/** Every identifier must name an image: the whole request fails on the first that does not. An image named twice is told once. */
async function resolveAll(call: EcrCall, repository: Repository, imageIds: ImageIdentifier[]): Promise<ImageDetail[]> {
  const images = new Map<Digest, ImageDetail>();
  for (const imageId of imageIds) {
    const read = readImageId(imageId);
    if (!read.ok) {
      if (read.refusal.failureCode !== 'ImageNotFound')
        throw new Fault('parameter-invalid', { member: 'imageIds', constraint: read.refusal.failureReason });
      const { imageDigest: digest, imageTag: tag } = imageId;
      throw new Fault('image-unknown', {
        repository: repository.name,
        registryId: repository.account,
        ...(digest === undefined ? {} : { digest }),
        ...(tag === undefined ? {} : { tag }),
      });
    }
    const image = await call.registry.images.resolve(repository, read.id);
    images.set(image.digest, image);
  }
  return [...images.values()];
}

interface StatusPage {
  limit: number;
  next: string | undefined;
  tagStatus: TagStatus;
  /** Without one only active images are listed (ECR API, `ImageStatusFilter`). */
  imageStatus: StatusFilter | undefined;
}

async function listByStatus(
  call: EcrCall,
  repository: Repository,
  { limit, next, tagStatus, imageStatus = 'ACTIVE' }: StatusPage,
): Promise<Page<ListedImage>> {
  // Archived images come back at once here, so that none is ever on its way.
  if (imageStatus === 'ACTIVATING') return { items: [] };
  const storageClass: StorageClass | undefined =
    imageStatus === 'ANY' ? undefined : imageStatus === 'ARCHIVED' ? 'archive' : 'standard';
  return call.registry.images.list(repository, {
    limit,
    tagStatus,
    ...(next === undefined ? {} : { next }),
    ...(storageClass === undefined ? {} : { storageClass }),
  });
}

function hasStatus(image: ImageDetail, tagStatus: TagStatus, imageStatus: StatusFilter): boolean {
  if (tagStatus !== 'ANY' && (tagStatus === 'TAGGED') !== image.tags.length > 0) return false;
  return imageStatus === 'ANY' || imageStatus === describeStatus(image);
}

function describeStatus(image: ImageDetail): 'ACTIVE' | 'ARCHIVED' {
  return image.storageClass === 'archive' ? 'ARCHIVED' : 'ACTIVE';
}

// A member whose value is `undefined` is not in the answer at all.
function describeImage(image: ImageDetail, repository: Repository): Wire<SdkImageDetail> {
  return {
    registryId: repository.account,
    repositoryName: repository.name,
    imageDigest: image.digest,
    imageTags: image.tags.length > 0 ? image.tags : undefined,
    imageSizeInBytes: image.imageBytes,
    imagePushedAt: seconds(image.pushedAt),
    imageManifestMediaType: image.mediaType,
    artifactMediaType: image.artifactType,
    lastRecordedPullTime: secondsOf(image.pulledAt),
    subjectManifestDigest: image.subject,
    imageStatus: describeStatus(image),
    lastArchivedAt: secondsOf(image.archivedAt),
    lastActivatedAt: secondsOf(image.activatedAt),
  };
}

function describeReferrer(image: ImageDetail): Wire<ImageReferrer> {
  return {
    digest: image.digest,
    mediaType: image.mediaType,
    artifactType: image.artifactType,
    size: image.manifestBytes,
    annotations: image.annotations,
    artifactStatus: describeStatus(image),
  };
}

function secondsOf(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : seconds(milliseconds);
}
