import type { FaultTable } from '../../core/fault.ts';
import type { OutgoingHttpHeaders } from 'node:http';
import { accessDeniedMessage } from '../aws/answer.ts';
import { createEcrFaults, heldReason, type TagImmutableWording } from '../ecr/faults.ts';

/** How the registry API says that something went wrong: a status and one entry of the `errors` list. */
export interface OciError {
  status: number;
  /** Upper case with underscores; the spec's own where it has one. */
  code: string;
  message: string;
  detail?: Record<string, unknown>;
  headers?: OutgoingHttpHeaders;
}

/**
 * What the registry API says of each fault. Messages are those of the ECR API, as ECR itself shows them here and as
 * tools look for them; codes are those of the distribution spec. Statuses are the spec's too, where AWS answers 405
 * for any invalid parameter; only what cannot be done at all is 405.
 */
export function createOciFaults(options: { tagImmutableMessage?: TagImmutableWording } = {}): FaultTable<OciError> {
  const ecr = createEcrFaults(options);
  const error = (status: number, code: string, message: string, more: Pick<OciError, 'detail' | 'headers'> = {}): OciError => ({
    status,
    code,
    message,
    ...more,
  });
  return {
    'parameter-invalid': (facts) => error(400, 'UNSUPPORTED', ecr['parameter-invalid'](facts).message),
    'digest-invalid': ({ text }) =>
      error(400, 'DIGEST_INVALID', 'A digest is sha256: and 64, or sha512: and 128 lower-case hexadecimal digits', {
        detail: { digest: text },
      }),
    'tag-name-invalid': (facts) => error(400, 'TAG_INVALID', ecr['tag-name-invalid'](facts).message),
    'repository-name-invalid': (facts) => error(400, 'NAME_INVALID', ecr['repository-name-invalid'](facts).message),
    'reference-invalid': ({ reason }) => error(400, 'NAME_INVALID', reason),
    'body-invalid': ({ reason }) => error(400, 'UNSUPPORTED', reason),
    'request-invalid': ({ reason }) => error(400, 'UNSUPPORTED', reason),
    'request-too-large': ({ limit }) =>
      error(413, 'SIZE_INVALID', `The request is longer than the ${limit} bytes that it may have`),
    'resource-tag-invalid': ({ reason }) => error(400, 'UNSUPPORTED', reason),
    'manifest-invalid': (facts) => error(400, 'MANIFEST_INVALID', ecr['manifest-invalid'](facts).message),
    'manifest-too-large': ({ bytes, limit }) =>
      error(413, 'MANIFEST_INVALID', `The manifest has ${bytes} bytes or more; at most ${limit} are stored`),
    'media-type-unsupported': (facts) => error(405, 'UNSUPPORTED', ecr['media-type-unsupported'](facts).message),

    'repository-unknown': (facts) => error(404, 'NAME_UNKNOWN', ecr['repository-unknown'](facts).message),
    'repository-exists': (facts) => error(409, 'DENIED', ecr['repository-exists'](facts).message),
    'repository-not-empty': (facts) => error(409, 'DENIED', ecr['repository-not-empty'](facts).message),
    'repository-policy-unknown': (facts) => error(404, 'UNSUPPORTED', ecr['repository-policy-unknown'](facts).message),
    'lifecycle-policy-unknown': (facts) => error(404, 'UNSUPPORTED', ecr['lifecycle-policy-unknown'](facts).message),
    'lifecycle-preview-unknown': (facts) => error(404, 'UNSUPPORTED', ecr['lifecycle-preview-unknown'](facts).message),
    'lifecycle-preview-running': (facts) => error(409, 'UNSUPPORTED', ecr['lifecycle-preview-running'](facts).message),
    'lifecycle-run-unknown': (facts) => error(404, 'UNSUPPORTED', ecr['lifecycle-run-unknown'](facts).message),
    'registry-policy-unknown': (facts) => error(404, 'UNSUPPORTED', ecr['registry-policy-unknown'](facts).message),
    'template-unknown': (facts) => error(404, 'UNSUPPORTED', ecr['template-unknown'](facts).message),
    'template-exists': (facts) => error(409, 'UNSUPPORTED', ecr['template-exists'](facts).message),
    'too-many-resource-tags': (facts) => error(400, 'DENIED', ecr['too-many-resource-tags'](facts).message),
    'limit-exceeded': (facts) => error(403, 'DENIED', ecr['limit-exceeded'](facts).message),

    'image-unknown': () => error(404, 'MANIFEST_UNKNOWN', 'Requested image not found'),
    'tag-digest-mismatch': () => error(404, 'MANIFEST_UNKNOWN', 'Requested image not found'),
    'image-exists': (facts) => error(409, 'DENIED', ecr['image-exists'](facts).message),
    'tag-immutable': (facts) =>
      error(400, 'TAG_INVALID', ecr['tag-immutable'](facts).message, { detail: { tag: facts.tag, digest: facts.digest } }),
    'image-digest-mismatch': (facts) =>
      error(400, 'MANIFEST_INVALID', ecr['image-digest-mismatch'](facts).message, { detail: { computed: facts.computed } }),
    'children-unknown': (facts) =>
      error(400, 'MANIFEST_BLOB_UNKNOWN', ecr['children-unknown'](facts).message, {
        detail: { digests: facts.digests.slice(0, 100) },
      }),
    'layers-unknown': (facts) =>
      error(400, 'MANIFEST_BLOB_UNKNOWN', ecr['layers-unknown'](facts).message, {
        detail: { digests: facts.digests.slice(0, 100) },
      }),
    'image-referenced': (facts) => error(405, 'UNSUPPORTED', ecr['image-referenced'](facts).message),
    'image-held': (facts) =>
      error(409, 'DENIED', `The image ${facts.digest} cannot be deleted. ${heldReason(facts)}`, {
        detail: { holds: facts.holds.slice(0, 100) },
      }),
    'image-archived': () => error(404, 'MANIFEST_UNKNOWN', 'Requested image not found'),
    'storage-class-unsupported': ({ reason }) => error(405, 'UNSUPPORTED', reason),
    'hold-unknown': (facts) => error(404, 'UNSUPPORTED', ecr['hold-unknown'](facts).message),
    'deleted-image-unknown': (facts) => error(404, 'MANIFEST_UNKNOWN', ecr['deleted-image-unknown'](facts).message),

    'blob-unknown': (facts) =>
      error(404, 'BLOB_UNKNOWN', ecr['blob-unknown'](facts).message, { detail: { digest: facts.digest } }),
    'blob-inaccessible': (facts) =>
      error(404, 'BLOB_UNKNOWN', ecr['blob-inaccessible'](facts).message, { detail: { digest: facts.digest } }),
    'blob-exists': (facts) => error(409, 'DENIED', ecr['blob-exists'](facts).message),
    'blob-referenced': (facts) => error(405, 'UNSUPPORTED', ecr['blob-referenced'](facts).message),
    // Who pulls is not to believe that it was never here. Who pushes asks by HEAD, which says 404, and sends it again.
    'blob-corrupt': (facts) =>
      error(503, 'BLOB_CORRUPT', ecr['blob-corrupt'](facts).message, { detail: { digest: facts.digest } }),
    'upload-unknown': (facts) => error(404, 'BLOB_UPLOAD_UNKNOWN', ecr['upload-unknown'](facts).message),
    'upload-busy': ({ uploadId }) =>
      error(
        409,
        'BLOB_UPLOAD_INVALID',
        `Another request is writing to the upload '${uploadId}'. Send its chunks one after another.`,
      ),
    'upload-range-invalid': (facts) =>
      error(416, 'BLOB_UPLOAD_INVALID', `The next chunk of the upload must begin at byte ${facts.offset}`, {
        headers: {
          'Location': `/v2/${facts.repository}/blobs/uploads/${facts.uploadId}`,
          'Range': receivedRange(facts.offset),
          'Docker-Upload-UUID': facts.uploadId,
        },
      }),
    'upload-empty': (facts) => error(400, 'BLOB_UPLOAD_INVALID', ecr['upload-empty'](facts).message),
    'upload-part-too-small': (facts) => error(400, 'SIZE_INVALID', ecr['upload-part-too-small'](facts).message),
    'upload-incomplete': ({ expected, received }) =>
      error(400, 'SIZE_INVALID', `The chunk ended after ${received} of ${expected} bytes; none of it was kept`),
    'blob-digest-mismatch': (facts) =>
      error(400, 'DIGEST_INVALID', ecr['blob-digest-mismatch'](facts).message, { detail: { computed: facts.computed } }),
    'blob-too-large': (facts) => error(413, 'SIZE_INVALID', ecr['blob-too-large'](facts).message),
    'range-not-satisfiable': (facts) =>
      error(416, 'UNSUPPORTED', ecr['range-not-satisfiable'](facts).message, {
        headers: { 'Content-Range': `bytes */${facts.size}` },
      }),

    'unauthenticated': ({ reason }) => error(401, 'UNAUTHORIZED', reason),
    'token-expired': () => error(403, 'DENIED', 'Your authorization token has expired. Reauthenticate and try again.'),
    'signature-incomplete': ({ reason }) => error(401, 'UNAUTHORIZED', reason),
    'signature-invalid': ({ reason }) => error(401, 'UNAUTHORIZED', reason),
    'signature-skewed': (facts) => error(401, 'UNAUTHORIZED', ecr['signature-skewed'](facts).message),
    'key-unknown': () => error(401, 'UNAUTHORIZED', 'The access key behind this token is not known here. Log in again.'),
    'access-key-unknown': () => error(401, 'UNAUTHORIZED', 'The access key behind this token is not known here. Log in again.'),
    'secret-unknown': (facts) => error(404, 'UNSUPPORTED', ecr['secret-unknown'](facts).message),
    'access-denied': (facts) => error(403, 'DENIED', accessDeniedMessage(facts)),
    'account-unknown': (facts) => error(404, 'NAME_UNKNOWN', ecr['account-unknown'](facts).message),
    'region-unknown': ({ region, served }) =>
      error(404, 'NAME_UNKNOWN', `The region '${region}' is not one that this registry has; it has: ${served.join(', ')}.`),
    'download-grant-invalid': ({ reason }) => error(403, 'DENIED', reason),
    'policy-invalid': ({ reason }) => error(400, 'UNSUPPORTED', reason),

    'ecs': ({ message }) => error(400, 'UNSUPPORTED', message),
    'operation-unknown': ({ operation }) => error(404, 'UNSUPPORTED', `There is no endpoint ${operation}`),
    'operation-unsupported': ({ operation, instead }) =>
      error(405, 'UNSUPPORTED', `${operation} is not supported here. ${instead}`),
    'throttled': ({ retryAfterSeconds }) =>
      error(429, 'TOOMANYREQUESTS', 'Rate exceeded', { headers: { 'Retry-After': Math.max(1, Math.ceil(retryAfterSeconds)) } }),
    'storage-full': () =>
      error(
        507,
        'STORAGE_FULL',
        'The disk of the registry is full. Nothing of this request was kept; free some room and try again.',
      ),
    'storage-failed': () =>
      error(503, 'STORAGE_FAILED', 'The storage of the registry failed, so it takes no more content. Its log says why.'),
    'storage-unreachable': () =>
      error(
        503,
        'STORAGE_UNREACHABLE',
        'The database of the registry cannot be reached. Nothing of this request was kept; try again.',
      ),
  };
}

/** The `Range` of an upload that holds `offset` bytes. The spec has no form for none; `0-0` is what every registry says then. */
export function receivedRange(offset: number): string {
  return `0-${Math.max(offset - 1, 0)}`;
}
