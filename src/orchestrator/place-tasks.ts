import type { Kysely } from 'kysely';
import type { Cluster } from './cluster-rows.ts';
import type { OrchestratorContext, OrchestratorTables } from './context.ts';
import type { HostUse, Use } from './host-use.ts';
import type { RuntimeHost } from './ports.ts';
import type { TaskDefinitionDocument } from './task-definition-rows.ts';

/** What tasks want of the host that they are put on. */
export interface PlacementRequest {
  cluster: Cluster;
  count: number;
  launchType: string;
  cpu: number;
  memory: number;
  /** Such as `80/tcp`. */
  hostPorts: string[];
  /** At most one task of the group on each host. */
  distinctGroup?: string;
  /** Only these hosts. */
  hosts?: string[];
}

/** Why no host will do, as `failures[].reason` has it. */
export type PlacementFailure = 'RESOURCE:CPU' | 'RESOURCE:MEMORY' | 'RESOURCE:PORTS' | 'AGENT' | 'LOCATION';

export interface Placement {
  /** A host for each task that finds one. */
  hosts: string[];
  /** Set when some found none: the host that came closest, and what it lacks. */
  failure?: { reason: PlacementFailure; hostId?: string };
}

/** `80/tcp` for each port of the host that the task takes for itself: none with a network of its own. Pure. */
export function fixedHostPorts({ networkMode, containerDefinitions }: TaskDefinitionDocument): string[] {
  if (networkMode === 'awsvpc' || networkMode === 'none') return [];
  return containerDefinitions.flatMap(({ portMappings }) =>
    (portMappings ?? []).flatMap(({ hostPort, containerPort, protocol }) => {
      const port = networkMode === 'host' ? hostPort || containerPort : hostPort;
      return port ? [`${port}/${protocol ?? 'tcp'}`] : [];
    }),
  );
}

/**
 * Chooses hosts for tasks, the emptiest first. Tasks of launch type EC2 take what they ask for of an ACTIVE host; those of
 * FARGATE bring their own, as it is with AWS. A host's ports are there once for everybody.
 */
export async function placeTasks({ meta, runtime }: OrchestratorContext, request: PlacementRequest): Promise<Placement> {
  return chooseHosts(meta.read, await runtime.hosts(), request);
}

/**
 * The same among hosts that are known, with queries alone: inside a transaction, what it chooses is still free when it is written. There
 * `use` may be given, and is then kept.
 */
export async function chooseHosts(
  database: Kysely<OrchestratorTables>,
  known: RuntimeHost[],
  request: PlacementRequest,
  use?: HostUse,
): Promise<Placement> {
  const { cluster, count, launchType } = request;
  const draining = await database
    .selectFrom('container_instance')
    .select('host_id')
    .where('cluster_id', '=', cluster.id)
    .where('status', '!=', 'ACTIVE')
    .execute();
  const closed = new Set(draining.map(({ host_id }) => host_id));
  const hosts = known.filter(({ id }) => (request.hosts?.includes(id) ?? true) && (launchType === 'FARGATE' || !closed.has(id)));
  if (hosts.length === 0) return { hosts: [], failure: { reason: 'AGENT' } };
  const [only] = hosts;
  // Which of several is the emptiest, only their sums tell.
  if (only !== undefined && hosts.length === 1 && hasRoom(only, request, use?.atMost(only.id)))
    return { hosts: Array.from({ length: count }, () => only.id) };
  const free = await Promise.all(hosts.map((host) => readFree(database, host, request, use)));
  const chosen: string[] = [];
  let failure: Placement['failure'];
  while (chosen.length < count) {
    const found = free
      .map((host) => ({ host, lacks: lackOf(host, request) }))
      .sort(
        (one, other) =>
          Number(one.lacks !== undefined) - Number(other.lacks !== undefined) || other.host.memory - one.host.memory,
      )[0];
    if (found === undefined) break;
    if (found.lacks !== undefined) {
      failure = { reason: found.lacks, hostId: found.host.id };
      break;
    }
    chosen.push(found.host.id);
    if (launchType !== 'FARGATE') {
      found.host.cpu -= request.cpu;
      found.host.memory -= request.memory;
    }
    for (const port of request.hostPorts) found.host.ports.add(port);
    found.host.hasGroup = true;
  }
  return { hosts: chosen, ...(failure === undefined ? {} : { failure }) };
}

interface FreeHost {
  id: string;
  cpu: number;
  memory: number;
  /** Taken ones. */
  ports: Set<string>;
  hasGroup: boolean;
}

function hasRoom(host: RuntimeHost, request: PlacementRequest, used: Use | undefined): boolean {
  const { launchType, count, cpu, memory, hostPorts, distinctGroup } = request;
  if (used === undefined || launchType === 'FARGATE' || hostPorts.length > 0 || distinctGroup !== undefined) return false;
  return used.cpu + count * cpu <= host.cpu && used.memory + count * memory <= host.memory;
}

function lackOf(host: FreeHost, request: PlacementRequest): PlacementFailure | undefined {
  if (request.distinctGroup !== undefined && host.hasGroup) return 'LOCATION';
  if (request.hostPorts.some((port) => host.ports.has(port)) || new Set(request.hostPorts).size < request.hostPorts.length)
    return 'RESOURCE:PORTS';
  if (request.launchType === 'FARGATE') return undefined;
  if (request.cpu > host.cpu) return 'RESOURCE:CPU';
  return request.memory > host.memory ? 'RESOURCE:MEMORY' : undefined;
}

async function readFree(
  database: Kysely<OrchestratorTables>,
  host: RuntimeHost,
  request: PlacementRequest,
  use: HostUse | undefined,
): Promise<FreeHost> {
  const live = database.selectFrom('task').where('host_id', '=', host.id).where('last_status', '!=', 'STOPPED');
  const isSized = request.launchType !== 'FARGATE';
  const used = isSized
    ? await live
        .select(({ fn }) => [fn.sum<number | null>('cpu').as('cpu'), fn.sum<number | null>('memory').as('memory')])
        .where('launch_type', '!=', 'FARGATE')
        .executeTakeFirst()
    : undefined;
  const sum: Use = { cpu: Number(used?.cpu ?? 0), memory: Number(used?.memory ?? 0) };
  if (isSized) use?.set(host.id, sum);
  const ports = request.hostPorts.length === 0 ? [] : await live.select('host_ports').where('host_ports', '!=', '[]').execute();
  const group =
    request.distinctGroup === undefined
      ? undefined
      : await live
          .select('id')
          .where('cluster_id', '=', request.cluster.id)
          .where('group_name', '=', request.distinctGroup)
          .limit(1)
          .executeTakeFirst();
  return {
    id: host.id,
    cpu: host.cpu - sum.cpu,
    memory: host.memory - sum.memory,
    ports: new Set(ports.flatMap(({ host_ports }) => JSON.parse(host_ports) as string[])),
    hasGroup: group !== undefined,
  };
}
