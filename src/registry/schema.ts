import type { Generated } from 'kysely';

/**
 * The registry's tables. Times are milliseconds since the epoch; sizes are bytes; booleans are 0 or 1; `null` is SQL's
 * "not there" and becomes `undefined` where a row leaves this room.
 *
 *   repository 1─n manifest 1─n tag            a manifest with its tags is what ECR calls an image
 *                  manifest 1─n manifest_blob  its config and layers          ┐ both keep content alive
 *                  manifest 1─n manifest_child the entries of an index        ┘
 *   repository n─n blob through repository_blob   membership: only a member can be read, mounted or referenced
 *   deleted_manifest 1─n deleted_blob          what can still be restored keeps its blobs, too
 */
export interface RegistryTables {
  repository: {
    id: Generated<number>;
    account: string;
    region: string;
    name: string;
    created_at: number;
    tag_mutability: string;
    /** JSON list of { filterType, filter }. */
    exclusion_filters: string;
    scan_on_push: number;
    encryption_type: string;
    kms_key: string | null;
    policy_text: string | null;
    /** 1 when the operator lets anybody pull without credentials. */
    public_pull: Generated<number>;
  };
  repository_resource_tag: { repository_id: number; key: string; value: string };
  blob: {
    digest: string;
    bytes: number;
    stamp: string;
    created_at: number;
    /** Set when its bytes no longer match its digest; it is then served to nobody, and a new push replaces it. */
    corrupt_at: number | null;
    /** When its bytes were last hashed and found right. */
    verified_at: number;
  };
  repository_blob: {
    repository_id: number;
    digest: string;
    /** Until then the blob stays a member although no manifest refers to it: a push may be under way. */
    lease_until: number;
  };
  manifest: {
    id: Generated<number>;
    repository_id: number;
    digest: string;
    media_type: string;
    artifact_type: string | null;
    config_media_type: string | null;
    subject: string | null;
    /** JSON object; as referrer lists show them. */
    annotations: string | null;
    /** Bytes of the manifest. */
    size: number;
    /** ECR's imageSizeInBytes: config and layers as declared; the largest child's for an index. */
    image_size: number;
    pushed_at: number;
    pushed_by: string;
    pulled_at: number | null;
    /** `standard` or `archive`. */
    storage_class: Generated<string>;
    archived_at: number | null;
    activated_at: number | null;
    body: Uint8Array;
  };
  manifest_blob: {
    manifest_id: number;
    digest: string;
    /** The blob's. */
    bytes: number;
    /** 0: no other manifest has the blob; 1: another has it, or has had it. */
    is_shared: number;
  };
  manifest_child: { manifest_id: number; digest: string };
  tag: { repository_id: number; name: string; manifest_id: number; updated_at: number };
  /** Every move of every tag, for ever, a deleted repository's too. `old_digest` null: made; `new_digest` null: removed. */
  tag_event: {
    id: Generated<number>;
    account: string;
    region: string;
    repository: string;
    tag: string;
    at: number;
    old_digest: string | null;
    new_digest: string | null;
    principal: string;
    /** `push`, `retag`, `delete`, `expire`, `restore`. */
    cause: string;
  };
  upload: {
    id: string;
    repository_id: number;
    algorithm: string;
    offset: number;
    started_at: number;
    /** Touched at least once a minute while bytes come in. */
    updated_at: number;
    principal: string;
  };
  hold: {
    id: string;
    repository_id: number;
    digest: string;
    kind: string;
    holder: string;
    note: string | null;
    since: number;
    /** `null`: until it is released. */
    expires_at: number | null;
    principal: string;
  };
  /** Images that were deleted and can be restored until `purge_at`, into a repository of that name. */
  deleted_manifest: {
    id: Generated<number>;
    account: string;
    region: string;
    repository: string;
    digest: string;
    media_type: string;
    body: Uint8Array;
    /** JSON list of the tags it lost with its deletion. */
    tags: string;
    pushed_at: number;
    pushed_by: string;
    pulled_at: number | null;
    storage_class: string;
    archived_at: number | null;
    activated_at: number | null;
    deleted_at: number;
    purge_at: number;
    principal: string;
    /** `delete` or `expire`. */
    cause: string;
    /** Groups what one run of a lifecycle policy expired. */
    run: string | null;
  };
  deleted_blob: { deleted_manifest_id: number; digest: string };
  repository_template: {
    account: string;
    region: string;
    prefix: string;
    /** JSON of the template's other members. */
    document: string;
    created_at: number;
    updated_at: number;
  };
  /** Per account and region: `registry-policy`, `account:BLOB_MOUNTING`, `scanning-configuration`, … */
  registry_setting: { account: string; region: string; name: string; value: string };
  /** One row for each acknowledged change, written in the change's own transaction. */
  audit: {
    id: Generated<number>;
    at: number;
    account: string;
    region: string;
    principal: string;
    action: string;
    repository: string | null;
    /** JSON facts: digests, tags, counts. Never a secret. */
    detail: string;
  };
}
