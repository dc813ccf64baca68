/**
 * A fault is a promise that could not be kept, as a kind and its facts. Rooms raise faults; each wire has one
 * table that turns every kind into its own status, code and sentence. Anything thrown that is not a fault is a bug.
 *
 * The message of a `Fault` is for logs and for the command line; wires write their own.
 */
export interface FaultFacts {
  // Input that does not parse. `member` is the field's name on the ECR API, so that its grammar can be kept.
  'parameter-invalid': { member: string; constraint: string };
  'digest-invalid': { text: string };
  'tag-name-invalid': { text: string };
  'repository-name-invalid': { text: string };
  'reference-invalid': { text: string; reason: string };
  /** A request body that is not what its protocol says: not JSON, or a member of another type. */
  'body-invalid': { reason: string };
  /** Members that are fine each by itself and not together, or not here. A finished sentence. */
  'request-invalid': { reason: string };
  'resource-tag-invalid': { reason: string };
  'manifest-invalid': { reason: string };
  'manifest-too-large': { bytes: number; limit: number };
  'media-type-unsupported': { mediaType: string };

  // Repositories and what belongs to them.
  'repository-unknown': { repository: string; registryId: string };
  'repository-exists': { repository: string; registryId: string };
  'repository-not-empty': { repository: string; registryId: string };
  'repository-policy-unknown': { repository: string; registryId: string };
  'registry-policy-unknown': { registryId: string };
  'template-unknown': { prefix: string };
  'template-exists': { prefix: string };
  'too-many-resource-tags': { limit: number };
  'limit-exceeded': { what: string; limit: number };

  // Images: manifests and their tags.
  'image-unknown': { repository: string; registryId: string; digest?: string; tag?: string };
  'tag-digest-mismatch': { repository: string; registryId: string; digest: string; tag: string };
  'image-exists': { repository: string; registryId: string; digest: string; tag?: string };
  'tag-immutable': { repository: string; registryId: string; tag: string; digest: string; because: 'repository' | 'tag' };
  'image-digest-mismatch': { repository: string; registryId: string; given: string; computed: string };
  'children-unknown': { repository: string; registryId: string; digests: string[] };
  'layers-unknown': { repository: string; registryId: string; digests: string[] };
  'image-referenced': { repository: string; digest: string; parents: string[] };
  'image-held': { repository: string; digest: string; holds: { kind: string; holder: string; since: number }[] };
  'image-archived': { repository: string; digest: string };
  'storage-class-unsupported': { reason: string };
  'hold-unknown': { id: string };
  'deleted-image-unknown': { repository: string; digest: string };

  // Lifecycle policies.
  'lifecycle-policy-unknown': { repository: string; registryId: string };
  'lifecycle-preview-unknown': { repository: string; registryId: string };
  'lifecycle-preview-running': { repository: string; registryId: string };
  'lifecycle-run-unknown': { repository: string; run: string };

  // Blobs and upload sessions.
  'blob-unknown': { repository: string; registryId: string; digest: string };
  'blob-inaccessible': { repository: string; registryId: string; digest: string };
  'blob-referenced': { repository: string; digest: string };
  /** Only the ECR API tells a finished upload apart whose blob was there before; it counts as done. */
  'blob-exists': { repository: string; registryId: string; digest: string };
  'blob-corrupt': { digest: string };
  'upload-unknown': { repository: string; registryId: string; uploadId: string };
  'upload-busy': { uploadId: string };
  'upload-range-invalid': {
    repository: string;
    registryId: string;
    uploadId: string;
    /** Bytes held so far; the next chunk must begin here. */
    offset: number;
  };
  'upload-empty': { uploadId: string };
  'upload-part-too-small': { uploadId: string; bytes: number; limit: number };
  'upload-incomplete': { expected: number; received: number };
  'blob-digest-mismatch': { given: string; computed: string };
  'blob-too-large': { limit: number };
  'range-not-satisfiable': { size: number };

  // Who is asking.
  'unauthenticated': { reason: string };
  'token-expired': Record<never, never>;
  /** The request carries a signature that cannot even be checked: a part is missing, malformed or given twice. */
  'signature-incomplete': { reason: string };
  /** A finished sentence, or `mismatch` when the signature is just not the one that this server computes. */
  'signature-invalid': { reason: string };
  /** Signed too long ago or in the future; all in milliseconds, so that a client can correct its clock. */
  'signature-skewed': { signedAt: number; now: number; window: number };
  'key-unknown': Record<never, never>;
  'access-denied': {
    principal: string;
    action: string;
    resource: string;
    explicit: boolean;
    /** Whose explicit deny it was: the caller's own policy or the resource's. */
    deniedBy?: 'identity' | 'resource';
  };
  'account-unknown': { account: string; served: string[] };
  'region-unknown': { region: string; served: string[] };
  'access-key-unknown': { accessKeyId: string };
  'secret-unknown': { name: string };
  /** A download link that is forged, expired, or for something else. */
  'download-grant-invalid': { reason: string };
  /** A policy document that is not one, or that asks for what is not enforced here; names the element. */
  'policy-invalid': { reason: string };

  // Services, deployments, tasks.
  /** The ECS API's own exception, by its modelled name; a finished sentence. */
  'ecs': { code: string; message: string; resourceIds?: string[] };

  // The rest of the world.
  'operation-unknown': { operation: string };
  'operation-unsupported': { operation: string; instead: string };
  /** A request body longer than the operation may need, in bytes. */
  'request-too-large': { limit: number };
  'throttled': { retryAfterSeconds: number };
  'storage-full': Record<never, never>;
  'storage-failed': { reason: string };
  /** Passing: the database is away for a moment. Nothing of the request was kept. */
  'storage-unreachable': { reason: string };
}

export type FaultKind = keyof FaultFacts;

export class Fault<K extends FaultKind = FaultKind> extends Error {
  readonly kind: K;
  readonly facts: FaultFacts[K];

  constructor(kind: K, facts: FaultFacts[K], options?: { cause?: unknown }) {
    super(`${kind}: ${JSON.stringify(facts)}`, options);
    this.name = 'Fault';
    this.kind = kind;
    this.facts = facts;
  }
}

/** True when `error` is a fault, and of the kind asked for if one is. */
export function isFault<K extends FaultKind = FaultKind>(error: unknown, kind?: K): error is Fault<K> {
  return error instanceof Fault && (kind === undefined || error.kind === kind);
}

/** Turns a fault into what a wire says of it: one entry for every kind, so that a new kind does not compile until it is there. */
export type FaultTable<Answer> = { [K in FaultKind]: (facts: FaultFacts[K]) => Answer };

export function answerFault<Answer>(table: FaultTable<Answer>, fault: Fault): Answer {
  const write = table[fault.kind] as (facts: FaultFacts[FaultKind]) => Answer;
  return write(fault.facts);
}
