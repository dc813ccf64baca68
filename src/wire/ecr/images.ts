import type {
  BatchDeleteImageRequest,
  BatchDeleteImageResponse,
  BatchGetImageRequest,
  BatchGetImageResponse,
  ImageFailure,
  ImageIdentifier,
  PutImageRequest,
  PutImageResponse,
} from '@aws-sdk/client-ecr';
import { digestOf, isDigest } from '../../core/digest.ts';
import { Fault, isFault } from '../../core/fault.ts';
import { isJsonObject, JsonError, parseJson } from '../../core/json.ts';
import { MANIFEST_LIMITS } from '../../core/manifest.ts';
import { parseTag } from '../../core/tag.ts';
import type { ImageId, Repository } from '../../registry/registry.ts';
import { imageRefusal, readImageId, type ImageRefusal } from './image-ids.ts';
import { onRepository, type EcrCall } from './operation.ts';
import { CHECKED_IMAGE_DIGEST, CHECKED_IMAGE_TAG, IMAGE_IDS, ON_REPOSITORY } from './shapes.ts';

const putImage = onRepository<PutImageRequest, PutImageResponse>(
  'PutImage',
  {
    type: 'structure',
    members: {
      ...ON_REPOSITORY,
      imageManifest: { type: 'string', min: 1, max: MANIFEST_LIMITS.bytes, required: true },
      imageManifestMediaType: { type: 'string', max: 255 },
      imageTag: CHECKED_IMAGE_TAG,
      imageDigest: CHECKED_IMAGE_DIGEST,
    },
  },
  async (input, repository, call) => {
    const body = Buffer.from(input.imageManifest, 'utf8');
    const tag = input.imageTag === undefined ? undefined : parseTag(input.imageTag);
    const given = input.imageDigest;
    // No digest that we could compute is spelt in another algorithm or length.
    if (given !== undefined && !isDigest(given)) {
      throw new Fault('image-digest-mismatch', {
        repository: repository.name,
        registryId: repository.account,
        given,
        computed: digestOf(body),
      });
    }
    const mediaType = input.imageManifestMediaType ?? (await knownMediaType(call, repository, body));
    const put = await call.registry.images.put(call.caller, repository, {
      body,
      tags: tag === undefined ? [] : [tag],
      ...(mediaType === undefined ? {} : { mediaType }),
      ...(given === undefined ? {} : { digest: given }),
    });
    const tagged = tag === undefined ? {} : { tag };
    if (!put.created && put.moved.length === 0)
      throw new Fault('image-exists', {
        repository: repository.name,
        registryId: repository.account,
        digest: put.digest,
        ...tagged,
      });
    return { image: describeImage(repository, { digest: put.digest, ...tagged }, input.imageManifest, put.mediaType) };
  },
);

const batchGetImage = onRepository<BatchGetImageRequest, BatchGetImageResponse>(
  'BatchGetImage',
  {
    type: 'structure',
    members: {
      ...ON_REPOSITORY,
      imageIds: { ...IMAGE_IDS, required: true },
      acceptedMediaTypes: { type: 'list', of: { type: 'string', max: 255 }, min: 1, max: 100 },
    },
  },
  async (input, repository, call) => {
    const images: NonNullable<BatchGetImageResponse['images']> = [];
    const failures: ImageFailure[] = [];
    for (const imageId of input.imageIds) {
      const read = readImageId(imageId);
      const done = read.ok ? await tryImage(() => readImage(call, repository, read.id), 'ImageTagDoesNotMatchDigest') : read;
      if (done.ok) images.push(done.value);
      else failures.push(failure(imageId, done.refusal));
    }
    return { images, failures };
  },
);

const batchDeleteImage = onRepository<BatchDeleteImageRequest, BatchDeleteImageResponse>(
  'BatchDeleteImage',
  { type: 'structure', members: { ...ON_REPOSITORY, imageIds: { ...IMAGE_IDS, required: true } } },
  async (input, repository, call) => {
    const imageIds: ImageIdentifier[] = [];
    const failures: ImageFailure[] = [];
    for (const imageId of input.imageIds) {
      const read = readImageId(imageId);
      const done = read.ok ? await tryImage(() => deleteImage(call, repository, read.id), 'ImageNotFound') : read;
      if (done.ok) imageIds.push(...done.value);
      else failures.push(failure(imageId, done.refusal));
    }
    return { imageIds, failures };
  },
);

export const imageOperations = { PutImage: putImage, BatchGetImage: batchGetImage, BatchDeleteImage: batchDeleteImage };

/**
 * A manifest that names no media type can be pushed again without saying it, since the registry has it: retagging with
 * `put-image --image-manifest "$MANIFEST"` works for images of any builder.
 */
async function knownMediaType(call: EcrCall, repository: Repository, body: Buffer): Promise<string | undefined> {
  try {
    const document = parseJson(body);
    if (!isJsonObject(document) || document.mediaType !== undefined) return undefined;
  } catch (error) {
    // The registry refuses it with its reason.
    if (error instanceof JsonError) return undefined;
    throw error;
  }
  try {
    return (await call.registry.images.resolve(repository, { digest: digestOf(body) })).mediaType;
  } catch (error) {
    if (isFault(error, 'image-unknown')) return undefined;
    throw error;
  }
}

async function readImage(call: EcrCall, repository: Repository, id: ImageId) {
  // A digest beside a tag is a condition on it.
  const digest =
    id.digest !== undefined && id.tag !== undefined ? (await call.registry.images.resolve(repository, id)).digest : id.digest;
  const key = digest ?? id.tag;
  if (key === undefined) throw new Error('an image identifier without tag and digest got through');
  const manifest = await call.registry.images.read(repository, key, { recordPull: true });
  return describeImage(
    repository,
    { ...id, digest: manifest.digest },
    Buffer.from(manifest.body.buffer, manifest.body.byteOffset, manifest.body.byteLength).toString('utf8'),
    manifest.mediaType,
  );
}

function describeImage(repository: Repository, id: ImageId, imageManifest: string, imageManifestMediaType: string) {
  return {
    registryId: repository.account,
    repositoryName: repository.name,
    imageId: {
      ...(id.digest === undefined ? {} : { imageDigest: id.digest }),
      ...(id.tag === undefined ? {} : { imageTag: id.tag }),
    },
    imageManifest,
    imageManifestMediaType,
  };
}

/** By tag: takes the tag off, and the image away with its last one. By digest: takes the image and all its tags away. */
async function deleteImage(call: EcrCall, repository: Repository, id: ImageId): Promise<ImageIdentifier[]> {
  if (id.tag !== undefined) {
    const imageDigest = await call.registry.images.untag(call.caller, repository, id.tag, {
      lastTag: 'delete-image',
      ...(id.digest === undefined ? {} : { digest: id.digest }),
    });
    return [{ imageDigest, imageTag: id.tag }];
  }
  if (id.digest === undefined) throw new Error('an image identifier without tag and digest got through');
  const imageDigest = id.digest;
  const tags = await call.registry.images.delete(call.caller, repository, imageDigest);
  return tags.length === 0 ? [{ imageDigest }] : tags.map((imageTag) => ({ imageDigest, imageTag }));
}

/** Each entry of a batch stands for itself; only faults of an image become rows, others end the request. */
async function tryImage<T>(
  work: () => Promise<T>,
  mismatch: 'ImageNotFound' | 'ImageTagDoesNotMatchDigest',
): Promise<{ ok: true; value: T } | { ok: false; refusal: ImageRefusal }> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    const refusal = imageRefusal(error, mismatch);
    if (refusal === undefined) throw error;
    return { ok: false, refusal };
  }
}

function failure(imageId: ImageIdentifier, refusal: ImageRefusal): ImageFailure {
  return { imageId, ...refusal } as ImageFailure;
}
