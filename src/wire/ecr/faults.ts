import { REPOSITORY_NAME_PATTERN } from '../../core/repository-name.ts';
import type { FaultTable } from '../../core/fault.ts';
import { clientError, commonFaults, type AwsError } from '../aws/answer.ts';

export const IMAGE_TAG_PATTERN = '[a-zA-Z0-9-_.]+';
export const IMAGE_DIGEST_PATTERN = '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+';
export const LOOSE_TAG = /^[a-zA-Z0-9\-_.]+$/;
export const LOOSE_DIGEST = /^[a-zA-Z0-9\-_+.]+:[a-fA-F0-9]+$/;
export const DIGEST_RULE = 'must be sha256: and 64, or sha512: and 128 lower-case hexadecimal digits';
const OCI_TAG_PATTERN = '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}';

/** Which words end the refusal of a protected tag: `as-mutability` says what protects it, `tag` says what AWS says since July 2025. */
export type TagImmutableWording = 'as-mutability' | 'tag';

/**
 * What the ECR API says of each fault. The wordings are AWS's own where it has one, as seen in logs of real clients;
 * tools look for them.
 */
export function createEcrFaults(options: { tagImmutableMessage?: TagImmutableWording } = {}): FaultTable<AwsError> {
  return {
    ...commonFaults,
    'parameter-invalid': ({ member, constraint }) => invalidParameter(member, constraint),
    // The patterns that AWS quotes let more through than can name anything; what they let through is told what it lacks.
    'digest-invalid': ({ text }) =>
      invalidParameter(
        'imageDigest',
        LOOSE_DIGEST.test(text) ? DIGEST_RULE : `must satisfy regular expression '${IMAGE_DIGEST_PATTERN}'`,
      ),
    'tag-name-invalid': ({ text }) =>
      invalidParameter(
        'imageTag',
        `must satisfy regular expression '${LOOSE_TAG.test(text) ? OCI_TAG_PATTERN : IMAGE_TAG_PATTERN}'`,
      ),
    'repository-name-invalid': () =>
      invalidParameter('repositoryName', `must satisfy regular expression '${REPOSITORY_NAME_PATTERN}'`),
    'reference-invalid': ({ reason }) => clientError('InvalidParameterException', reason),
    'request-invalid': ({ reason }) => clientError('ValidationException', reason),
    'resource-tag-invalid': ({ reason }) => clientError('InvalidTagParameterException', reason),
    'manifest-invalid': ({ reason }) => {
      if (reason.startsWith('no media type'))
        return clientError('InvalidParameterException', 'image manifest mediatype not provided in manifest or parameter');
      const said = reason.replace(/^Content-Type /, 'imageManifestMediaType ');
      return invalidParameter('ImageManifest', reason === 'not JSON' || reason === 'not UTF-8' ? 'Invalid JSON syntax' : said);
    },
    'manifest-too-large': ({ limit }) =>
      invalidParameter('imageManifest', `Member must have length less than or equal to ${limit}`),
    'media-type-unsupported': ({ mediaType }) =>
      invalidParameter('ImageManifestMediaType', `Unsupported media type ${mediaType}`),

    'repository-unknown': (facts) =>
      clientError(
        'RepositoryNotFoundException',
        `The repository with name '${facts.repository}' does not exist in the registry with id '${facts.registryId}'`,
      ),
    'repository-exists': (facts) =>
      clientError(
        'RepositoryAlreadyExistsException',
        `The repository with name '${facts.repository}' already exists in the registry with id '${facts.registryId}'`,
      ),
    'repository-not-empty': (facts) =>
      clientError(
        'RepositoryNotEmptyException',
        `The repository with name '${facts.repository}' in registry with id '${facts.registryId}' cannot be deleted because it still contains images`,
      ),
    'repository-policy-unknown': (facts) =>
      clientError(
        'RepositoryPolicyNotFoundException',
        `Repository policy does not exist for the repository with name '${facts.repository}' in the registry with id '${facts.registryId}'`,
      ),
    'lifecycle-policy-unknown': (facts) =>
      clientError(
        'LifecyclePolicyNotFoundException',
        `Lifecycle policy does not exist for the repository with name '${facts.repository}' in the registry with id '${facts.registryId}'`,
      ),
    'lifecycle-preview-unknown': (facts) =>
      clientError(
        'LifecyclePolicyPreviewNotFoundException',
        `Lifecycle policy preview does not exist for the repository with name '${facts.repository}' in the registry with id '${facts.registryId}'`,
      ),
    'lifecycle-preview-running': (facts) =>
      clientError(
        'LifecyclePolicyPreviewInProgressException',
        `A lifecycle policy preview is already in progress for the repository with name '${facts.repository}' in the registry with id '${facts.registryId}'`,
      ),
    'lifecycle-run-unknown': ({ repository, run }) =>
      clientError('InvalidParameterException', `The lifecycle policy of the repository '${repository}' had no run '${run}'`),
    'registry-policy-unknown': ({ registryId }) =>
      clientError('RegistryPolicyNotFoundException', `Registry policy does not exist in the registry with id '${registryId}'`),
    'template-unknown': ({ prefix }) =>
      clientError('TemplateNotFoundException', `The repository creation template with prefix '${prefix}' does not exist`),
    'template-exists': ({ prefix }) =>
      clientError('TemplateAlreadyExistsException', `The repository creation template with prefix '${prefix}' already exists`),
    'too-many-resource-tags': ({ limit }) => clientError('TooManyTagsException', `A repository can have at most ${limit} tags`),
    'limit-exceeded': ({ what, limit }) =>
      clientError('LimitExceededException', `The limit of ${limit} for ${what} has been reached`),

    'image-unknown': imageNotFound,
    'tag-digest-mismatch': imageNotFound,
    'image-exists': (facts) =>
      clientError(
        'ImageAlreadyExistsException',
        `Image with digest '${facts.digest}' and tag '${facts.tag ?? 'null'}' already exists in the repository with name '${facts.repository}' in registry with id '${facts.registryId}'`,
      ),
    'tag-immutable': (facts) =>
      clientError(
        'ImageTagAlreadyExistsException',
        `The image tag '${facts.tag}' already exists in the '${facts.repository}' repository and cannot be overwritten because the ${
          options.tagImmutableMessage === 'tag' ? 'tag' : facts.because
        } is immutable.`,
      ),
    'image-digest-mismatch': (facts) =>
      clientError(
        'ImageDigestDoesNotMatchException',
        `The image with digest '${facts.given}' in repository '${facts.repository}' and registry ID '${facts.registryId}' does not match the image digest that Amazon ECR has calculated.`,
      ),
    'children-unknown': (facts) =>
      clientError('ReferencedImagesNotFoundException', `Images with digests '${missing(facts)} do not exist`),
    'layers-unknown': (facts) => clientError('LayersNotFoundException', `Layers with digests '${missing(facts)} do not exist`),
    'image-referenced': ({ parents }) =>
      clientError('InvalidParameterException', `Requested image referenced by manifest list: [${parents.join(', ')}]`),
    'image-held': (facts) =>
      clientError(
        'RepositoryNotEmptyException',
        `The repository with name '${facts.repository}' cannot be deleted: ${heldReason(facts)}`,
      ),
    'image-archived': ({ digest }) =>
      clientError(
        'ImageArchivedException',
        `The image with digest '${digest}' is archived. Restore it with UpdateImageStorageClass before it is used.`,
      ),
    'storage-class-unsupported': ({ reason }) => clientError('ImageStorageClassUpdateNotSupportedException', reason),
    'secret-unknown': ({ name }) => clientError('InvalidParameterException', `There is no secret '${name}'`),
    'hold-unknown': ({ id }) => clientError('InvalidParameterException', `There is no hold '${id}'`),
    'deleted-image-unknown': ({ repository, digest }) =>
      clientError(
        'InvalidParameterException',
        `The image '${digest}' of '${repository}' is not among the deleted ones that can be restored`,
      ),

    'blob-unknown': (facts) =>
      clientError(
        'LayersNotFoundException',
        `The layer with digest '${facts.digest}' does not exist in the repository with name '${facts.repository}' in the registry with id '${facts.registryId}'`,
      ),
    'blob-inaccessible': (facts) =>
      clientError(
        'LayerInaccessibleException',
        `The layer with digest '${facts.digest}' in the repository with name '${facts.repository}' is not accessible because it is not associated with an image. Layers without an image may be cleaned up at any time.`,
      ),
    'blob-referenced': ({ repository, digest }) =>
      clientError('InvalidParameterException', `The layer with digest '${digest}' belongs to an image of '${repository}'`),
    'blob-exists': (facts) =>
      clientError(
        'LayerAlreadyExistsException',
        `The layer with digest '${facts.digest}' already exists in the repository with name '${facts.repository}' in the registry with id '${facts.registryId}'`,
      ),
    'blob-corrupt': ({ digest }) =>
      clientError(
        'LayerInaccessibleException',
        `The stored bytes of the layer '${digest}' no longer match its digest and are not served. Push the image again to replace them.`,
      ),
    'upload-unknown': (facts) =>
      clientError(
        'UploadNotFoundException',
        `The upload with id '${facts.uploadId}' does not exist in the repository with name '${facts.repository}' in the registry with id '${facts.registryId}'`,
      ),
    'upload-busy': ({ uploadId }) =>
      clientError(
        'ThrottlingException',
        `Another part of the upload '${uploadId}' is being written. Send its parts one after another.`,
      ),
    'upload-range-invalid': (facts) =>
      clientError(
        'InvalidLayerPartException',
        `The next part of the upload '${facts.uploadId}' must begin at byte ${facts.offset} and be as long as partFirstByte and partLastByte say`,
        {
          registryId: facts.registryId,
          repositoryName: facts.repository,
          uploadId: facts.uploadId,
          // Before the first part there is no last valid byte, and AWS leaves out what is not there.
          ...(facts.offset > 0 ? { lastValidByteReceived: facts.offset - 1 } : {}),
        },
      ),
    'upload-empty': ({ uploadId }) =>
      clientError('EmptyUploadException', `The upload with id '${uploadId}' does not contain any layer parts`),
    'upload-part-too-small': ({ bytes, limit }) =>
      clientError(
        'LayerPartTooSmallException',
        `A layer part has ${bytes} bytes; every part but the last needs at least ${limit}`,
      ),
    'upload-incomplete': ({ expected, received }) =>
      clientError('InvalidParameterException', `The layer part ended after ${received} of ${expected} bytes`),
    'blob-digest-mismatch': ({ given, computed }) =>
      clientError('InvalidLayerException', `The layer was said to have the digest '${given}', but its bytes have '${computed}'`),
    'blob-too-large': ({ limit }) => clientError('InvalidLayerException', `A layer has at most ${limit} bytes`),
    'range-not-satisfiable': ({ size }) =>
      clientError('InvalidParameterException', `The range lies outside of the ${size} bytes that are there`),

    'download-grant-invalid': ({ reason }) => clientError('InvalidParameterException', reason),
    'policy-invalid': ({ reason }) => invalidParameter('PolicyText', reason),
    'ecs': ({ message }) => clientError('ValidationException', message),
    'operation-unsupported': ({ operation, instead }) =>
      clientError('ValidationException', `${operation} is not supported by this registry. ${instead}`),
    'storage-full': () => serverError('The disk of the registry is full.'),
    'storage-failed': () => serverError('The storage of the registry failed.'),
    'storage-unreachable': () => serverError('The database of the registry cannot be reached. Try again.'),
  };
}

/** For what is a bug or a broken machine; the cause is in the log under the request id. */
export function internalError(requestId: string): AwsError {
  return serverError(`Internal error. The server's log says more under the request id ${requestId}.`);
}

/** `service 'web' since 2026-01-02T03:04:05.000Z and 2 more`. */
export function heldReason({
  digest,
  holds,
}: {
  digest: string;
  holds: { kind: string; holder: string; since: number }[];
}): string {
  const shown = holds.slice(0, 3).map((hold) => `${hold.kind} '${hold.holder}' since ${new Date(hold.since).toISOString()}`);
  const more = holds.length > shown.length ? ` and ${holds.length - shown.length} more` : '';
  return `Requested image is in use: '${digest}' is held by ${shown.join(', ')}${more}`;
}

function invalidParameter(member: string, constraint: string): AwsError {
  return clientError(
    'InvalidParameterException',
    `Invalid parameter at '${member}' failed to satisfy constraint: '${constraint}'`,
  );
}

function serverError(message: string): AwsError {
  return { type: 'ServerException', message, status: 500 };
}

function imageNotFound(facts: { repository: string; registryId: string; digest?: string; tag?: string }): AwsError {
  const id = `{imageDigest:'${facts.digest ?? 'null'}', imageTag:'${facts.tag ?? 'null'}'}`;
  return clientError(
    'ImageNotFoundException',
    `The image with imageId ${id} does not exist within the repository with name '${facts.repository}' in the registry with id '${facts.registryId}'`,
  );
}

function missing(facts: { digests: string[]; repository: string; registryId: string }): string {
  return `[${facts.digests.join(', ')}]' required for pushing image into repository with name '${facts.repository}' in the registry with id '${facts.registryId}'`;
}
