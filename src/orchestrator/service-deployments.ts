import type {
  ContinueServiceDeploymentRequest,
  ContinueServiceDeploymentResponse,
  DescribeServiceDeploymentsRequest,
  DescribeServiceDeploymentsResponse,
  DescribeServiceRevisionsRequest,
  DescribeServiceRevisionsResponse,
  ListServiceDeploymentsRequest,
  ListServiceDeploymentsResponse,
  ServiceDeployment,
  ServiceRevision,
  StopServiceDeploymentRequest,
  StopServiceDeploymentResponse,
} from '@aws-sdk/client-ecs';
import type { Kysely } from 'kysely';
import type { Place } from '../core/place.ts';
import { readEcsArn } from './arn.ts';
import { findCluster, getCluster } from './cluster-rows.ts';
import type { OrchestratorContext, OrchestratorTables } from './context.ts';
import { briefOf, describeDeployment, describeRevision } from './describe-deployment.ts';
import { ecsFault, invalidParameter, unsupported } from './ecs-faults.ts';
import type { Operation } from './model.ts';
import { endMonitoring } from './breaker-monitor.ts';
import { decodeToken, pageOf, readLimit } from './paging.ts';
import type { Reconciler } from './reconcile.ts';
import {
  deploymentId,
  findService,
  getService,
  revisionArn,
  revisionById,
  toDeployment,
  toRevision,
  UNFINISHED,
  type DeploymentRecord,
  type ServiceRecord,
} from './service-rows.ts';
import { goBackTo, rollbackTarget, updateDeployment } from './start-deployment.ts';

export interface ServiceDeploymentOperations {
  ListServiceDeployments: Operation<ListServiceDeploymentsRequest, ListServiceDeploymentsResponse>;
  DescribeServiceDeployments: Operation<DescribeServiceDeploymentsRequest, DescribeServiceDeploymentsResponse>;
  DescribeServiceRevisions: Operation<DescribeServiceRevisionsRequest, DescribeServiceRevisionsResponse>;
  StopServiceDeployment: Operation<StopServiceDeploymentRequest, StopServiceDeploymentResponse>;
  ContinueServiceDeployment: Operation<ContinueServiceDeploymentRequest, ContinueServiceDeploymentResponse>;
}

const PAGE = 20;
const MOST_DESCRIBED = 20;
const STOPPED_BY_HAND = 'Service deployment rolled back because it was stopped.';

export function createServiceDeployments(
  context: OrchestratorContext,
  reconciler: Pick<Reconciler, 'touch'>,
): ServiceDeploymentOperations {
  const { meta, clock } = context;

  async function getDeployment(
    database: Kysely<OrchestratorTables>,
    place: Place,
    arn: string,
  ): Promise<{ service: ServiceRecord; deployment: DeploymentRecord }> {
    const found = await findDeployment(database, place, arn);
    if (found === undefined) throw ecsFault('ServiceDeploymentNotFoundException', 'The service deployment was not found.');
    return found;
  }

  return {
    async ListServiceDeployments(caller, input) {
      const inArn = readEcsArn(input.service);
      const cluster = await getCluster(
        meta.read,
        caller,
        input.cluster ?? (inArn?.path.length === 2 ? inArn.path[0] : undefined),
      );
      const service = await getService(meta.read, cluster, input.service);
      const limit = readLimit(input.maxResults, PAGE);
      let query = meta.read
        .selectFrom('service_deployment')
        .selectAll()
        .where('service_id', '=', service.id)
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .limit(limit + 1);
      if (input.status !== undefined && input.status.length > 0) query = query.where('status', 'in', input.status);
      if (input.createdAt?.after !== undefined) query = query.where('created_at', '>', input.createdAt.after.getTime());
      if (input.createdAt?.before !== undefined) query = query.where('created_at', '<', input.createdAt.before.getTime());
      if (input.nextToken !== undefined) {
        const [at, id] = decodeToken('deployments', input.nextToken, [0, '']);
        query = query.where(({ or, and, eb }) =>
          or([eb('created_at', '<', at), and([eb('created_at', '=', at), eb('id', '>', id)])]),
        );
      }
      const { rows, nextToken } = pageOf('deployments', await query.execute(), limit, (row) => [row.created_at, row.id]);
      return {
        serviceDeployments: rows.map(toDeployment).map((deployment) => ({
          ...briefOf(service, deployment),
          targetServiceRevisionArn: revisionArn(service, deployment.targetRevision),
        })),
        ...(nextToken === undefined ? {} : { nextToken }),
      };
    },

    async DescribeServiceDeployments(caller, input) {
      checkCount(input.serviceDeploymentArns, 'serviceDeploymentArns');
      const serviceDeployments: ServiceDeployment[] = [];
      const failures: { arn: string; reason: string }[] = [];
      for (const arn of new Set(input.serviceDeploymentArns)) {
        const found = await findDeployment(meta.read, caller, arn);
        if (found === undefined) failures.push({ arn, reason: 'MISSING' });
        else serviceDeployments.push(await describeDeployment(meta.read, found.service, found.deployment));
      }
      return { serviceDeployments, failures };
    },

    async DescribeServiceRevisions(caller, input) {
      checkCount(input.serviceRevisionArns, 'serviceRevisionArns');
      const serviceRevisions: ServiceRevision[] = [];
      const failures: { arn: string; reason: string }[] = [];
      for (const arn of new Set(input.serviceRevisionArns)) {
        const [service, id] = (await findOfService(meta.read, caller, 'service-revision', arn)) ?? [];
        const row =
          service === undefined || id === undefined
            ? undefined
            : await meta.read
                .selectFrom('service_revision')
                .selectAll()
                .where('id', '=', id)
                .where('service_id', '=', service.id)
                .executeTakeFirst();
        if (row === undefined || service === undefined) failures.push({ arn, reason: 'MISSING' });
        else serviceRevisions.push(describeRevision(service, toRevision(row)));
      }
      return { serviceRevisions, failures };
    },

    async StopServiceDeployment(caller, input) {
      if (input.stopType === 'ABORT')
        throw invalidParameter(
          'The stop type ABORT is not supported. Use ROLLBACK, which goes back to the last successful service revision.',
        );
      const serviceId = await meta.transact(async (transaction) => {
        const { service, deployment } = await getDeployment(transaction, caller, input.serviceDeploymentArn);
        if (!UNFINISHED.includes(deployment.status))
          throw ecsFault('ConflictException', `The service deployment cannot be stopped: it is ${deployment.status}.`, [
            input.serviceDeploymentArn,
          ]);
        // It is being stopped already.
        if (deployment.status !== 'PENDING' && deployment.status !== 'IN_PROGRESS') return service.id;
        const now = clock.now();
        const stopped = deployment.targetRevision;
        const target = await rollbackTarget(transaction, service.id, stopped);
        const { tally } = await revisionById(transaction, stopped);
        const document = endMonitoring(service, deployment.document, tally.failures);
        await transaction
          .updateTable('service_revision')
          .set({ rollout: 'FAILED', rollout_reason: `ECS deployment ${deploymentId(stopped)} was stopped.`, updated_at: now })
          .where('id', '=', stopped)
          .execute();
        const started = { started_at: deployment.startedAt ?? now };
        if (target === undefined) {
          const reason = 'Service deployment stopped. There is no successful service revision to roll back to.';
          const change = { status: 'STOPPED', status_reason: reason, stopped_at: now, finished_at: now };
          await updateDeployment(transaction, deployment, now, { ...started, ...change }, document);
          return service.id;
        }
        await goBackTo(
          transaction,
          context,
          service,
          target,
          `ECS deployment ${deploymentId(stopped)} was stopped: rolling back to deploymentId ${deploymentId(target.id)}.`,
        );
        await updateDeployment(
          transaction,
          deployment,
          now,
          { ...started, status: 'ROLLBACK_IN_PROGRESS', status_reason: STOPPED_BY_HAND },
          { ...document, rollback: { reason: STOPPED_BY_HAND, startedAt: now, revision: target.id } },
        );
        return service.id;
      });
      reconciler.touch(serviceId);
      return { serviceDeploymentArn: input.serviceDeploymentArn };
    },

    async ContinueServiceDeployment(caller, input) {
      await getDeployment(meta.read, caller, input.serviceDeploymentArn);
      throw unsupported(
        'Service deployments have no lifecycle hooks here, so none waits to be continued. Use StopServiceDeployment to roll back.',
      );
    },
  };
}

/** The service of an ARN `<type>/<cluster>/<service>/<id>`, and the id. */
async function findOfService(
  database: Kysely<OrchestratorTables>,
  place: Place,
  type: string,
  arn: string,
): Promise<[service: ServiceRecord, id: string] | undefined> {
  const read = readEcsArn(arn);
  if (read === undefined) throw invalidParameter('The ARN provided is invalid.');
  const [clusterName, serviceName, id, ...more] = read.path;
  if (read.type !== type || read.account !== place.account || read.region !== place.region) return undefined;
  if (clusterName === undefined || serviceName === undefined || id === undefined || more.length > 0) return undefined;
  const cluster = await findCluster(database, place, clusterName);
  const service = cluster === undefined ? undefined : await findService(database, cluster, serviceName);
  return service === undefined ? undefined : [service, id];
}

async function findDeployment(
  database: Kysely<OrchestratorTables>,
  place: Place,
  arn: string,
): Promise<{ service: ServiceRecord; deployment: DeploymentRecord } | undefined> {
  const [service, id] = (await findOfService(database, place, 'service-deployment', arn)) ?? [];
  if (service === undefined || id === undefined) return undefined;
  const row = await database
    .selectFrom('service_deployment')
    .selectAll()
    .where('id', '=', id)
    .where('service_id', '=', service.id)
    .executeTakeFirst();
  return row === undefined ? undefined : { service, deployment: toDeployment(row) };
}

function checkCount(arns: string[], member: string): void {
  if (arns.length === 0) throw invalidParameter(`${member} can not be empty.`);
  if (arns.length > MOST_DESCRIBED) throw invalidParameter(`${member} can have at most ${MOST_DESCRIBED} items.`);
}
