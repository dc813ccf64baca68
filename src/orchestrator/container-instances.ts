import type {
  ContainerInstance,
  DeregisterContainerInstanceRequest,
  DeregisterContainerInstanceResponse,
  DescribeContainerInstancesRequest,
  DescribeContainerInstancesResponse,
  Failure,
  ListContainerInstancesRequest,
  ListContainerInstancesResponse,
  RegisterContainerInstanceRequest,
  RegisterContainerInstanceResponse,
  Resource,
  UpdateContainerAgentRequest,
  UpdateContainerAgentResponse,
  UpdateContainerInstancesStateRequest,
  UpdateContainerInstancesStateResponse,
} from '@aws-sdk/client-ecs';
import { containerInstanceArn, nameIn } from './arn.ts';
import { getCluster, type Cluster } from './cluster-rows.ts';
import type { OrchestratorContext } from './context.ts';
import { clientException, ecsFault, invalidParameter } from './ecs-faults.ts';
import type { Operation } from './model.ts';
import { decodeToken, pageOf, readLimit } from './paging.ts';
import type { RuntimeHost } from './ports.ts';
import { tagsOf, writeTags } from './resource-tags.ts';
import type { ServiceDirectory } from './service-directory.ts';

export interface ContainerInstanceOperations {
  DescribeContainerInstances: Operation<DescribeContainerInstancesRequest, DescribeContainerInstancesResponse>;
  ListContainerInstances: Operation<ListContainerInstancesRequest, ListContainerInstancesResponse>;
  UpdateContainerInstancesState: Operation<UpdateContainerInstancesStateRequest, UpdateContainerInstancesStateResponse>;
  UpdateContainerAgent: Operation<UpdateContainerAgentRequest, UpdateContainerAgentResponse>;
  RegisterContainerInstance: Operation<RegisterContainerInstanceRequest, RegisterContainerInstanceResponse>;
  DeregisterContainerInstance: Operation<DeregisterContainerInstanceRequest, DeregisterContainerInstanceResponse>;
}

/** Each host of the runtime is a container instance of every cluster. */
export function createContainerInstances(context: OrchestratorContext, services: ServiceDirectory): ContainerInstanceOperations {
  const { meta, runtime } = context;

  async function choose(cluster: Cluster, named: string[]): Promise<{ hosts: RuntimeHost[]; failures: Failure[] }> {
    const hosts = await runtime.hosts();
    const chosen = new Map<string, RuntimeHost>();
    const failures: Failure[] = [];
    for (const name of named) {
      const host = hosts.find(({ id }) => id === nameIn(cluster, 'container-instance', name));
      if (host === undefined)
        failures.push({
          arn: name.startsWith('arn:') ? name : containerInstanceArn(cluster, cluster.name, name),
          reason: 'MISSING',
        });
      else chosen.set(host.id, host);
    }
    return { hosts: [...chosen.values()], failures };
  }

  async function describe(cluster: Cluster, hosts: RuntimeHost[], withTags: boolean): Promise<ContainerInstance[]> {
    if (hosts.length === 0) return [];
    const arns = hosts.map(({ id }) => containerInstanceArn(cluster, cluster.name, id));
    const rows = await meta.read.selectFrom('container_instance').selectAll().where('cluster_id', '=', cluster.id).execute();
    const attributes = await meta.read.selectFrom('attribute').selectAll().where('cluster_id', '=', cluster.id).execute();
    const tags = withTags ? await tagsOf(meta.read, arns) : new Map<string, Record<string, string>>();
    return Promise.all(
      hosts.map(async (host, index): Promise<ContainerInstance> => {
        const row = rows.find(({ host_id }) => host_id === host.id);
        const used = await usage(context, cluster, host);
        return {
          containerInstanceArn: arns[index] ?? '',
          version: row?.version ?? 1,
          versionInfo: host.engineVersion === undefined ? {} : { dockerVersion: host.engineVersion },
          status: row?.status ?? 'ACTIVE',
          agentConnected: host.isReachable !== false,
          runningTasksCount: used.running,
          pendingTasksCount: used.pending,
          registeredResources: resources(host.cpu, host.memory, []),
          remainingResources: resources(host.cpu - used.cpu, host.memory - used.memory, used.ports),
          attributes: [
            ...Object.entries(host.attributes).map(([name, value]) => ({ name, value })),
            ...attributes
              .filter(({ host_id }) => host_id === host.id)
              .map(({ name, value }) => ({ name, ...(value === null ? {} : { value }) })),
          ],
          attachments: [],
          tags: writeTags(tags.get(arns[index] ?? '')),
          registeredAt: new Date(cluster.createdAt),
        };
      }),
    );
  }

  return {
    async DescribeContainerInstances(caller, { cluster: nameOrArn, containerInstances, include = [] }) {
      const cluster = await getCluster(meta.read, caller, nameOrArn);
      if (containerInstances.length === 0) throw invalidParameter('Container Instances cannot be empty.');
      if (containerInstances.length > 100) throw invalidParameter('Container instances can have at most 100 items.');
      const { hosts, failures } = await choose(cluster, containerInstances);
      return { containerInstances: await describe(cluster, hosts, include.includes('TAGS')), failures };
    },

    async ListContainerInstances(caller, { cluster: nameOrArn, filter, status, maxResults, nextToken }) {
      const cluster = await getCluster(meta.read, caller, nameOrArn);
      const limit = readLimit(maxResults);
      if (filter !== undefined && filter !== '')
        throw clientException(
          'Filters of the cluster query language are not supported. List all, and choose from what DescribeContainerInstances says.',
        );
      const after = nextToken === undefined ? '' : decodeToken('container-instances', nextToken, [''])[0];
      const rows = await meta.read.selectFrom('container_instance').selectAll().where('cluster_id', '=', cluster.id).execute();
      const hosts = (await runtime.hosts())
        .map(({ id }) => ({ id, status: rows.find(({ host_id }) => host_id === id)?.status ?? 'ACTIVE' }))
        .filter((host) => (status === undefined || host.status === status) && host.id > after)
        .sort((one, other) => (one.id < other.id ? -1 : 1));
      const page = pageOf('container-instances', hosts, limit, ({ id }) => [id]);
      return {
        containerInstanceArns: page.rows.map(({ id }) => containerInstanceArn(cluster, cluster.name, id)),
        ...(page.nextToken === undefined ? {} : { nextToken: page.nextToken }),
      };
    },

    async UpdateContainerInstancesState(caller, { cluster: nameOrArn, containerInstances, status }) {
      const cluster = await getCluster(meta.read, caller, nameOrArn);
      if (containerInstances.length < 1 || containerInstances.length > 10)
        throw invalidParameter('Container instances must have between 1 and 10 items.');
      if (status !== 'ACTIVE' && status !== 'DRAINING')
        throw invalidParameter('Container instances can be set to ACTIVE or DRAINING only.');
      const { hosts, failures } = await choose(cluster, containerInstances);
      await meta.transact(async (transaction) => {
        for (const { id } of hosts)
          await transaction
            .insertInto('container_instance')
            .values({ cluster_id: cluster.id, host_id: id, status, version: 2 })
            .onConflict((conflict) =>
              conflict
                .columns(['cluster_id', 'host_id'])
                .doUpdateSet((builder) => ({ status, version: builder('container_instance.version', '+', 1) })),
            )
            .execute();
      });
      services.hostsChanged(cluster.id);
      return { containerInstances: await describe(cluster, hosts, true), failures };
    },

    async UpdateContainerAgent(caller, { cluster: nameOrArn }) {
      await getCluster(meta.read, caller, nameOrArn);
      throw ecsFault('NoUpdateAvailableException', 'There is no container agent to update: the server runs containers itself.');
    },

    async RegisterContainerInstance(caller, { cluster: nameOrArn }) {
      await getCluster(meta.read, caller, nameOrArn);
      throw clientException(
        'Container instances cannot be registered. The hosts of this server are container instances of every cluster already: see ListContainerInstances.',
      );
    },

    async DeregisterContainerInstance(caller, { cluster: nameOrArn, containerInstance }) {
      const cluster = await getCluster(meta.read, caller, nameOrArn);
      const { hosts } = await choose(cluster, [containerInstance]);
      if (hosts.length === 0) throw invalidParameter('Referenced container instance not found.');
      throw clientException(
        'The hosts of this server cannot be deregistered. Set the container instance to DRAINING with UpdateContainerInstancesState, and it takes no more tasks.',
      );
    },
  };
}

function resources(cpu: number, memory: number, ports: string[]): Resource[] {
  const taken = (protocol: string): string[] =>
    ports.filter((port) => port.endsWith(`/${protocol}`)).map((port) => port.slice(0, port.indexOf('/')));
  const number = (name: string, value: number): Resource => ({
    name,
    type: 'INTEGER',
    doubleValue: 0,
    longValue: 0,
    integerValue: value,
  });
  const set = (name: string, values: string[]): Resource => ({
    name,
    type: 'STRINGSET',
    doubleValue: 0,
    longValue: 0,
    integerValue: 0,
    stringSetValue: values,
  });
  return [number('CPU', cpu), number('MEMORY', memory), set('PORTS', taken('tcp')), set('PORTS_UDP', taken('udp'))];
}

/** What is taken of a host by whatever cluster, and the tasks that this one has there. */
async function usage({ meta }: OrchestratorContext, cluster: Cluster, host: RuntimeHost) {
  const rows = await meta.read
    .selectFrom('task')
    .select(['cluster_id', 'last_status', 'cpu', 'memory', 'host_ports'])
    .where('host_id', '=', host.id)
    .where('last_status', '!=', 'STOPPED')
    .where('launch_type', '!=', 'FARGATE')
    .execute();
  const own = rows.filter(({ cluster_id }) => cluster_id === cluster.id);
  return {
    cpu: rows.reduce((sum, { cpu }) => sum + cpu, 0),
    memory: rows.reduce((sum, { memory }) => sum + memory, 0),
    ports: rows.flatMap(({ host_ports }) => JSON.parse(host_ports) as string[]),
    running: own.filter(({ last_status }) => last_status === 'RUNNING').length,
    pending: own.filter(({ last_status }) => last_status !== 'RUNNING').length,
  };
}
