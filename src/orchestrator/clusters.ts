import type {
  Cluster as ClusterAnswer,
  ClusterField,
  ClusterSetting,
  CreateClusterRequest,
  CreateClusterResponse,
  DeleteClusterRequest,
  DeleteClusterResponse,
  DescribeClustersRequest,
  DescribeClustersResponse,
  ListClustersRequest,
  ListClustersResponse,
  PutClusterCapacityProvidersRequest,
  PutClusterCapacityProvidersResponse,
  UpdateClusterRequest,
  UpdateClusterResponse,
  UpdateClusterSettingsRequest,
  UpdateClusterSettingsResponse,
} from '@aws-sdk/client-ecs';
import type { Caller } from '../core/place.ts';
import { effectiveSetting } from './account-settings.ts';
import { clusterArn } from './arn.ts';
import { checkProvidersUnused } from './capacity-in-use.ts';
import { knownCapacityProviders } from './capacity-providers.ts';
import { readStrategy } from './capacity-strategy.ts';
import { clusterById, DEFAULT_CLUSTER, findCluster, getCluster, type Cluster, type ClusterDocument } from './cluster-rows.ts';
import type { OrchestratorContext, OrchestratorTransaction } from './context.ts';
import { clientException, clusterNotFound, ecsFault, invalidParameter } from './ecs-faults.ts';
import type { Given, Operation } from './model.ts';
import { decodeToken, pageOf, readLimit } from './paging.ts';
import { dropTags, putTags, readTags, tagsOf, writeTags } from './resource-tags.ts';
import type { ServiceDirectory } from './service-directory.ts';

export interface ClusterOperations {
  CreateCluster: Operation<CreateClusterRequest, CreateClusterResponse>;
  DescribeClusters: Operation<DescribeClustersRequest, DescribeClustersResponse>;
  ListClusters: Operation<ListClustersRequest, ListClustersResponse>;
  UpdateCluster: Operation<UpdateClusterRequest, UpdateClusterResponse>;
  UpdateClusterSettings: Operation<UpdateClusterSettingsRequest, UpdateClusterSettingsResponse>;
  PutClusterCapacityProviders: Operation<PutClusterCapacityProvidersRequest, PutClusterCapacityProvidersResponse>;
  DeleteCluster: Operation<DeleteClusterRequest, DeleteClusterResponse>;
}

const NAME = /^[a-zA-Z0-9_-]{1,255}$/;
/** Ours beside AWS's: `versionConsistency` (`enabled`, `disabled`) is what services of the cluster do with tags. */
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  containerInsights: ['enabled', 'disabled', 'enhanced'],
  versionConsistency: ['enabled', 'disabled'],
};
const EVERYTHING: ClusterField[] = ['ATTACHMENTS', 'CONFIGURATIONS', 'SETTINGS', 'STATISTICS', 'TAGS'];

export function createClusters(context: OrchestratorContext, services: ServiceDirectory): ClusterOperations {
  const { meta, clock } = context;

  async function change(
    caller: Caller,
    nameOrArn: string,
    edit: (
      document: ClusterDocument,
      transaction: OrchestratorTransaction,
      cluster: Cluster,
    ) => Promise<ClusterDocument> | ClusterDocument,
  ): Promise<Cluster> {
    return meta.transact(async (transaction) => {
      const cluster = await getCluster(transaction, caller, nameOrArn);
      const document = await edit(documentOf(cluster), transaction, cluster);
      await transaction
        .updateTable('cluster')
        .set({ document: JSON.stringify(document) })
        .where('id', '=', cluster.id)
        .execute();
      return { ...cluster, ...document };
    });
  }

  async function describe(clusters: Cluster[], include: readonly ClusterField[]): Promise<ClusterAnswer[]> {
    const tags = include.includes('TAGS')
      ? await tagsOf(
          meta.read,
          clusters.map(({ arn }) => arn),
        )
      : new Map<string, Record<string, string>>();
    return Promise.all(
      clusters.map(async (cluster): Promise<ClusterAnswer> => {
        const counts = await countIn(context, services, cluster.id);
        return {
          clusterArn: cluster.arn,
          clusterName: cluster.name,
          status: cluster.status,
          registeredContainerInstancesCount: cluster.status === 'ACTIVE' ? (await context.runtime.hosts()).length : 0,
          runningTasksCount: counts.running,
          pendingTasksCount: counts.pending,
          activeServicesCount: counts.activeServices,
          statistics: include.includes('STATISTICS') ? counts.statistics : [],
          tags: writeTags(tags.get(cluster.arn)),
          settings: include.includes('SETTINGS') ? cluster.settings : [],
          capacityProviders: cluster.capacityProviders,
          defaultCapacityProviderStrategy: cluster.defaultCapacityProviderStrategy,
          ...(include.includes('CONFIGURATIONS') && cluster.configuration !== undefined
            ? { configuration: cluster.configuration }
            : {}),
          ...(cluster.serviceConnectDefaults === undefined ? {} : { serviceConnectDefaults: cluster.serviceConnectDefaults }),
        };
      }),
    );
  }

  return {
    async CreateCluster(caller, input) {
      const name = input.clusterName ?? DEFAULT_CLUSTER;
      if (!NAME.test(name)) throw invalidParameter('A cluster name has up to 255 letters, digits, hyphens and underscores.');
      const tags = readTags(input.tags);
      refuseServiceConnect(input.serviceConnectDefaults);
      const providers = await knownCapacityProviders(context, caller, input.capacityProviders ?? []);
      const document: ClusterDocument = {
        settings: mergeSettings(
          [{ name: 'containerInsights', value: await effectiveSetting(context, caller, 'containerInsights') }],
          input.settings,
        ),
        capacityProviders: providers,
        defaultCapacityProviderStrategy: readStrategy(caller, input.defaultCapacityProviderStrategy ?? [], providers),
        ...(input.configuration === undefined ? {} : { configuration: input.configuration }),
      };
      const cluster = await meta.transact(async (transaction) => {
        const existing = await findCluster(transaction, caller, name);
        // The same name again is the same cluster, as it is.
        if (existing?.status === 'ACTIVE') return existing;
        const values = { status: 'ACTIVE', document: JSON.stringify(document), created_at: clock.now() };
        const { account, region } = caller;
        if (existing === undefined)
          await transaction
            .insertInto('cluster')
            .values({ account, region, name, ...values })
            .execute();
        else {
          await transaction.updateTable('cluster').set(values).where('id', '=', existing.id).execute();
          await transaction.deleteFrom('container_instance').where('cluster_id', '=', existing.id).execute();
          await transaction.deleteFrom('attribute').where('cluster_id', '=', existing.id).execute();
        }
        await putTags(transaction, clusterArn(caller, name), tags);
        return getCluster(transaction, caller, name);
      });
      const [answer] = await describe([cluster], EVERYTHING);
      return { cluster: answer };
    },

    async DescribeClusters(caller, { clusters = [DEFAULT_CLUSTER], include = [] }) {
      const asked = clusters.length === 0 ? [DEFAULT_CLUSTER] : clusters;
      if (asked.length > 100) throw invalidParameter('Clusters can have at most 100 items.');
      const found = await Promise.all(asked.map((name) => findCluster(meta.read, caller, name)));
      return {
        clusters: await describe(unique(found.filter((cluster) => cluster !== undefined)), include),
        failures: asked
          .filter((_, index) => found[index] === undefined)
          .map((name) => ({ arn: name.startsWith('arn:') ? name : clusterArn(caller, name), reason: 'MISSING' })),
      };
    },

    async ListClusters(caller, { maxResults, nextToken }) {
      const limit = readLimit(maxResults);
      let query = meta.read
        .selectFrom('cluster')
        .select('name')
        .where('account', '=', caller.account)
        .where('region', '=', caller.region)
        .where('status', '=', 'ACTIVE')
        .orderBy('name')
        .limit(limit + 1);
      if (nextToken !== undefined) query = query.where('name', '>', decodeToken('clusters', nextToken, [''])[0]);
      const page = pageOf('clusters', await query.execute(), limit, ({ name }) => [name]);
      return {
        clusterArns: page.rows.map(({ name }) => clusterArn(caller, name)),
        ...(page.nextToken === undefined ? {} : { nextToken: page.nextToken }),
      };
    },

    async UpdateCluster(caller, input) {
      refuseServiceConnect(input.serviceConnectDefaults);
      const cluster = await change(caller, input.cluster, (document) => ({
        ...document,
        settings: mergeSettings(document.settings, input.settings),
        ...(input.configuration === undefined ? {} : { configuration: input.configuration }),
      }));
      const [answer] = await describe([cluster], EVERYTHING);
      return { cluster: answer };
    },

    async UpdateClusterSettings(caller, input) {
      const cluster = await change(caller, input.cluster, (document) => ({
        ...document,
        settings: mergeSettings(document.settings, input.settings),
      }));
      const [answer] = await describe([cluster], EVERYTHING);
      return { cluster: answer };
    },

    async PutClusterCapacityProviders(caller, input) {
      const providers = await knownCapacityProviders(context, caller, input.capacityProviders);
      const strategy = readStrategy(caller, input.defaultCapacityProviderStrategy, providers);
      const cluster = await change(caller, input.cluster, async (document, transaction, { id }) => {
        const removed = document.capacityProviders.filter((name) => !providers.includes(name));
        if (removed.length > 0) await checkProvidersUnused(transaction, id, removed);
        return { ...document, capacityProviders: providers, defaultCapacityProviderStrategy: strategy };
      });
      const [answer] = await describe([cluster], EVERYTHING);
      return { cluster: answer };
    },

    async DeleteCluster(caller, { cluster: nameOrArn }) {
      const id = await meta.transact(async (transaction) => {
        const cluster = await findCluster(transaction, caller, nameOrArn);
        if (cluster === undefined) throw clusterNotFound();
        if (cluster.status === 'INACTIVE') return cluster.id;
        const hasService = await transaction
          .selectFrom('service')
          .select('id')
          .where('cluster_id', '=', cluster.id)
          .where('status', '!=', 'INACTIVE')
          .limit(1)
          .executeTakeFirst();
        if (hasService !== undefined)
          throw ecsFault('ClusterContainsServicesException', 'The Cluster cannot be deleted while Services are active.');
        const hasTask = await transaction
          .selectFrom('task')
          .select('id')
          .where('cluster_id', '=', cluster.id)
          .where('last_status', '!=', 'STOPPED')
          .limit(1)
          .executeTakeFirst();
        if (hasTask !== undefined)
          throw ecsFault('ClusterContainsTasksException', 'The Cluster cannot be deleted while Tasks are active.');
        await transaction.updateTable('cluster').set({ status: 'INACTIVE' }).where('id', '=', cluster.id).execute();
        await dropTags(transaction, cluster.arn);
        return cluster.id;
      });
      const [answer] = await describe([await clusterById(meta.read, id)], []);
      return { cluster: answer };
    },
  };
}

function documentOf({
  settings,
  configuration,
  serviceConnectDefaults,
  capacityProviders,
  defaultCapacityProviderStrategy,
}: Cluster): ClusterDocument {
  return {
    settings,
    capacityProviders,
    defaultCapacityProviderStrategy,
    ...(configuration === undefined ? {} : { configuration }),
    ...(serviceConnectDefaults === undefined ? {} : { serviceConnectDefaults }),
  };
}

/** Settings over the ones that were there. Raises `ecs` for one that is not known. */
function mergeSettings(before: ClusterSetting[], given: Given<ClusterSetting>[] = []): ClusterSetting[] {
  const merged = new Map(before.map((setting) => [setting.name as string, setting]));
  for (const { name = '', value = '' } of given as { name?: string; value?: string }[]) {
    const values = SETTINGS[name];
    if (values === undefined)
      throw invalidParameter(
        `There is no cluster setting '${name.slice(0, 100)}'. There are: ${Object.keys(SETTINGS).join(', ')}.`,
      );
    if (!values.includes(value))
      throw invalidParameter(
        `The cluster setting '${name}' cannot be '${value.slice(0, 100)}'. It can be: ${values.join(', ')}.`,
      );
    merged.set(name, { name, value } as ClusterSetting);
  }
  return [...merged.values()];
}

function refuseServiceConnect(defaults: { namespace: string } | undefined): void {
  if (defaults === undefined || defaults.namespace === '') return;
  // Neither operation models UnsupportedFeatureException.
  throw clientException(
    'Service Connect is not there. Let containers find each other by host name and port, and leave serviceConnectDefaults out.',
  );
}

function unique(clusters: Cluster[]): Cluster[] {
  return [...new Map(clusters.map((cluster) => [cluster.id, cluster])).values()];
}

async function countIn({ meta }: OrchestratorContext, services: ServiceDirectory, clusterId: number) {
  const rows = await meta.read
    .selectFrom('task')
    .select(({ fn }) => ['launch_type', 'last_status', fn.countAll<number>().as('count')])
    .where('cluster_id', '=', clusterId)
    .where('last_status', '!=', 'STOPPED')
    .groupBy(['launch_type', 'last_status'])
    .execute();
  const tasks = rows.map((row) => ({
    type: row.launch_type,
    isRunning: row.last_status === 'RUNNING',
    count: Number(row.count),
  }));
  const own = await services.count(clusterId);
  const sum = (list: { count: number }[]): number => list.reduce((total, { count }) => total + count, 0);
  const statistics = [
    ['EC2', 'EC2'],
    ['FARGATE', 'Fargate'],
    ['EXTERNAL', 'External'],
    ['MANAGED_INSTANCES', 'ManagedInstances'],
  ].flatMap(([type, word]) => [
    { name: `running${word}TasksCount`, value: String(sum(tasks.filter((one) => one.type === type && one.isRunning))) },
    { name: `pending${word}TasksCount`, value: String(sum(tasks.filter((one) => one.type === type && !one.isRunning))) },
    {
      name: `active${word}ServiceCount`,
      value: String(sum(own.filter((one) => one.launchType === type && one.status === 'ACTIVE'))),
    },
    {
      name: `draining${word}ServiceCount`,
      value: String(sum(own.filter((one) => one.launchType === type && one.status === 'DRAINING'))),
    },
  ]);
  return {
    running: sum(tasks.filter(({ isRunning }) => isRunning)),
    pending: sum(tasks.filter(({ isRunning }) => !isRunning)),
    activeServices: sum(own.filter(({ status }) => status === 'ACTIVE')),
    statistics,
  };
}
