import type { Generated } from 'kysely';

/**
 * The orchestrator's tables but those of services (`schema-services.ts`). Times are milliseconds since the epoch; booleans
 * are 0 or 1; a `document` is JSON of what nobody searches by; `null` is SQL's "not there" and becomes `undefined` where a
 * row leaves this room.
 *
 *   cluster 1─n task n─1 task_definition       a task belongs to a service when it has a service_id, and then to one of
 *   cluster 1─n container_instance, attribute  its revisions
 */
export interface TaskTables {
  cluster: {
    id: Generated<number>;
    account: string;
    region: string;
    name: string;
    /** `ACTIVE` or `INACTIVE`; a deleted cluster's row stays, and is made new by the next one of the name. */
    status: string;
    /** `ClusterDocument`. */
    document: string;
    created_at: number;
  };
  /** Revisions are counted for ever, those of deleted task definitions too. */
  task_definition_family: { account: string; region: string; family: string; last_revision: number };
  task_definition: {
    id: Generated<number>;
    account: string;
    region: string;
    family: string;
    revision: number;
    /** `ACTIVE`, `INACTIVE`, `DELETE_IN_PROGRESS`. */
    status: string;
    /** `TaskDefinitionDocument`: as registered and normalised. */
    document: string;
    registered_at: number;
    registered_by: string;
    deregistered_at: number | null;
    delete_requested_at: number | null;
  };
  task: {
    /** 32 hexadecimal digits. */
    id: string;
    cluster_id: number;
    task_definition_id: number;
    family: string;
    service_id: number | null;
    /** The service revision: up to 19 digits, more than a number holds. */
    revision_id: string | null;
    task_set_id: string | null;
    /** The runtime host that it was put on. */
    host_id: string | null;
    launch_type: string;
    group_name: string;
    started_by: string | null;
    /** `RUNNING` or `STOPPED`. */
    desired_status: string;
    last_status: string;
    health: string;
    /** Grows by one with every change. */
    version: number;
    created_at: number;
    pull_started_at: number | null;
    pull_stopped_at: number | null;
    started_at: number | null;
    stopping_at: number | null;
    execution_stopped_at: number | null;
    stopped_at: number | null;
    stop_code: string | null;
    stopped_reason: string | null;
    protected_until: number | null;
    /** What it takes of its host: CPU units, MiB, and a JSON list of fixed host ports such as `80/tcp`. */
    cpu: number;
    memory: number;
    host_ports: string;
    /** `TaskDocument`: what was decided when it was made. */
    document: string;
    /** `TaskSight`: what the runtime saw last. */
    sight: string;
  };
  /** A host of the runtime in a cluster; there is a row once it differs from what every host is (`ACTIVE`). */
  container_instance: { cluster_id: number; host_id: string; status: string; version: number };
  /** Custom attributes of container instances. */
  attribute: { cluster_id: number; host_id: string; name: string; value: string | null };
  capacity_provider: {
    account: string;
    region: string;
    name: string;
    status: string;
    /** `autoScalingGroupProvider`. */
    document: string;
    created_at: number;
  };
  /** `principal` is an ARN, or empty for the account's default. */
  ecs_account_setting: { account: string; region: string; principal: string; name: string; value: string };
  resource_tag: { account: string; region: string; arn: string; key: string; value: string };
  /** What a client token was used for, so that the same request again gives the same answer. */
  client_token: {
    cluster_id: number;
    operation: string;
    token: string;
    /** Digest of the request's other members. */
    fingerprint: string;
    /** JSON: ARNs of what was made. */
    resources: string;
    /** In the scale of `createClientTokens`, which setting the clock does not move. */
    expires_at: number;
  };
}
