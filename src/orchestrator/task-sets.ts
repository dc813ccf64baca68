import type {
  CreateTaskSetRequest,
  CreateTaskSetResponse,
  DeleteTaskSetRequest,
  DeleteTaskSetResponse,
  DescribeTaskSetsRequest,
  DescribeTaskSetsResponse,
  TaskSet,
  UpdateServicePrimaryTaskSetRequest,
  UpdateServicePrimaryTaskSetResponse,
  UpdateTaskSetRequest,
  UpdateTaskSetResponse,
} from '@aws-sdk/client-ecs';
import type { Caller } from '../core/place.ts';
import { checkPlatformVersion, checkRunnable } from './check-runnable.ts';
import { readClusterStrategy } from './capacity-strategy.ts';
import { getCluster, type Cluster } from './cluster-rows.ts';
import type { OrchestratorContext, OrchestratorTransaction } from './context.ts';
import { countTasks, describeTaskSet } from './describe-service.ts';
import { ecsFault, invalidParameter, unsupported } from './ecs-faults.ts';
import type { Operation } from './model.ts';
import type { Reconciler } from './reconcile.ts';
import { dropTags, putTags, readTags, tagsOf, writeTags } from './resource-tags.ts';
import { isFargate, readNetwork } from './service-input.ts';
import { getService, revisionById, type RevisionSettings, type ServiceRecord } from './service-rows.ts';
import { insertRevision } from './start-deployment.ts';
import { getTaskSet, taskSetArn, taskSetIdOf, toTaskSet, type TaskSetDocument, type TaskSetRecord } from './task-set-rows.ts';
import { getUsableTaskDefinition } from './task-definition-rows.ts';

/** Task sets: deployments of services with the EXTERNAL controller, which somebody else makes and scales. */
export interface TaskSetOperations {
  CreateTaskSet: Operation<CreateTaskSetRequest, CreateTaskSetResponse>;
  UpdateTaskSet: Operation<UpdateTaskSetRequest, UpdateTaskSetResponse>;
  DeleteTaskSet: Operation<DeleteTaskSetRequest, DeleteTaskSetResponse>;
  DescribeTaskSets: Operation<DescribeTaskSetsRequest, DescribeTaskSetsResponse>;
  UpdateServicePrimaryTaskSet: Operation<UpdateServicePrimaryTaskSetRequest, UpdateServicePrimaryTaskSetResponse>;
}

const MOST_TASK_SETS = 5;

export function createTaskSets(context: OrchestratorContext, reconciler: Pick<Reconciler, 'touch'>): TaskSetOperations {
  const { meta, clock } = context;

  async function describe(service: ServiceRecord, set: TaskSetRecord, tags?: Record<string, string>): Promise<TaskSet> {
    const counts = await countTasks(meta.read, service.id);
    const described = describeTaskSet(service, set, await revisionById(meta.read, set.id), counts.get(set.id));
    return tags === undefined ? described : { ...described, tags: writeTags(tags) };
  }

  async function change(
    caller: Caller,
    input: { cluster: string; service: string },
    idOrArn: string,
    work: (transaction: OrchestratorTransaction, service: ServiceRecord, set: TaskSetRecord) => Promise<void>,
  ): Promise<TaskSet> {
    const cluster = await getCluster(meta.read, caller, input.cluster);
    const { service, id } = await meta.transact(async (transaction) => {
      const found = await getExternalService(transaction, cluster, input.service);
      const set = await getTaskSet(transaction, found, idOrArn);
      await work(transaction, found, set);
      return { service: found, id: set.id };
    });
    const described = await describe(service, await getTaskSet(meta.read, service, `ecs-svc/${id}`));
    reconciler.touch(service.id);
    return described;
  }

  return {
    async CreateTaskSet(caller, input) {
      const cluster = await getCluster(meta.read, caller, input.cluster);
      const scale = readScale(input.scale?.value);
      const tags = readTags(input.tags);
      if ((input.loadBalancers ?? []).length > 0) throw unsupported('Load balancers are not supported. Leave out loadBalancers.');
      if ((input.serviceRegistries ?? []).length > 0)
        throw unsupported('Service discovery is not supported. Leave out serviceRegistries.');
      const strategy = readClusterStrategy(cluster, input.capacityProviderStrategy ?? []);
      if (input.launchType !== undefined && strategy.length > 0)
        throw invalidParameter('Specify either Launch Type or Capacity Provider Strategy, but not both.');
      const definition = await getUsableTaskDefinition(meta.read, caller, input.taskDefinition);
      const { service, id } = await meta.transact(async (transaction) => {
        const found = await getExternalService(transaction, cluster, input.service);
        if (input.clientToken !== undefined) {
          const same = (await setsOf(transaction, found)).find(({ document }) => document.clientToken === input.clientToken);
          if (same !== undefined) return { service: found, id: same.id };
        }
        if ((await setsOf(transaction, found)).length >= MOST_TASK_SETS)
          throw ecsFault('LimitExceededException', `A service has at most ${MOST_TASK_SETS} task sets.`);
        const launchType = input.launchType ?? found.launchType;
        if (launchType === 'MANAGED_INSTANCES')
          throw unsupported('The launch type MANAGED_INSTANCES is not supported. Use EC2 or FARGATE.');
        const runsOn = isFargate(strategy) ? 'FARGATE' : launchType;
        checkRunnable(definition.document, {
          launchType: runsOn,
          ...(input.networkConfiguration === undefined ? {} : { networkConfiguration: input.networkConfiguration }),
        });
        checkPlatformVersion(runsOn, input.platformVersion);
        const settings: Omit<RevisionSettings, 'taskDefinition'> = {
          ...(strategy.length === 0 ? {} : { capacityProviderStrategy: strategy }),
          ...(input.platformVersion === undefined ? {} : { platformVersion: input.platformVersion }),
          ...readNetwork(input.networkConfiguration),
        };
        const made = await insertRevision(transaction, context, found, { definition, consistencyOff: true }, settings);
        const document: TaskSetDocument = {
          launchType,
          ...(input.externalId === undefined ? {} : { externalId: input.externalId }),
          ...(input.clientToken === undefined ? {} : { clientToken: input.clientToken }),
        };
        const now = clock.now();
        await transaction
          .insertInto('task_set')
          .values({
            id: made,
            service_id: found.id,
            status: 'ACTIVE',
            scale,
            stability: 'STABILIZING',
            stability_at: now,
            created_at: now,
            updated_at: now,
            document: JSON.stringify(document),
          })
          .execute();
        await putTags(transaction, taskSetArn(found, made), tags);
        return { service: found, id: made };
      });
      const described = await describe(service, await getTaskSet(meta.read, service, `ecs-svc/${id}`), tags);
      reconciler.touch(service.id);
      return { taskSet: described };
    },

    async UpdateTaskSet(caller, input) {
      const scale = readScale(input.scale.value);
      const taskSet = await change(caller, input, input.taskSet, async (transaction, _service, set) => {
        await transaction.updateTable('task_set').set({ scale, updated_at: clock.now() }).where('id', '=', set.id).execute();
      });
      return { taskSet };
    },

    async DeleteTaskSet(caller, input) {
      const taskSet = await change(caller, input, input.taskSet, async (transaction, service, set) => {
        if (input.force !== true && set.scale > 0)
          throw invalidParameter('The task set cannot be deleted while it is scaled above 0. Scale it to 0 first, or use force.');
        await transaction
          .updateTable('task_set')
          .set({ status: 'DRAINING', updated_at: clock.now() })
          .where('id', '=', set.id)
          .execute();
        await dropTags(transaction, taskSetArn(service, set.id));
      });
      return { taskSet };
    },

    async DescribeTaskSets(caller, input) {
      const cluster = await getCluster(meta.read, caller, input.cluster);
      const service = await getExternalService(meta.read, cluster, input.service);
      const all = await setsOf(meta.read, service);
      const wanted = (input.taskSets ?? []).map((name) => ({ name, id: taskSetIdOf(service, name) }));
      const chosen = wanted.length === 0 ? all : all.filter(({ id }) => wanted.some((one) => one.id === id));
      const arns = chosen.map(({ id }) => taskSetArn(service, id));
      const tags = input.include?.includes('TAGS') === true ? await tagsOf(meta.read, arns) : undefined;
      return {
        taskSets: await Promise.all(
          chosen.map((set) =>
            describe(service, set, tags === undefined ? undefined : (tags.get(taskSetArn(service, set.id)) ?? {})),
          ),
        ),
        failures: wanted
          .filter(({ id }) => !all.some((set) => set.id === id))
          .map(({ name, id }) => ({ arn: id === undefined ? name : taskSetArn(service, id), reason: 'MISSING' })),
      };
    },

    async UpdateServicePrimaryTaskSet(caller, input) {
      const taskSet = await change(caller, input, input.primaryTaskSet, async (transaction, service, set) => {
        const now = clock.now();
        if (set.status === 'DRAINING') throw invalidParameter('A task set that is being deleted cannot be the primary one.');
        await transaction
          .updateTable('task_set')
          .set({ status: 'ACTIVE', updated_at: now })
          .where('service_id', '=', service.id)
          .where('status', '=', 'PRIMARY')
          .execute();
        await transaction.updateTable('task_set').set({ status: 'PRIMARY', updated_at: now }).where('id', '=', set.id).execute();
        const { document } = await revisionById(transaction, set.id);
        await transaction
          .updateTable('service')
          .set({ document: JSON.stringify({ ...service.document, taskDefinition: document.taskDefinition }) })
          .where('id', '=', service.id)
          .execute();
      });
      return { taskSet };
    },
  };
}

async function getExternalService(
  database: Parameters<typeof getService>[0],
  cluster: Cluster,
  nameOrArn: string,
): Promise<ServiceRecord> {
  const service = await getService(database, cluster, nameOrArn);
  if (service.status !== 'ACTIVE') throw ecsFault('ServiceNotActiveException', 'Service was not ACTIVE.');
  if (service.controller !== 'EXTERNAL')
    throw invalidParameter('Task sets are for services with the EXTERNAL deployment controller only. Use UpdateService.');
  return service;
}

async function setsOf(database: Parameters<typeof getService>[0], service: ServiceRecord): Promise<TaskSetRecord[]> {
  const rows = await database.selectFrom('task_set').selectAll().where('service_id', '=', service.id).orderBy('id').execute();
  return rows.map(toTaskSet);
}

/** Whoever makes a task set scales it up when it is time: one that says nothing has no tasks. */
function readScale(value = 0): number {
  if (!(value >= 0 && value <= 100)) throw invalidParameter('The scale of a task set must be between 0 and 100 percent.');
  return value;
}
