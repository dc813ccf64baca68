import type { Deployment, Service, ServiceEvent, TaskSet } from '@aws-sdk/client-ecs';
import type { Kysely } from 'kysely';
import { clusterArn } from './arn.ts';
import type { OrchestratorTables } from './context.ts';
import { computedCount } from './decide-service.ts';
import { isFargate } from './service-input.ts';
import { writeTags } from './resource-tags.ts';
import {
  deploymentArn,
  deploymentId,
  liveRevisions,
  revisionArn,
  revisionById,
  type RevisionRecord,
  type RevisionSettings,
  type ServiceRecord,
} from './service-rows.ts';
import { taskSetArn, toTaskSet, type TaskSetRecord } from './task-set-rows.ts';

/** Tasks of a revision: `wanted` are those that were not told to stop. */
export interface TaskCounts {
  running: number;
  pending: number;
  wanted: number;
}

export const NO_TASKS: TaskCounts = { running: 0, pending: 0, wanted: 0 };

/** By revision. */
export async function countTasks(database: Kysely<OrchestratorTables>, serviceId: number): Promise<Map<string, TaskCounts>> {
  const rows = await database
    .selectFrom('task')
    .select(({ fn }) => ['revision_id', 'last_status', 'desired_status', fn.countAll<number>().as('count')])
    .where('service_id', '=', serviceId)
    .where('last_status', '!=', 'STOPPED')
    .groupBy(['revision_id', 'last_status', 'desired_status'])
    .execute();
  const counts = new Map<string, TaskCounts>();
  for (const { revision_id, last_status, desired_status, count } of rows) {
    const before = counts.get(revision_id ?? '') ?? NO_TASKS;
    const isWanted = desired_status === 'RUNNING';
    const isRunning = last_status === 'RUNNING';
    const isPending = isWanted && ['PROVISIONING', 'PENDING', 'ACTIVATING'].includes(last_status);
    counts.set(revision_id ?? '', {
      running: before.running + (isRunning ? Number(count) : 0),
      pending: before.pending + (isPending ? Number(count) : 0),
      wanted: before.wanted + (isWanted ? Number(count) : 0),
    });
  }
  return counts;
}

/** A service as DescribeServices has it, as things are now. Structures that are not set are left out. */
export async function describeService(
  database: Kysely<OrchestratorTables>,
  service: ServiceRecord,
  extra: { events?: ServiceEvent[]; tags?: Record<string, string> } = {},
): Promise<Service> {
  const { document } = service;
  const counts = await countTasks(database, service.id);
  const isExternal = service.controller === 'EXTERNAL';
  const revisions = service.status === 'INACTIVE' ? [] : await liveRevisions(database, service.id);
  const shown = isExternal ? [] : revisions.filter(({ id, role }) => role === 'PRIMARY' || counts.has(id));
  const latest = await database
    .selectFrom('service_deployment')
    .select('id')
    .where('service_id', '=', service.id)
    .orderBy('created_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  const all = [...counts.values()];
  const wantedOf = (revision: RevisionRecord): number =>
    revision.role === 'PRIMARY' ? wantedTasks(service, counts.get(revision.id)) : (counts.get(revision.id)?.wanted ?? 0);
  return {
    serviceArn: service.arn,
    serviceName: service.name,
    clusterArn: clusterArn(service, service.clusterName),
    loadBalancers: [],
    serviceRegistries: [],
    status: service.status,
    desiredCount:
      service.schedulingStrategy === 'DAEMON' ? wantedTasks(service, all.reduce(sum, NO_TASKS)) : service.desiredCount,
    runningCount: all.reduce((total, { running }) => total + running, 0),
    pendingCount: all.reduce((total, { pending }) => total + pending, 0),
    ...launchOf(service, document),
    ...(document.taskDefinition === undefined ? {} : { taskDefinition: document.taskDefinition }),
    deploymentConfiguration: document.deploymentConfiguration,
    ...(isExternal ? { taskSets: await describeTaskSets(database, service, counts) } : {}),
    deployments: shown
      .reverse()
      .map((revision) => describeDeployment(service, revision, counts.get(revision.id), wantedOf(revision))),
    events: extra.events ?? [],
    createdAt: new Date(service.createdAt),
    ...(latest === undefined ? {} : { currentServiceDeployment: deploymentArn(service, latest.id) }),
    ...(shown.length === 0
      ? {}
      : {
          currentServiceRevisions: shown.map((revision) => ({
            arn: revisionArn(service, revision.id),
            requestedTaskCount: wantedOf(revision),
            runningTaskCount: counts.get(revision.id)?.running ?? 0,
            pendingTaskCount: counts.get(revision.id)?.pending ?? 0,
          })),
        }),
    placementConstraints: document.placementConstraints,
    placementStrategy: document.placementStrategy,
    ...(document.networkConfiguration === undefined ? {} : { networkConfiguration: document.networkConfiguration }),
    ...(document.healthCheckGracePeriodSeconds === undefined
      ? {}
      : { healthCheckGracePeriodSeconds: document.healthCheckGracePeriodSeconds }),
    schedulingStrategy: service.schedulingStrategy,
    deploymentController: { type: service.controller },
    createdBy: service.createdBy,
    enableECSManagedTags: document.enableECSManagedTags,
    propagateTags: document.propagateTags,
    enableExecuteCommand: false,
    availabilityZoneRebalancing: document.availabilityZoneRebalancing,
    ...(extra.tags === undefined ? {} : { tags: writeTags(extra.tags) }),
  };
}

function describeDeployment(
  service: ServiceRecord,
  revision: RevisionRecord,
  counts: TaskCounts = NO_TASKS,
  desiredCount: number,
): Deployment {
  return {
    id: deploymentId(revision.id),
    status: revision.role,
    taskDefinition: revision.document.taskDefinition,
    desiredCount,
    pendingCount: counts.pending,
    runningCount: counts.running,
    failedTasks: revision.tally.failures,
    createdAt: new Date(revision.createdAt),
    updatedAt: new Date(revision.updatedAt),
    ...launchOf(service, revision.document, '1.4.0'),
    ...(revision.document.networkConfiguration === undefined
      ? {}
      : { networkConfiguration: revision.document.networkConfiguration }),
    rolloutState: revision.rollout,
    rolloutStateReason: revision.rolloutReason,
  };
}

/** Launch type or capacity providers, and what Fargate shows beside. */
export function launchOf(
  { launchType }: Pick<ServiceRecord, 'launchType'>,
  { capacityProviderStrategy, platformVersion }: Pick<RevisionSettings, 'capacityProviderStrategy' | 'platformVersion'>,
  latest?: string,
) {
  const runsOnFargate = capacityProviderStrategy === undefined ? launchType === 'FARGATE' : isFargate(capacityProviderStrategy);
  const version = platformVersion === 'LATEST' || platformVersion === undefined ? (latest ?? 'LATEST') : platformVersion;
  return {
    ...(capacityProviderStrategy === undefined ? { launchType } : { capacityProviderStrategy }),
    ...(runsOnFargate ? { platformVersion: version, platformFamily: 'Linux' } : {}),
  };
}

/** How many tasks a service wants: a DAEMON's are as many as it has been given hosts. */
function wantedTasks(service: ServiceRecord, counts: TaskCounts = NO_TASKS): number {
  return service.schedulingStrategy === 'DAEMON' ? counts.wanted : service.desiredCount;
}

function sum(one: TaskCounts, other: TaskCounts): TaskCounts {
  return { running: one.running + other.running, pending: one.pending + other.pending, wanted: one.wanted + other.wanted };
}

async function describeTaskSets(
  database: Kysely<OrchestratorTables>,
  service: ServiceRecord,
  counts: Map<string, TaskCounts>,
): Promise<TaskSet[]> {
  const rows = await database.selectFrom('task_set').selectAll().where('service_id', '=', service.id).orderBy('id').execute();
  return Promise.all(
    rows
      .map(toTaskSet)
      .map(async (set) => describeTaskSet(service, set, await revisionById(database, set.id), counts.get(set.id))),
  );
}

/** A task set as the API has it. */
export function describeTaskSet(
  service: ServiceRecord,
  set: TaskSetRecord,
  revision: RevisionRecord,
  counts: TaskCounts = NO_TASKS,
): TaskSet {
  const { document } = revision;
  return {
    id: deploymentId(set.id),
    taskSetArn: taskSetArn(service, set.id),
    serviceArn: service.arn,
    clusterArn: clusterArn(service, service.clusterName),
    status: set.status,
    taskDefinition: document.taskDefinition,
    computedDesiredCount: set.status === 'DRAINING' ? 0 : computedCount(service.desiredCount, set.scale),
    pendingCount: counts.pending,
    runningCount: counts.running,
    createdAt: new Date(set.createdAt),
    updatedAt: new Date(set.updatedAt),
    ...launchOf({ launchType: set.document.launchType }, document, '1.4.0'),
    ...(document.networkConfiguration === undefined ? {} : { networkConfiguration: document.networkConfiguration }),
    loadBalancers: [],
    serviceRegistries: [],
    scale: { value: set.scale, unit: 'PERCENT' },
    stabilityStatus: set.stability,
    stabilityStatusAt: new Date(set.stabilityAt),
    ...(set.document.externalId === undefined ? {} : { externalId: set.document.externalId }),
    ...(set.document.startedBy === undefined ? {} : { startedBy: set.document.startedBy }),
  };
}
