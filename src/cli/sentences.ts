import { answerFault, type Fault, type FaultTable } from '../core/fault.ts';

/** What the command line says of each fault: what, where, and what to do when there is something to do. */
const sentences: FaultTable<string> = {
  'parameter-invalid': ({ member, constraint }) => `The value of ${member} is not valid: ${constraint}`,
  'digest-invalid': ({ text }) => `"${text}" is not a digest. A digest looks like sha256: and 64 lower-case hexadecimal digits.`,
  'tag-name-invalid': ({ text }) =>
    `"${text}" is not a tag. A tag has up to 128 letters, digits, "_", "." and "-", and starts with none of "." and "-".`,
  'repository-name-invalid': ({ text }) =>
    `"${text}" is not a repository name. A name has 2 to 256 lower-case letters and digits, joined by ".", "_", "-" and "/".`,
  'reference-invalid': ({ text, reason }) => `"${text}" is not an image reference: ${reason}`,
  'body-invalid': ({ reason }) => `The request's body cannot be read: ${reason}`,
  'request-invalid': ({ reason }) => reason,
  'resource-tag-invalid': ({ reason }) => `A resource tag is not valid: ${reason}`,
  'manifest-invalid': ({ reason }) => `The manifest is not valid: ${reason}`,
  'manifest-too-large': ({ bytes, limit }) => `The manifest has ${bytes} bytes; at most ${limit} are taken.`,
  'media-type-unsupported': ({ mediaType }) => `The media type "${mediaType}" is not supported.`,

  'repository-unknown': ({ repository }) =>
    `There is no repository "${repository}". Create it with: aws ecr create-repository --repository-name ${repository}`,
  'repository-exists': ({ repository }) => `The repository "${repository}" is already there.`,
  'repository-not-empty': ({ repository }) => `The repository "${repository}" still has images. Delete them first, or force it.`,
  'repository-policy-unknown': ({ repository }) => `The repository "${repository}" has no policy.`,
  'lifecycle-policy-unknown': ({ repository }) =>
    `The repository "${repository}" has no lifecycle policy. Put one with: holdfast lifecycle put ${repository} --policy FILE`,
  'lifecycle-preview-unknown': ({ repository }) => `The repository "${repository}" has no lifecycle policy preview.`,
  'lifecycle-preview-running': ({ repository }) => `A lifecycle policy preview of "${repository}" is under way already.`,
  'lifecycle-run-unknown': ({ repository, run }) =>
    `The lifecycle policy of "${repository}" had no run ${run}. See: holdfast lifecycle runs ${repository}`,
  'registry-policy-unknown': () => 'The registry has no policy.',
  'template-unknown': ({ prefix }) => `There is no repository creation template for the prefix "${prefix}".`,
  'template-exists': ({ prefix }) => `There is already a repository creation template for the prefix "${prefix}".`,
  'too-many-resource-tags': ({ limit }) => `A resource has at most ${limit} resource tags.`,
  'limit-exceeded': ({ what, limit }) => `The limit of ${limit} for ${what} is reached.`,

  'image-unknown': ({ repository, digest, tag }) =>
    `There is no image ${tag === undefined ? (digest ?? '') : `"${tag}"`}${tag !== undefined && digest !== undefined ? ` (${digest})` : ''} in "${repository}".`,
  'tag-digest-mismatch': ({ repository, tag, digest }) => `In "${repository}" the tag "${tag}" does not point to ${digest}.`,
  'image-exists': ({ repository, tag, digest }) =>
    `${digest} is already in "${repository}"${tag === undefined ? '' : ` with the tag "${tag}"`}.`,
  'tag-immutable': ({ repository, tag, digest, because }) =>
    `The tag "${tag}" in "${repository}" points to ${digest} and cannot be moved, because the ${because} is immutable. Push under another tag.`,
  'image-digest-mismatch': ({ given, computed }) => `The manifest was said to be ${given} but is ${computed}.`,
  'children-unknown': ({ repository, digests }) =>
    `The index names images that are not in "${repository}": ${some(digests)}. Push them first.`,
  'layers-unknown': ({ repository, digests }) =>
    `The manifest names blobs that are not in "${repository}": ${some(digests)}. Push them first.`,
  'image-referenced': ({ repository, digest, parents }) =>
    `${digest} in "${repository}" is part of ${some(parents)} and cannot be deleted before that is.`,
  'image-held': ({ repository, digest, holds }) =>
    `${digest} in "${repository}" is held and cannot be deleted: ${some(holds.map((hold) => `${hold.kind} by ${hold.holder} since ${new Date(hold.since).toISOString()}`))}.`,
  'image-archived': ({ repository, digest }) => `${digest} in "${repository}" is archived. Restore it first.`,
  'storage-class-unsupported': ({ reason }) => `That storage class is not supported: ${reason}`,
  'hold-unknown': ({ id }) => `There is no hold ${id}. See: holdfast hold list`,
  'deleted-image-unknown': ({ repository, digest }) =>
    `${digest} is not among the deleted images of "${repository}" that can still be restored.`,

  'blob-unknown': ({ repository, digest }) => `There is no blob ${digest} in "${repository}".`,
  'blob-inaccessible': ({ repository, digest }) => `The blob ${digest} in "${repository}" cannot be read now.`,
  'blob-referenced': ({ repository, digest }) =>
    `The blob ${digest} is part of an image in "${repository}" and cannot be deleted.`,
  'blob-exists': ({ repository, digest }) => `The blob ${digest} is already in "${repository}".`,
  'blob-corrupt': ({ digest }) =>
    `The stored bytes of ${digest} do not match it and are not served. Push the image again to replace them.`,
  'upload-unknown': ({ uploadId }) => `There is no upload ${uploadId}. It has ended, or ran out of time. Start the push again.`,
  'upload-busy': ({ uploadId }) => `The upload ${uploadId} is being written by another request.`,
  'upload-range-invalid': ({ uploadId, offset }) =>
    `The upload ${uploadId} holds ${offset} bytes; the next chunk must begin there.`,
  'upload-empty': ({ uploadId }) => `The upload ${uploadId} has no bytes.`,
  'upload-part-too-small': ({ bytes, limit }) => `A part has ${bytes} bytes; every part but the last needs at least ${limit}.`,
  'upload-incomplete': ({ expected, received }) => `The upload ended after ${received} of ${expected} bytes.`,
  'blob-digest-mismatch': ({ given, computed }) => `The blob was said to be ${given} but is ${computed}.`,
  'blob-too-large': ({ limit }) => `The blob is larger than the limit of ${limit} bytes.`,
  'range-not-satisfiable': ({ size }) => `The range lies outside of the ${size} bytes that are there.`,

  'unauthenticated': ({ reason }) => `The server does not know who is asking: ${reason}`,
  'token-expired': () => 'The token has expired. Log in again.',
  'signature-invalid': ({ reason }) => `The signature does not match: ${reason}`,
  'signature-incomplete': ({ reason }) => `The request's signature cannot be checked: ${reason}`,
  'signature-skewed': ({ signedAt, now, window }) =>
    `The request was signed at ${new Date(signedAt).toISOString()} but the server's clock says ${new Date(now).toISOString()}; at most ${window / 60_000} minutes are allowed. Set the clock right.`,
  'key-unknown': () => 'The server does not know that access key. See: holdfast env',
  'access-denied': ({ principal, action, resource, explicit }) =>
    `${principal} may not ${action} on ${resource}${explicit ? ': a policy denies it' : ': no policy allows it'}.`,
  'account-unknown': ({ account, served }) => `The account "${account}" has no registry here; served: ${some(served)}.`,
  'region-unknown': ({ region, served }) => `The region "${region}" is not served here; served: ${some(served)}.`,
  'download-grant-invalid': ({ reason }) => `The download link is not valid: ${reason}`,
  'policy-invalid': ({ reason }) => `The policy is not valid: ${reason}`,
  'access-key-unknown': ({ accessKeyId }) => `There is no access key ${accessKeyId}. See: holdfast key list`,
  'secret-unknown': ({ name }) => `There is no secret ${name}. See: holdfast secret list`,

  'ecs': ({ message }) => message,
  'operation-unknown': ({ operation }) => `There is no operation "${operation}".`,
  'operation-unsupported': ({ operation, instead }) => `${operation} is not supported. ${instead}`,
  'request-too-large': ({ limit }) => `The request is longer than the ${limit} bytes that this operation takes.`,
  'throttled': ({ retryAfterSeconds }) => `Too many requests. Try again in ${retryAfterSeconds} s.`,
  'storage-full': () => 'The disk of the data folder is full. Free some room; nothing that was acknowledged is lost.',
  'storage-failed': ({ reason }) => `The storage failed: ${reason}`,
  'storage-unreachable': ({ reason }) => `The storage cannot be reached: ${reason}`,
};

export function faultSentence(fault: Fault): string {
  return answerFault(sentences, fault);
}

/** A list in a sentence, cut after five. */
function some(items: string[]): string {
  const shown = items.slice(0, 5).join(', ');
  return items.length > 5 ? `${shown} and ${items.length - 5} more` : shown;
}
