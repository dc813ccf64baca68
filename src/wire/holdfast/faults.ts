import type { FaultTable } from '../../core/fault.ts';
import { isoTime } from './time.ts';

/** How our own API says that something went wrong; the fault's kind goes out beside it. */
export interface ApiError {
  status: number;
  message: string;
  headers?: Record<string, string>;
}

const error = (status: number, message: string): ApiError => ({ status, message });

/** What our own API says of each fault: a status, and a sentence that says what, where, and what to do. */
export const apiFaults: FaultTable<ApiError> = {
  'parameter-invalid': ({ member, constraint }) => error(400, `The value of ${member} is not valid: ${lowerFirst(constraint)}.`),
  'digest-invalid': ({ text }) =>
    error(400, `"${text}" is not a digest: sha256: and 64, or sha512: and 128 lower-case hexadecimal digits.`),
  'tag-name-invalid': ({ text }) => error(400, `"${text}" is not a tag: up to 128 letters, digits, "_", "." and "-".`),
  'repository-name-invalid': ({ text }) =>
    error(400, `"${text}" is not a repository name: 2 to 256 lower-case letters and digits, joined by ".", "_", "-" and "/".`),
  'reference-invalid': ({ text, reason }) => error(400, `"${text}" is not an image reference: ${reason}.`),
  'body-invalid': ({ reason }) => error(400, sentence(reason)),
  'request-invalid': ({ reason }) => error(400, sentence(reason)),
  'request-too-large': ({ limit }) => error(413, `The request's body is longer than the ${limit} bytes that it may have.`),
  'resource-tag-invalid': ({ reason }) => error(400, `A resource tag is not valid: ${reason}.`),
  'manifest-invalid': ({ reason }) => error(400, `The manifest is not valid: ${reason}.`),
  'manifest-too-large': ({ bytes, limit }) => error(413, `The manifest has ${bytes} bytes; at most ${limit} are stored.`),
  'media-type-unsupported': ({ mediaType }) => error(400, `The media type "${mediaType}" is not supported.`),

  'repository-unknown': ({ repository }) => error(404, `There is no repository "${repository}".`),
  'repository-exists': ({ repository }) => error(409, `The repository "${repository}" is already there.`),
  'repository-not-empty': ({ repository }) => error(409, `The repository "${repository}" still has images.`),
  'repository-policy-unknown': ({ repository }) => error(404, `The repository "${repository}" has no policy.`),
  'lifecycle-policy-unknown': ({ repository }) => error(404, `The repository "${repository}" has no lifecycle policy.`),
  'lifecycle-preview-unknown': ({ repository }) => error(404, `The repository "${repository}" has no lifecycle policy preview.`),
  'lifecycle-preview-running': ({ repository }) =>
    error(409, `A lifecycle policy preview of "${repository}" is under way already.`),
  'lifecycle-run-unknown': ({ repository, run }) => error(404, `The lifecycle policy of "${repository}" had no run "${run}".`),
  'registry-policy-unknown': () => error(404, 'The registry has no policy.'),
  'template-unknown': ({ prefix }) => error(404, `There is no repository creation template for the prefix "${prefix}".`),
  'template-exists': ({ prefix }) => error(409, `There is already a repository creation template for the prefix "${prefix}".`),
  'too-many-resource-tags': ({ limit }) => error(400, `A resource has at most ${limit} resource tags.`),
  'limit-exceeded': ({ what, limit }) => error(409, `The limit of ${limit} for ${what} is reached.`),

  'image-unknown': ({ repository, digest, tag }) =>
    error(
      404,
      `There is no image ${[tag, digest].filter((part) => part !== undefined).join(' at ') || 'like that'} in "${repository}".`,
    ),
  'tag-digest-mismatch': ({ repository, tag, digest }) =>
    error(404, `In "${repository}" the tag "${tag}" does not point at ${digest}.`),
  'image-exists': ({ repository, digest }) => error(409, `${digest} is already in "${repository}".`),
  'tag-immutable': ({ repository, tag, digest, because }) =>
    error(
      409,
      `The tag "${tag}" of "${repository}" points at ${digest} and cannot be moved, because the ${because} is immutable.`,
    ),
  'image-digest-mismatch': ({ given, computed }) => error(400, `The manifest was said to be ${given} and is ${computed}.`),
  'children-unknown': ({ repository, digests }) =>
    error(409, `The index names images that are not in "${repository}": ${some(digests)}. Restore or push them first.`),
  'layers-unknown': ({ repository, digests }) =>
    error(409, `The manifest names blobs that are not in "${repository}": ${some(digests)}. Push them first.`),
  'image-referenced': ({ repository, digest, parents }) =>
    error(409, `${digest} in "${repository}" is part of ${some(parents)}, which must be deleted first.`),
  'image-held': ({ repository, digest, holds }) =>
    error(
      409,
      `${digest} in "${repository}" is held: ${some(holds.map(({ kind, holder, since }) => `${kind} "${holder}" since ${isoTime(since)}`))}.`,
    ),
  'image-archived': ({ repository, digest }) => error(409, `${digest} in "${repository}" is archived. Restore it first.`),
  'storage-class-unsupported': ({ reason }) => error(409, sentence(reason)),
  'hold-unknown': ({ id }) => error(404, `There is no hold "${id}". It may have ended.`),
  'deleted-image-unknown': ({ repository, digest }) =>
    error(404, `${digest} is not among the deleted images of "${repository}" that can still be restored.`),

  'blob-unknown': ({ repository, digest }) => error(404, `There is no blob ${digest} in "${repository}".`),
  'blob-inaccessible': ({ repository, digest }) => error(404, `The blob ${digest} in "${repository}" belongs to no image.`),
  'blob-referenced': ({ repository, digest }) => error(409, `The blob ${digest} belongs to an image of "${repository}".`),
  'blob-exists': ({ repository, digest }) => error(409, `The blob ${digest} is already in "${repository}".`),
  'blob-corrupt': ({ digest }) =>
    error(404, `The stored bytes of ${digest} are no longer right and are not served. Push the image again to replace them.`),
  'upload-unknown': ({ uploadId }) => error(404, `There is no upload "${uploadId}".`),
  'upload-busy': ({ uploadId }) => error(409, `The upload "${uploadId}" is being written by another request.`),
  'upload-range-invalid': ({ uploadId, offset }) =>
    error(416, `The next chunk of the upload "${uploadId}" must begin at byte ${offset}.`),
  'upload-empty': ({ uploadId }) => error(400, `The upload "${uploadId}" has no bytes.`),
  'upload-part-too-small': ({ bytes, limit }) =>
    error(400, `A part has ${bytes} bytes; every part but the last needs at least ${limit}.`),
  'upload-incomplete': ({ expected, received }) => error(400, `The chunk ended after ${received} of ${expected} bytes.`),
  'blob-digest-mismatch': ({ given, computed }) => error(400, `The blob was said to be ${given} and is ${computed}.`),
  'blob-too-large': ({ limit }) => error(413, `A blob has at most ${limit} bytes.`),
  'range-not-satisfiable': ({ size }) => error(416, `The range lies outside of the ${size} bytes that are there.`),

  'unauthenticated': ({ reason }) => error(401, `The server does not know who is asking: ${lowerFirst(reason)}.`),
  'token-expired': () => error(401, 'The token has expired. Log in again.'),
  'signature-incomplete': ({ reason }) => error(401, `The signature cannot be checked: ${lowerFirst(reason)}.`),
  'signature-invalid': ({ reason }) => error(401, sentence(reason)),
  'signature-skewed': ({ signedAt, now, window }) =>
    error(
      401,
      `The request was signed at ${isoTime(signedAt)}, and the server's clock says ${isoTime(now)}; at most ${Math.round(window / 60_000)} minutes may lie between. Set the clock right.`,
    ),
  'key-unknown': () => error(401, 'The access key is not known here.'),
  'access-key-unknown': ({ accessKeyId }) => error(404, `There is no access key "${accessKeyId}".`),
  'secret-unknown': ({ name }) => error(404, `There is no secret "${name}".`),
  'access-denied': ({ principal, action, resource, explicit }) =>
    error(403, `${principal} may not ${action} on ${resource}: ${explicit ? 'a policy denies it' : 'no policy allows it'}.`),
  'account-unknown': ({ account, served }) =>
    error(404, `The account ${account} has no registry here; there is: ${some(served)}.`),
  'region-unknown': ({ region, served }) =>
    error(400, `The region "${region}" is not one that this server has; it has: ${some(served)}.`),
  'download-grant-invalid': ({ reason }) => error(403, sentence(reason)),
  'policy-invalid': ({ reason }) => error(400, `The policy is not valid: ${reason}.`),

  'ecs': ({ message }) => error(400, sentence(message)),
  'operation-unknown': ({ operation }) => error(404, `There is no operation "${operation}".`),
  'operation-unsupported': ({ operation, instead }) => error(400, `${operation} is not supported. ${sentence(instead)}`),
  'throttled': ({ retryAfterSeconds }) => {
    const seconds = Math.max(1, Math.ceil(retryAfterSeconds));
    return { ...error(429, `Too many requests. Try again in ${seconds} s.`), headers: { 'Retry-After': String(seconds) } };
  },
  'storage-full': () =>
    error(507, 'The disk of the registry is full. Nothing of this request was kept; free some room and try again.'),
  'storage-failed': () => error(503, 'The storage of the registry failed, so it takes no more content. Its log says why.'),
  'storage-unreachable': () =>
    error(503, 'The database of the server cannot be reached. Nothing of this request was kept; try again.'),
};

/** A list in a sentence, cut after five. */
function some(items: string[]): string {
  const shown = items.slice(0, 5).join(', ');
  return items.length > 5 ? `${shown} and ${items.length - 5} more` : shown;
}

/** A reason as a sentence of its own. */
function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.?!"]$/.test(text) ? '' : '.'}`;
}

/** A reason in the middle of a sentence, without a full stop of its own. */
function lowerFirst(text: string): string {
  const isName = /^[A-Z][a-z]* ?[A-Z]/.test(text) || text.startsWith("'");
  return `${isName ? text.slice(0, 1) : text.slice(0, 1).toLowerCase()}${text.slice(1)}`.replace(/\.$/, '');
}
