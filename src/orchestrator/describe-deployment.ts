import type { ServiceDeployment, ServiceRevision } from '@aws-sdk/client-ecs';
import type { Kysely } from 'kysely';
import { clusterArn } from './arn.ts';
import { currentMonitor } from './breaker-monitor.ts';
import type { OrchestratorTables } from './context.ts';
import { countTasks, launchOf, NO_TASKS, type TaskCounts } from './describe-service.ts';
import { digestsOf } from './revision-images.ts';
import {
  deploymentArn,
  revisionArn,
  revisionById,
  type DeploymentRecord,
  type RevisionRecord,
  type ServiceRecord,
} from './service-rows.ts';

/** What lists of deployments show of each. */
export function briefOf(service: ServiceRecord, deployment: DeploymentRecord) {
  const date = (at: number): Date => new Date(at);
  return {
    serviceDeploymentArn: deploymentArn(service, deployment.id),
    serviceArn: service.arn,
    clusterArn: clusterArn(service, service.clusterName),
    createdAt: date(deployment.createdAt),
    ...(deployment.startedAt === undefined ? {} : { startedAt: date(deployment.startedAt) }),
    ...(deployment.finishedAt === undefined ? {} : { finishedAt: date(deployment.finishedAt) }),
    status: deployment.status,
    ...(deployment.statusReason === undefined ? {} : { statusReason: deployment.statusReason }),
  };
}

/** A service deployment with its revisions as they are now. */
export async function describeDeployment(
  database: Kysely<OrchestratorTables>,
  service: ServiceRecord,
  deployment: DeploymentRecord,
): Promise<ServiceDeployment> {
  const { document } = deployment;
  const counts = await countTasks(database, service.id);
  const target = await revisionById(database, deployment.targetRevision);
  const summary = (id: string, wanted: (count: TaskCounts) => number) => {
    const count = counts.get(id) ?? NO_TASKS;
    return {
      arn: revisionArn(service, id),
      requestedTaskCount: wanted(count),
      runningTaskCount: count.running,
      pendingTaskCount: count.pending,
    };
  };
  return {
    ...briefOf(service, deployment),
    updatedAt: new Date(deployment.updatedAt),
    ...(deployment.stoppedAt === undefined ? {} : { stoppedAt: new Date(deployment.stoppedAt) }),
    sourceServiceRevisions: document.sources.map((id) => summary(id, ({ wanted }) => wanted)),
    targetServiceRevision: summary(deployment.targetRevision, ({ wanted }) =>
      target.role === 'PRIMARY' && service.schedulingStrategy === 'REPLICA' ? service.desiredCount : wanted,
    ),
    ...(deployment.stage === undefined
      ? {}
      : { lifecycleStage: deployment.stage as NonNullable<ServiceDeployment['lifecycleStage']> }),
    deploymentConfiguration: document.deploymentConfiguration,
    ...(document.rollback === undefined
      ? {}
      : {
          rollback: {
            reason: document.rollback.reason,
            startedAt: new Date(document.rollback.startedAt),
            serviceRevisionArn: revisionArn(service, document.rollback.revision),
          },
        }),
    deploymentCircuitBreaker: currentMonitor(service, document.breaker, target.tally.failures),
    alarms: { status: 'DISABLED', alarmNames: [], triggeredAlarmNames: [] },
  };
}

/** A service revision with its images, and their digests as far as they are known. */
export function describeRevision(service: ServiceRecord, revision: RevisionRecord): ServiceRevision {
  const { document } = revision;
  const digests = digestsOf(document.images);
  return {
    serviceRevisionArn: revisionArn(service, revision.id),
    serviceArn: service.arn,
    clusterArn: clusterArn(service, service.clusterName),
    taskDefinition: document.taskDefinition,
    ...launchOf(service, document, '1.4.0'),
    loadBalancers: [],
    serviceRegistries: [],
    ...(document.networkConfiguration === undefined ? {} : { networkConfiguration: document.networkConfiguration }),
    containerImages: document.images.map(({ containerName, image }) => {
      const imageDigest = digests.get(containerName);
      return { containerName, image, ...(imageDigest === undefined ? {} : { imageDigest }) };
    }),
    guardDutyEnabled: false,
    createdAt: new Date(revision.createdAt),
  };
}
