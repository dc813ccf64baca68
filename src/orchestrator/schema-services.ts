import type { Generated } from 'kysely';

/**
 * The tables of services. Times are milliseconds since the epoch; booleans are 0 or 1; a `document` is JSON of what nobody
 * searches by; `null` is SQL's "not there".
 *
 *   service 1─n service_revision          what runs: settings, images, digests, and where its deployment stands
 *   service 1─n service_deployment n─1    one way from some revisions to one: the API's record of what happened
 *   service 1─n task_set 1─1 service_revision   EXTERNAL services only
 *   service 1─n service_task 1─1 task     what the service scheduler knows of a task of its own
 */
export interface ServiceTables {
  service: {
    id: Generated<number>;
    cluster_id: number;
    account: string;
    region: string;
    cluster_name: string;
    name: string;
    /** `ACTIVE`, `DRAINING`, `INACTIVE`. */
    status: string;
    desired_count: number;
    launch_type: string;
    scheduling_strategy: string;
    /** `ECS`, `EXTERNAL`, `CODE_DEPLOY`. */
    controller: string;
    created_at: number;
    created_by: string;
    /** Digest of the request that made it: the same again is the same service. */
    fingerprint: string;
    /** `ServiceDocument`. */
    document: string;
    /** `Conditions`: what was last said of its state, so that it is not said again and again. */
    conditions: string;
  };
  service_revision: {
    /** 19 digits, the same as of its deployment `ecs-svc/…`; later ones are greater. */
    id: string;
    service_id: number;
    task_definition_id: number;
    /** `PRIMARY`, `ACTIVE` while it is being replaced, `GONE`. */
    role: string;
    /** `IN_PROGRESS`, `COMPLETED`, `FAILED`. */
    rollout: string;
    rollout_reason: string;
    /** `PENDING`, `RESOLVED`, `GAVE_UP`, `SKIPPED`. */
    resolution: string;
    /** `first-task` or `registry`. */
    resolve_by: string;
    /** The tally (`plan/tally.ts`). */
    failures: number;
    failed_starts: number;
    resolve_attempts: number;
    last_failure_at: number | null;
    /** When its deployment last completed: from then on it can be gone back to. */
    completed_at: number | null;
    created_at: number;
    updated_at: number;
    /** 1 while its digests are held in the registry. */
    held: number;
    /** `RevisionDocument`: settings and images. */
    document: string;
  };
  service_deployment: {
    /** The last part of its ARN. */
    id: string;
    service_id: number;
    target_revision: string;
    status: string;
    status_reason: string | null;
    stage: string | null;
    created_at: number;
    started_at: number | null;
    finished_at: number | null;
    stopped_at: number | null;
    updated_at: number;
    /** `DeploymentDocument`. */
    document: string;
  };
  service_event: { seq: Generated<number>; id: string; service_id: number; created_at: number; message: string };
  service_task: {
    task_id: string;
    service_id: number;
    revision_id: string;
    /** 1 for the one whose digests become its revision's. */
    pilot: number;
    /** Why it was told to stop: `scaling`, `unhealthy`, `unheld`. */
    why: string | null;
    healthy_at: number | null;
  };
  task_set: {
    /** The digits of `ecs-svc/…`; its revision has the same. */
    id: string;
    service_id: number;
    /** `PRIMARY`, `ACTIVE`, `DRAINING`. */
    status: string;
    /** Percent of the service's desired count. */
    scale: number;
    stability: string;
    stability_at: number;
    created_at: number;
    updated_at: number;
    /** `TaskSetDocument`. */
    document: string;
  };
}
