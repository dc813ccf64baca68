import type { RegistryTables } from '../registry/schema.ts';

/**
 * The room's tables, beside the registry's. Times are milliseconds since the epoch; booleans are 0 or 1.
 *
 *   repository 1─1 lifecycle_policy
 *              1─1 lifecycle_preview 1─n lifecycle_preview_image    the latest preview that the ECR API asked for
 *   lifecycle_run: by the repository's name, for it outlives the repository as the deleted images do
 */
export interface LifecycleTables extends RegistryTables {
  lifecycle_policy: {
    repository_id: number;
    text: string;
    updated_at: number;
    updated_by: string;
    last_evaluated_at: number | null;
    /** 1: nothing but a person's word runs it. */
    is_off: number;
  };
  lifecycle_preview: {
    repository_id: number;
    /** Tells this preview from an earlier one of the repository. */
    id: string;
    policy_text: string;
    /** `IN_PROGRESS`, `COMPLETE`, `FAILED`. */
    status: string;
    started_at: number;
    expiring: number;
    archiving: number;
  };
  lifecycle_preview_image: {
    repository_id: number;
    /** In the order of the evaluation: oldest first. */
    position: number;
    digest: string;
    /** JSON list. */
    tags: string;
    pushed_at: number;
    action: string;
    rule: number;
    storage_class: string;
  };
  lifecycle_run: {
    id: string;
    account: string;
    region: string;
    repository: string;
    policy_text: string;
    started_at: number;
    finished_at: number;
    /** `done`, `waiting`, `undone`. */
    status: string;
    principal: string;
    /** Images that it looked at. */
    images: number;
    expired: number;
    archived: number;
    held: number;
    /** JSON: see RunDetail. */
    detail: string;
  };
  /** What a run put into the archive; what it expired is in `deleted_manifest`. */
  lifecycle_run_archived: { run: string; digest: string };
}
