import type {
  CapacityProviderStrategyItem,
  DeploymentConfiguration,
  NetworkConfiguration,
  PlacementConstraint,
  PlacementStrategy,
  ServiceDeploymentRollbackMonitorsStatus,
  ServiceDeploymentStatus,
  ServiceVolumeConfiguration,
} from '@aws-sdk/client-ecs';
import type { Kysely, Selectable } from 'kysely';
import type { Digest } from '../core/digest.ts';
import type { Place } from '../core/place.ts';
import { ecsArn, nameIn } from './arn.ts';
import type { Cluster } from './cluster-rows.ts';
import { serviceNotFound } from './ecs-faults.ts';
import type { Given } from './model.ts';
import type { RevisionFacts, Tally } from './plan/types.ts';
import type { OrchestratorTables } from './context.ts';
import type { ServiceTables } from './schema-services.ts';
import { present } from './task-rows.ts';

/** What `service.document` holds: settings as they are now, defaults filled in. */
export interface ServiceDocument extends RevisionSettings {
  deploymentConfiguration: Given<DeploymentConfiguration> & { minimumHealthyPercent: number; maximumPercent: number };
  placementConstraints: Given<PlacementConstraint>[];
  placementStrategy: Given<PlacementStrategy>[];
  healthCheckGracePeriodSeconds?: number;
  enableECSManagedTags: boolean;
  propagateTags: 'TASK_DEFINITION' | 'SERVICE' | 'NONE';
  availabilityZoneRebalancing: 'ENABLED' | 'DISABLED';
}

/** What a deployment fixes. A change of it is a new deployment. */
export interface RevisionSettings {
  /** ARN; EXTERNAL services have it in their task sets only. */
  taskDefinition?: string;
  capacityProviderStrategy?: Given<CapacityProviderStrategyItem>[];
  platformVersion?: string;
  networkConfiguration?: Given<NetworkConfiguration>;
  volumeConfigurations?: Given<ServiceVolumeConfiguration>[];
}

export interface RevisionDocument extends RevisionSettings {
  taskDefinition: string;
  images: RevisionImage[];
}

/** One container's image. `digest` is there once it is known, and then never changes. */
export interface RevisionImage {
  containerName: string;
  /** As the task definition has it. */
  image: string;
  digest?: Digest;
  /** `repositoryCredentials.credentialsParameter`: which secret it is pulled with. */
  credentialsParameter?: string;
  /** `versionConsistency` of the container. */
  mode: 'enabled' | 'disabled' | 'unset';
}

export interface DeploymentDocument {
  /** Revisions that it replaces. */
  sources: string[];
  deploymentConfiguration: Given<DeploymentConfiguration>;
  rollback?: { reason: string; startedAt: number; revision: string };
  breaker: { status: ServiceDeploymentRollbackMonitorsStatus; failureCount: number; threshold: number };
}

/** When each state of a service was last told as an event. */
export type Conditions = { [kind in 'steady' | 'stuck' | 'impaired' | 'protected']?: { at: number; detail?: string } };

export interface ServiceRecord extends Place {
  readonly id: number;
  readonly clusterId: number;
  readonly clusterName: string;
  readonly name: string;
  readonly arn: string;
  readonly status: 'ACTIVE' | 'DRAINING' | 'INACTIVE';
  readonly desiredCount: number;
  readonly launchType: 'EC2' | 'FARGATE' | 'EXTERNAL';
  readonly schedulingStrategy: 'REPLICA' | 'DAEMON';
  readonly controller: 'ECS' | 'EXTERNAL' | 'CODE_DEPLOY';
  readonly createdAt: number;
  readonly createdBy: string;
  readonly fingerprint: string;
  readonly document: ServiceDocument;
  readonly conditions: Conditions;
}

export interface RevisionRecord {
  readonly id: string;
  readonly serviceId: number;
  readonly taskDefinitionId: number;
  readonly role: 'PRIMARY' | 'ACTIVE' | 'GONE';
  readonly rollout: RevisionFacts['rollout'];
  readonly rolloutReason: string;
  readonly resolution: RevisionFacts['resolution'];
  readonly resolveBy: 'first-task' | 'registry';
  readonly tally: Tally;
  readonly completedAt?: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly held: boolean;
  readonly document: RevisionDocument;
}

export interface DeploymentRecord {
  readonly id: string;
  readonly serviceId: number;
  readonly targetRevision: string;
  readonly status: ServiceDeploymentStatus;
  readonly statusReason?: string;
  readonly stage?: string;
  readonly createdAt: number;
  readonly startedAt?: number;
  readonly finishedAt?: number;
  readonly stoppedAt?: number;
  readonly updatedAt: number;
  readonly document: DeploymentDocument;
}

export const UNFINISHED: ServiceDeploymentStatus[] = [
  'PENDING',
  'IN_PROGRESS',
  'STOP_REQUESTED',
  'ROLLBACK_REQUESTED',
  'ROLLBACK_IN_PROGRESS',
];

export function serviceArn(place: Place, cluster: string, name: string): string {
  return ecsArn(place, `service/${cluster}/${name}`);
}

export function revisionArn(service: ServiceRecord, revision: string): string {
  return ecsArn(service, `service-revision/${service.clusterName}/${service.name}/${revision}`);
}

export function deploymentArn(service: ServiceRecord, deployment: string): string {
  return ecsArn(service, `service-deployment/${service.clusterName}/${service.name}/${deployment}`);
}

/** `ecs-svc/…`: of a revision's deployment, and of a task set. */
export function deploymentId(revision: string): string {
  return `ecs-svc/${revision}`;
}

export function toService(row: Selectable<ServiceTables['service']>): ServiceRecord {
  return {
    id: row.id,
    account: row.account,
    region: row.region,
    clusterId: row.cluster_id,
    clusterName: row.cluster_name,
    name: row.name,
    arn: serviceArn(row, row.cluster_name, row.name),
    status: row.status as ServiceRecord['status'],
    desiredCount: row.desired_count,
    launchType: row.launch_type as ServiceRecord['launchType'],
    schedulingStrategy: row.scheduling_strategy as ServiceRecord['schedulingStrategy'],
    controller: row.controller as ServiceRecord['controller'],
    createdAt: row.created_at,
    createdBy: row.created_by,
    fingerprint: row.fingerprint,
    document: JSON.parse(row.document) as ServiceDocument,
    conditions: JSON.parse(row.conditions) as Conditions,
  };
}

/** A revision that is there, because something refers to it. */
export async function revisionById(database: Kysely<OrchestratorTables>, id: string): Promise<RevisionRecord> {
  return toRevision(await database.selectFrom('service_revision').selectAll().where('id', '=', id).executeTakeFirstOrThrow());
}

export function toRevision(row: Selectable<ServiceTables['service_revision']>): RevisionRecord {
  return {
    id: row.id,
    serviceId: row.service_id,
    taskDefinitionId: row.task_definition_id,
    role: row.role as RevisionRecord['role'],
    rollout: row.rollout as RevisionRecord['rollout'],
    rolloutReason: row.rollout_reason,
    resolution: row.resolution as RevisionRecord['resolution'],
    resolveBy: row.resolve_by as RevisionRecord['resolveBy'],
    tally: {
      failures: row.failures,
      failedStarts: row.failed_starts,
      resolveAttempts: row.resolve_attempts,
      ...present({ lastFailureAt: row.last_failure_at }),
    },
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    held: row.held === 1,
    document: JSON.parse(row.document) as RevisionDocument,
    ...present({ completedAt: row.completed_at }),
  };
}

export function toDeployment(row: Selectable<ServiceTables['service_deployment']>): DeploymentRecord {
  return {
    id: row.id,
    serviceId: row.service_id,
    targetRevision: row.target_revision,
    status: row.status as ServiceDeploymentStatus,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    document: JSON.parse(row.document) as DeploymentDocument,
    ...present({
      statusReason: row.status_reason,
      stage: row.stage,
      startedAt: row.started_at,
      finishedAt: row.finished_at,
      stoppedAt: row.stopped_at,
    }),
  };
}

/** A service of the cluster by name or ARN, whatever its status. */
export async function findService(
  database: Kysely<OrchestratorTables>,
  cluster: Cluster,
  nameOrArn: string,
): Promise<ServiceRecord | undefined> {
  const name = nameIn(cluster, 'service', nameOrArn);
  if (name === undefined) return undefined;
  const row = await database
    .selectFrom('service')
    .selectAll()
    .where('cluster_id', '=', cluster.id)
    .where('name', '=', name)
    .executeTakeFirst();
  return row === undefined ? undefined : toService(row);
}

/** Raises `ecs` (ServiceNotFoundException). */
export async function getService(
  database: Kysely<OrchestratorTables>,
  cluster: Cluster,
  nameOrArn: string,
): Promise<ServiceRecord> {
  const service = await findService(database, cluster, nameOrArn);
  if (service === undefined) throw serviceNotFound();
  return service;
}

export async function serviceById(database: Kysely<OrchestratorTables>, id: number): Promise<ServiceRecord | undefined> {
  const row = await database.selectFrom('service').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? undefined : toService(row);
}

/** PRIMARY and ACTIVE ones, oldest first. */
export async function liveRevisions(database: Kysely<OrchestratorTables>, serviceId: number): Promise<RevisionRecord[]> {
  const rows = await database
    .selectFrom('service_revision')
    .selectAll()
    .where('service_id', '=', serviceId)
    .where('role', 'in', ['PRIMARY', 'ACTIVE'])
    .orderBy('id')
    .execute();
  return rows.map(toRevision);
}

/** The service deployment that is under way, if any. */
export async function currentDeployment(
  database: Kysely<OrchestratorTables>,
  serviceId: number,
): Promise<DeploymentRecord | undefined> {
  const row = await database
    .selectFrom('service_deployment')
    .selectAll()
    .where('service_id', '=', serviceId)
    .where('status', 'in', UNFINISHED)
    .orderBy('created_at', 'desc')
    .executeTakeFirst();
  return row === undefined ? undefined : toDeployment(row);
}
