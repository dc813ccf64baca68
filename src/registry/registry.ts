import type { Digest, DigestAlgorithm } from '../core/digest.ts';
import type { Page, PageRequest } from '../core/page.ts';
import type { Caller, Place } from '../core/place.ts';
import type { RepositoryName } from '../core/repository-name.ts';
import type { Tag } from '../core/tag.ts';
import type { BlobReader } from './ports.ts';

/**
 * The registry room: repositories, images, blobs, tag history, holds, and the collector that frees space. Wires check
 * who is asking (the access room) before they call; every rule about content is kept here, once, for all wires.
 *
 * A `Repository` value is proof that the repository was there when it was looked up. Where it has gone since, methods
 * raise `repository-unknown`.
 */
export interface Registry {
  readonly repositories: Repositories;
  readonly images: Images;
  readonly layers: Layers;
  readonly tags: TagHistory;
  readonly holds: Holds;
  readonly templates: RepositoryTemplates;
  readonly settings: RegistrySettings;
  readonly collector: Collector;
  readonly audit: AuditLog;
  /** Counts for `/metrics` and the console. */
  usage(): Promise<{
    repositories: number;
    images: number;
    blobs: number;
    blobBytes: number;
    deletedImages: number;
    holds: number;
  }>;
}

// ── Repositories ────────────────────────────────────────────────────────────────────────────────────────────────────

export type TagMutability = 'MUTABLE' | 'IMMUTABLE' | 'IMMUTABLE_WITH_EXCLUSION' | 'MUTABLE_WITH_EXCLUSION';
export interface ExclusionFilter {
  filterType: 'WILDCARD';
  filter: string;
}

export interface RepositorySettings {
  tagMutability: TagMutability;
  exclusionFilters: ExclusionFilter[];
  scanOnPush: boolean;
  encryptionType: 'AES256' | 'KMS' | 'KMS_DSSE';
  kmsKey?: string;
}

export interface Repository extends Place, RepositorySettings {
  readonly id: number;
  readonly name: RepositoryName;
  readonly createdAt: number;
  readonly policyText?: string;
  readonly publicPull: boolean;
}

export interface Repositories {
  find(place: Place, name: RepositoryName): Promise<Repository | undefined>;
  /** Raises `repository-unknown`. */
  get(place: Place, name: RepositoryName): Promise<Repository>;
  /** By name, ascending. */
  list(place: Place, page: PageRequest & { prefix?: string }): Promise<Page<Repository>>;
  /** At most `limit` repositories of which the blob is a member, the oldest first: where one might be mounted from. */
  holding(place: Place, digest: Digest, limit: number): Promise<Repository[]>;
  /** Raises `repository-exists`, `limit-exceeded`, `too-many-resource-tags`. */
  create(
    caller: Caller,
    name: RepositoryName,
    settings?: Partial<RepositorySettings> & { resourceTags?: Record<string, string>; policyText?: string },
  ): Promise<Repository>;
  /**
   * The repository, made from the longest matching template for create-on-push when it is not there yet. Raises
   * `repository-unknown` when no template matches. `mayCreate` is asked before one is made, and raises if not.
   */
  getForPush(caller: Caller, name: RepositoryName, mayCreate: () => Promise<void> | void): Promise<Repository>;
  /** Raises `repository-not-empty` unless `force`, and `image-held` even then. Images can be restored into a new repository of the name. */
  delete(caller: Caller, repository: Repository, options: { force: boolean }): Promise<void>;
  setTagMutability(
    caller: Caller,
    repository: Repository,
    mutability: TagMutability,
    filters: ExclusionFilter[],
  ): Promise<Repository>;
  setScanOnPush(caller: Caller, repository: Repository, scanOnPush: boolean): Promise<Repository>;
  /** `undefined` removes it (raises `repository-policy-unknown` if there is none). The text has been checked by the caller. */
  setPolicy(caller: Caller, repository: Repository, policyText: string | undefined): Promise<Repository>;
  setPublicPull(caller: Caller, repository: Repository, publicPull: boolean): Promise<Repository>;
  /** True when strangers may pull from any repository, of any account and region. */
  hasPublic(): Promise<boolean>;
  resourceTags(repository: Repository): Promise<Record<string, string>>;
  /** Raises `too-many-resource-tags` (50). */
  addResourceTags(caller: Caller, repository: Repository, tags: Record<string, string>): Promise<void>;
  removeResourceTags(caller: Caller, repository: Repository, keys: string[]): Promise<void>;
}

// ── Images ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A manifest as it was pushed, ready to be served. */
export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly body: Uint8Array;
}

export type StorageClass = 'standard' | 'archive';

export interface ImageDetail {
  digest: Digest;
  mediaType: string;
  /** The manifest's artifactType, else its config's media type. */
  artifactType?: string;
  configMediaType?: string;
  subject?: Digest;
  annotations?: Record<string, string>;
  manifestBytes: number;
  /** ECR's imageSizeInBytes. */
  imageBytes: number;
  /** Sorted. */
  tags: Tag[];
  pushedAt: number;
  pushedBy: string;
  pulledAt?: number;
  storageClass: StorageClass;
  archivedAt?: number;
  activatedAt?: number;
}

export interface ListedImage extends ImageDetail {
  /** `next` of a page that ends with it. */
  place: string;
}

export interface ImageId {
  digest?: Digest;
  tag?: Tag;
}

export interface PutImageRequest {
  body: Uint8Array;
  /** As the client declared it; may be absent when the manifest names its own. */
  mediaType?: string;
  /** Empty for a push by digest alone. */
  tags: Tag[];
  /** What the client says the digest is; raises `image-digest-mismatch` if it is not. Its algorithm decides how the image is known. */
  digest?: Digest;
}

export interface PutImageResult {
  digest: Digest;
  mediaType: string;
  subject?: Digest;
  /** False when the same manifest was there already. */
  created: boolean;
  /** Tags of the request that now point at it and did not before. */
  moved: Tag[];
}

export type TagStatus = 'TAGGED' | 'UNTAGGED' | 'ANY';

export interface Images {
  /**
   * The one way for a manifest to come in. In one transaction: checks tag protection, limits and that everything the
   * manifest refers to is here; stores it; moves the tags; records history. A request that changes nothing succeeds
   * (`created` false, `moved` empty), an immutable tag's too.
   * Raises `manifest-invalid`, `manifest-too-large`, `media-type-unsupported`, `image-digest-mismatch`, `tag-immutable`,
   * `layers-unknown`, `children-unknown`, `limit-exceeded`, `repository-unknown`.
   */
  put(caller: Caller, repository: Repository, request: PutImageRequest): Promise<PutImageResult>;
  /**
   * The manifest behind a tag or a digest: the hot path of every pull. Raises `image-unknown` (an archived image counts as
   * that). `recordPull` notes the time, some minutes' grain, without a write on this path.
   */
  read(repository: Repository, id: Digest | Tag, options?: { recordPull?: boolean }): Promise<StoredManifest>;
  /** Resolves tag, digest or both. Raises `image-unknown`, `tag-digest-mismatch`. */
  resolve(repository: Repository, id: ImageId): Promise<ImageDetail>;
  /**
   * Newest push first; `status` absent: all; without annotations. Stable under concurrent pushes. A page ends before its limit
   * where it has ten thousand tags.
   */
  list(
    repository: Repository,
    page: PageRequest & { tagStatus?: TagStatus; storageClass?: StorageClass },
  ): Promise<Page<ListedImage>>;
  /** Tag names in ASCII order, after `last`. */
  tags(repository: Repository, page: { limit: number; last?: string }): Promise<{ tags: Tag[]; more: boolean }>;
  /** Images whose subject is `digest` (which need not be there), ordered by digest. A page ends early where it is large. */
  referrers(repository: Repository, digest: Digest, page: PageRequest & { artifactTypes?: string[] }): Promise<Page<ImageDetail>>;
  /**
   * Removes a tag. `lastTag` says what becomes of an image that has no other: OCI keeps it, ECR deletes it.
   * Raises `image-unknown`, `tag-digest-mismatch`, `image-held`, `image-referenced` (where the image would go).
   */
  untag(
    caller: Caller,
    repository: Repository,
    tag: Tag,
    options: { lastTag: 'keep-image' | 'delete-image'; digest?: Digest; cause?: string },
  ): Promise<Digest>;
  /**
   * Deletes an image with all its tags. It leaves every wire at once and can be restored until the grace period ends.
   * Raises `image-unknown`, `image-held`, `image-referenced`. Gives the tags it had.
   */
  delete(
    caller: Caller,
    repository: Repository,
    digest: Digest,
    options?: { cause?: 'delete' | 'expire'; run?: string },
  ): Promise<Tag[]>;
  /** Raises `image-unknown`, `storage-class-unsupported`, and `image-held` for an archive of what runs. */
  setStorageClass(caller: Caller, repository: Repository, digest: Digest, storageClass: StorageClass): Promise<ImageDetail>;
  /** Deleted images that can still be restored, latest first. */
  listDeleted(repository: Repository | (Place & { name: RepositoryName }), page: PageRequest): Promise<Page<DeletedImage>>;
  /**
   * Puts a deleted image back, byte for byte, with its push time and those of its tags that nobody took since.
   * Raises `deleted-image-unknown`, `children-unknown`.
   */
  restore(caller: Caller, repository: Repository, digest: Digest): Promise<{ tags: Tag[]; tagsTaken: Tag[] }>;
}

export interface DeletedImage {
  digest: Digest;
  mediaType: string;
  tags: Tag[];
  pushedAt: number;
  deletedAt: number;
  /** When its grace period ends. */
  purgeAt: number;
  principal: string;
  cause: string;
  run?: string;
}

// ── Blobs and upload sessions ───────────────────────────────────────────────────────────────────────────────────────

export interface BlobInfo {
  digest: Digest;
  bytes: number;
}

export interface UploadSession {
  id: string;
  /** Bytes held; the next chunk begins here. */
  offset: number;
}

export interface Chunk {
  source: AsyncIterable<Uint8Array>;
  /** First and last byte as the client declares them; must begin at the session's offset (`upload-range-invalid`). */
  range?: { first: number; last: number };
  /** Bytes that the client declares; fewer is `upload-incomplete` and changes nothing. */
  length?: number;
}

export interface Layers {
  /** A blob of the repository, `undefined` if it is no member. Being asked for, it is kept from the collector for a lease. */
  stat(repository: Repository, digest: Digest): Promise<BlobInfo | undefined>;
  /** Opens for reading. Raises `blob-unknown`, `blob-corrupt` (which also puts it out of the way and says so in the log). */
  open(repository: Repository, digest: Digest): Promise<BlobInfo & { reader: BlobReader }>;
  /** True when some image of the repository refers to it. */
  isReferenced(repository: Repository, digest: Digest): Promise<boolean>;
  startUpload(caller: Caller, repository: Repository, options?: { algorithm?: DigestAlgorithm }): Promise<UploadSession>;
  /** Raises `upload-unknown`. */
  getUpload(repository: Repository, uploadId: string): Promise<UploadSession>;
  /** Raises `upload-unknown`, `upload-range-invalid`, `upload-incomplete`, `upload-busy`, `blob-too-large`, `storage-full`. The session stays usable. */
  append(caller: Caller, repository: Repository, uploadId: string, chunk: Chunk): Promise<UploadSession>;
  /**
   * Takes the last chunk if there is one, checks the digest (`blob-digest-mismatch`: the session is gone), makes the blob
   * durable and a member of the repository with a fresh lease. `existed`: it was a member before.
   */
  complete(
    caller: Caller,
    repository: Repository,
    uploadId: string,
    digest: Digest,
    chunk?: Chunk,
  ): Promise<BlobInfo & { existed: boolean }>;
  /** Raises `upload-unknown`. */
  cancelUpload(caller: Caller, repository: Repository, uploadId: string): Promise<void>;
  /** Makes a member of `from` a member of `repository`; false when it is not there (and nothing has happened). The caller has checked read access on `from`. */
  mount(caller: Caller, repository: Repository, digest: Digest, from: Repository): Promise<boolean>;
  /** Takes a blob that no image of the repository refers to out of it. Raises `blob-unknown`, `blob-referenced`. */
  remove(caller: Caller, repository: Repository, digest: Digest): Promise<void>;
}

// ── Tag history, holds ──────────────────────────────────────────────────────────────────────────────────────────────

export interface TagEvent {
  tag: Tag;
  at: number;
  oldDigest?: Digest;
  newDigest?: Digest;
  principal: string;
  cause: string;
}

export interface TagHistory {
  /** Latest first. The repository may be gone. */
  history(place: Place & { name: RepositoryName }, tag: Tag | undefined, page: PageRequest): Promise<Page<TagEvent>>;
  /** What the tag pointed at then; `undefined` if nothing. */
  at(place: Place & { name: RepositoryName }, tag: Tag, time: number): Promise<Digest | undefined>;
  /**
   * Points the tag at what it pointed at then (or at `digest`), restoring a deleted image where needed.
   * Raises `image-unknown` when it had no target or the content is gone, and `tag-immutable`.
   */
  restore(caller: Caller, repository: Repository, tag: Tag, target: { at: number } | { digest: Digest }): Promise<Digest>;
}

export interface HoldRequest {
  digest: Digest;
  /** What sort of holder: `service`, `task`, `cluster`, `person`, … lower case, at most 64 characters. */
  kind: string;
  /** Who, for the refusal's text: at most 512 characters. */
  holder: string;
  note?: string;
  /** Milliseconds; absent: until released. */
  timeToLive?: number;
}

export interface Hold {
  id: string;
  repository: RepositoryName;
  digest: Digest;
  kind: string;
  holder: string;
  note?: string;
  since: number;
  expiresAt?: number;
  principal: string;
}

export interface Holds {
  /** Takes a hold, or renews the one with the same digest, kind and holder. Raises `image-unknown`. */
  take(caller: Caller, repository: Repository, request: HoldRequest): Promise<Hold>;
  /** Raises `hold-unknown`. */
  release(caller: Caller, id: string): Promise<void>;
  /** Live holds, oldest first. */
  list(
    place: Place,
    page: PageRequest & { repository?: RepositoryName; digest?: Digest; kind?: string; holder?: string },
  ): Promise<Page<Hold>>;
  /** Live holds on an image itself or on an index that it is part of. */
  on(repository: Repository, digest: Digest): Promise<Hold[]>;
}

// ── Settings ────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface RepositoryTemplate {
  /** A repository path prefix without the trailing slash, or `ROOT`. */
  prefix: string;
  /** The API's other members, already checked by the wire. */
  document: Record<string, unknown>;
  createdAt: number;
  updatedAt: number;
}

export interface RepositoryTemplates {
  list(place: Place, page: PageRequest & { prefixes?: string[] }): Promise<Page<RepositoryTemplate>>;
  /** Raises `template-exists`. */
  create(caller: Caller, prefix: string, document: Record<string, unknown>): Promise<RepositoryTemplate>;
  /** Raises `template-unknown`. */
  update(caller: Caller, prefix: string, document: Record<string, unknown>): Promise<RepositoryTemplate>;
  /** Raises `template-unknown`. */
  delete(caller: Caller, prefix: string): Promise<RepositoryTemplate>;
}

export interface RegistrySettings {
  get(place: Place, name: string): Promise<string | undefined>;
  /** `undefined` removes it. */
  set(caller: Caller, name: string, value: string | undefined): Promise<void>;
}

// ── Garbage collection, audit ───────────────────────────────────────────────────────────────────────────────────────

export interface CollectionReport {
  startedAt: number;
  durationMs: number;
  /** Deleted images whose grace period has ended. */
  imagesPurged: number;
  /** Referrers that followed their subject. */
  referrersDeleted: number;
  uploadsDiscarded: number;
  membershipsEnded: number;
  blobsDeleted: number;
  /** Bytes that came free on disk. */
  bytesFreed: number;
  /** Files without a row, left behind by a crash. */
  orphansDeleted: number;
  holdsExpired: number;
}

export interface Collector {
  /** One pass, beside all other work. `purge` ends the grace period of everything deleted so far. `dryRun` reports and does nothing. */
  run(options?: { purge?: boolean; dryRun?: boolean }): Promise<CollectionReport>;
  /** Hashes every blob once; corrupt ones are put out of the way and reported. */
  scrub(progress?: (done: number, of: number) => void): Promise<{ blobs: number; bytes: number; corrupt: Digest[] }>;
}

export interface AuditEvent {
  at: number;
  principal: string;
  action: string;
  repository?: string;
  detail: Record<string, unknown>;
}

export interface AuditLog {
  /** Latest first. */
  list(place: Place, page: PageRequest & { repository?: RepositoryName; action?: string }): Promise<Page<AuditEvent>>;
}
