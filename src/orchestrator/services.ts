import type {
  CreateServiceRequest,
  CreateServiceResponse,
  DeleteServiceRequest,
  DeleteServiceResponse,
  DescribeServicesRequest,
  DescribeServicesResponse,
  ListServicesByNamespaceRequest,
  ListServicesByNamespaceResponse,
  ListServicesRequest,
  ListServicesResponse,
  UpdateServiceRequest,
  UpdateServiceResponse,
} from '@aws-sdk/client-ecs';
import { digestOf } from '../core/digest.ts';
import { checkPlatformVersion, checkRunnable } from './check-runnable.ts';
import { getCluster, type Cluster } from './cluster-rows.ts';
import type { OrchestratorContext, OrchestratorTransaction } from './context.ts';
import { describeService } from './describe-service.ts';
import { clientException, ecsFault, invalidParameter, serviceNotFound } from './ecs-faults.ts';
import type { Operation } from './model.ts';
import { decodeToken, pageOf, readLimit } from './paging.ts';
import type { Reconciler } from './reconcile.ts';
import { dropTags, putTags, readTags, tagsOf } from './resource-tags.ts';
import { eventsOf } from './service-events.ts';
import { canonical, isFargate, readCreateService, readUpdateService } from './service-input.ts';
import {
  findService,
  getService,
  serviceArn,
  serviceById,
  toService,
  type ServiceDocument,
  type ServiceRecord,
} from './service-rows.ts';
import { startDeployment, stopCurrent } from './start-deployment.ts';
import { getUsableTaskDefinition, type TaskDefinitionRecord } from './task-definition-rows.ts';

export interface ServiceOperations {
  CreateService: Operation<CreateServiceRequest, CreateServiceResponse>;
  UpdateService: Operation<UpdateServiceRequest, UpdateServiceResponse>;
  DeleteService: Operation<DeleteServiceRequest, DeleteServiceResponse>;
  DescribeServices: Operation<DescribeServicesRequest, DescribeServicesResponse>;
  ListServices: Operation<ListServicesRequest, ListServicesResponse>;
  ListServicesByNamespace: Operation<ListServicesByNamespaceRequest, ListServicesByNamespaceResponse>;
}

const MOST_DESCRIBED = 10;
const PAGE = 10;

export function createServices(context: OrchestratorContext, reconciler: Pick<Reconciler, 'touch'>): ServiceOperations {
  const { meta, clock } = context;

  /** What a deployment of these settings would run must be something that can run here. */
  function checkDefinition(
    definition: TaskDefinitionRecord,
    service: Pick<ServiceRecord, 'launchType'>,
    document: ServiceDocument,
  ): void {
    const launchType = isFargate(document.capacityProviderStrategy) ? 'FARGATE' : service.launchType;
    const { networkConfiguration, platformVersion } = document;
    checkRunnable(definition.document, { launchType, ...(networkConfiguration === undefined ? {} : { networkConfiguration }) });
    checkPlatformVersion(launchType, platformVersion);
  }

  async function shown(id: number): Promise<Awaited<ReturnType<typeof describeService>>> {
    const service = await serviceById(meta.read, id);
    if (service === undefined) throw serviceNotFound();
    const tags = (await tagsOf(meta.read, [service.arn])).get(service.arn);
    return describeService(meta.read, service, {
      events: await eventsOf(meta.read, id),
      ...(tags === undefined ? {} : { tags }),
    });
  }

  return {
    async CreateService(caller, input) {
      const cluster = await getCluster(meta.read, caller, input.cluster);
      const settings = readCreateService(input, cluster);
      const tags = readTags(input.tags);
      const needsDefinition = settings.controller !== 'EXTERNAL';
      if (needsDefinition && !input.taskDefinition) throw invalidParameter('TaskDefinition can not be blank.');
      const definition = input.taskDefinition
        ? await getUsableTaskDefinition(meta.read, caller, input.taskDefinition)
        : undefined;
      const document: ServiceDocument = {
        ...settings.document,
        ...(definition === undefined ? {} : { taskDefinition: definition.arn }),
      };
      if (definition !== undefined && needsDefinition) checkDefinition(definition, settings, document);
      const { clientToken: _token, ...request } = input;
      const fingerprint = digestOf(canonical(request));
      const arn = serviceArn(cluster, cluster.name, settings.name);

      const id = await meta.transact(async (transaction) => {
        const existing = await findService(transaction, cluster, settings.name);
        if (existing?.status === 'ACTIVE') {
          if (existing.fingerprint === fingerprint) return existing.id;
          throw invalidParameter('Creation of service was not idempotent.');
        }
        if (existing?.status === 'DRAINING') throw invalidParameter('Unable to Start a service that is still Draining.');
        if (existing !== undefined) {
          await transaction.deleteFrom('service').where('id', '=', existing.id).execute();
          await dropTags(transaction, arn);
        }
        const row = await transaction
          .insertInto('service')
          .values({
            cluster_id: cluster.id,
            account: cluster.account,
            region: cluster.region,
            cluster_name: cluster.name,
            name: settings.name,
            status: 'ACTIVE',
            desired_count: settings.desiredCount,
            launch_type: settings.launchType,
            scheduling_strategy: settings.schedulingStrategy,
            controller: settings.controller,
            created_at: clock.now(),
            created_by: caller.principal,
            fingerprint,
            document: JSON.stringify(document),
            conditions: '{}',
          })
          .returningAll()
          .executeTakeFirstOrThrow();
        await putTags(transaction, arn, tags);
        if (definition !== undefined && needsDefinition)
          await startDeployment(transaction, context, toService(row), { definition, consistencyOff: isConsistencyOff(cluster) });
        return row.id;
      });
      reconciler.touch(id);
      return { service: await shown(id) };
    },

    async UpdateService(caller, input) {
      const cluster = await getCluster(meta.read, caller, input.cluster);
      const id = await meta.transact(async (transaction) => {
        const service = await getService(transaction, cluster, input.service);
        if (service.status !== 'ACTIVE') throw ecsFault('ServiceNotActiveException', 'Service was not ACTIVE.');
        const { desiredCount, document, deploys } = readUpdateService(input, service, cluster);
        const named =
          input.taskDefinition === undefined
            ? undefined
            : await getUsableTaskDefinition(transaction, caller, input.taskDefinition);
        const changed = named !== undefined && named.arn !== service.document.taskDefinition;
        const current = service.document.taskDefinition;
        const definition =
          !deploys || current === undefined ? named : (named ?? (await getUsableTaskDefinition(transaction, caller, current)));
        if (changed) document.taskDefinition = named.arn;
        if (definition !== undefined) checkDefinition(definition, service, document);
        const updated: ServiceRecord = { ...service, desiredCount, document };
        await transaction
          .updateTable('service')
          .set({ desired_count: desiredCount, document: JSON.stringify(document), conditions: '{}' })
          .where('id', '=', service.id)
          .execute();
        // Whoever updates a service has seen to what kept its tasks from starting.
        await transaction
          .updateTable('service_revision')
          .set({ failed_starts: 0 })
          .where('service_id', '=', service.id)
          .where('role', '=', 'PRIMARY')
          .execute();
        if (definition !== undefined && (deploys || changed) && service.controller === 'ECS')
          await startDeployment(transaction, context, updated, { definition, consistencyOff: isConsistencyOff(cluster) });
        return service.id;
      });
      reconciler.touch(id);
      return { service: await shown(id) };
    },

    async DeleteService(caller, input) {
      const cluster = await getCluster(meta.read, caller, input.cluster);
      const id = await meta.transact(async (transaction) => {
        const service = await getService(transaction, cluster, input.service);
        if (service.status === 'INACTIVE') throw serviceNotFound();
        if (service.status === 'DRAINING') return service.id;
        if (input.force !== true) await checkScaledDown(transaction, service);
        await stopCurrent(transaction, service, clock.now(), 'Service deployment stopped because the service was deleted.');
        await transaction
          .updateTable('service')
          .set({ status: 'DRAINING', desired_count: 0 })
          .where('id', '=', service.id)
          .execute();
        return service.id;
      });
      const service = await shown(id);
      reconciler.touch(id);
      return { service };
    },

    async DescribeServices(caller, input) {
      const cluster = await getCluster(meta.read, caller, input.cluster);
      if (input.services.length === 0) throw invalidParameter('Services cannot be empty.');
      if (input.services.length > MOST_DESCRIBED)
        throw invalidParameter(`At most ${MOST_DESCRIBED} services can be described at once.`);
      const services: Required<DescribeServicesResponse>['services'] = [];
      const failures: Required<DescribeServicesResponse>['failures'] = [];
      const withTags = input.include?.includes('TAGS') === true;
      for (const name of new Set(input.services)) {
        const service = await findService(meta.read, cluster, name);
        if (service === undefined) {
          failures.push({ arn: name.startsWith('arn:') ? name : serviceArn(cluster, cluster.name, name), reason: 'MISSING' });
          continue;
        }
        const tags = withTags ? ((await tagsOf(meta.read, [service.arn])).get(service.arn) ?? {}) : undefined;
        const events = await eventsOf(meta.read, service.id);
        services.push(await describeService(meta.read, service, { events, ...(tags === undefined ? {} : { tags }) }));
      }
      return { services, failures };
    },

    async ListServices(caller, input) {
      const cluster = await getCluster(meta.read, caller, input.cluster);
      const limit = readLimit(input.maxResults, PAGE);
      let query = meta.read
        .selectFrom('service')
        .select('name')
        .where('cluster_id', '=', cluster.id)
        .where('status', '=', 'ACTIVE')
        .orderBy('name')
        .limit(limit + 1);
      if (input.launchType !== undefined) query = query.where('launch_type', '=', input.launchType);
      if (input.schedulingStrategy !== undefined) query = query.where('scheduling_strategy', '=', input.schedulingStrategy);
      // Services that ECS makes for itself: Express Gateway has none here.
      if (input.resourceManagementType === 'ECS') query = query.where('name', '=', '');
      if (input.nextToken !== undefined) query = query.where('name', '>', decodeToken('services', input.nextToken, [''])[0]);
      const { rows, nextToken } = pageOf('services', await query.execute(), limit, ({ name }) => [name]);
      return {
        serviceArns: rows.map(({ name }) => serviceArn(cluster, cluster.name, name)),
        ...(nextToken === undefined ? {} : { nextToken }),
      };
    },

    async ListServicesByNamespace(_caller, { namespace }) {
      throw ecsFault(
        'NamespaceNotFoundException',
        `The namespace '${namespace.slice(0, 200)}' was not found: there is no Cloud Map here. Use ListServices.`,
      );
    },
  };
}

async function checkScaledDown(transaction: OrchestratorTransaction, service: ServiceRecord): Promise<void> {
  if (service.schedulingStrategy === 'REPLICA' && service.desiredCount > 0)
    throw invalidParameter('The service cannot be stopped while it is scaled above 0.');
  const set = await transaction
    .selectFrom('task_set')
    .select('id')
    .where('service_id', '=', service.id)
    .where('status', '!=', 'DRAINING')
    .executeTakeFirst();
  if (set !== undefined)
    throw clientException('The service cannot be deleted while it has task sets. Delete them first, or use force.');
}

/** The cluster's setting `versionConsistency` is `disabled`: tags stay tags. */
export function isConsistencyOff({ settings }: Cluster): boolean {
  return settings.some(({ name, value }) => (name as string) === 'versionConsistency' && value === 'disabled');
}
