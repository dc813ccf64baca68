import type { ImageFailure, ImageIdentifier } from '@aws-sdk/client-ecr';
import { isDigest } from '../../core/digest.ts';
import { isFault } from '../../core/fault.ts';
import { isTag } from '../../core/tag.ts';
import type { ImageId } from '../../registry/registry.ts';
import { heldReason, IMAGE_DIGEST_PATTERN, IMAGE_TAG_PATTERN } from './faults.ts';
import { looksLikeDigest, looksLikeTag } from './shapes.ts';

/** Why one entry of a batch was not done. The codes are AWS's `ImageFailureCode`, and `ImageInUse`, which AWS does not have. */
export interface ImageRefusal {
  failureCode: NonNullable<ImageFailure['failureCode']> | 'ImageInUse';
  failureReason: string;
}

const NOT_FOUND: ImageRefusal = { failureCode: 'ImageNotFound', failureReason: 'Requested image not found' };

export type ReadImageId = { ok: true; id: ImageId } | { ok: false; refusal: ImageRefusal };

/** What an identifier names. One that is written well but could name no image here is not found; one that is not is refused. */
export function readImageId({ imageDigest, imageTag }: ImageIdentifier): ReadImageId {
  if (imageDigest === undefined && imageTag === undefined)
    return refuse('MissingDigestAndTag', 'Invalid request parameters: both tag and digest cannot be null');
  if (imageDigest !== undefined && !looksLikeDigest(imageDigest)) {
    return refuse(
      'InvalidImageDigest',
      `Invalid request parameters: image digest should satisfy the regex '${IMAGE_DIGEST_PATTERN}'`,
    );
  }
  if (imageTag !== undefined && !looksLikeTag(imageTag)) {
    return refuse('InvalidImageTag', `Invalid request parameters: image tag should satisfy the regex '${IMAGE_TAG_PATTERN}'`);
  }
  const id: ImageId = {};
  if (imageDigest !== undefined) {
    if (!isDigest(imageDigest)) return { ok: false, refusal: NOT_FOUND };
    id.digest = imageDigest;
  }
  if (imageTag !== undefined) {
    if (!isTag(imageTag)) return { ok: false, refusal: NOT_FOUND };
    id.tag = imageTag;
  }
  return { ok: true, id };
}

/** The failure row of a fault of one image; `undefined` for one that concerns the whole request. `mismatch` is what a tag on another digest counts as. */
export function imageRefusal(error: unknown, mismatch: 'ImageNotFound' | 'ImageTagDoesNotMatchDigest'): ImageRefusal | undefined {
  if (isFault(error, 'image-unknown')) return NOT_FOUND;
  if (isFault(error, 'tag-digest-mismatch')) {
    return mismatch === 'ImageNotFound'
      ? NOT_FOUND
      : { failureCode: 'ImageTagDoesNotMatchDigest', failureReason: 'Invalid request parameters: tag does not match the digest' };
  }
  if (isFault(error, 'image-referenced')) {
    return {
      failureCode: 'ImageReferencedByManifestList',
      failureReason: `Requested image referenced by manifest list: [${error.facts.parents.join(', ')}]`,
    };
  }
  if (isFault(error, 'image-held')) return { failureCode: 'ImageInUse', failureReason: heldReason(error.facts) };
  return undefined;
}

function refuse(failureCode: ImageRefusal['failureCode'], failureReason: string): ReadImageId {
  return { ok: false, refusal: { failureCode, failureReason } };
}
