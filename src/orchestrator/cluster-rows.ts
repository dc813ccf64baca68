import type {
  CapacityProviderStrategyItem,
  ClusterConfiguration,
  ClusterServiceConnectDefaults,
  ClusterSetting,
} from '@aws-sdk/client-ecs';
import type { Kysely, Selectable } from 'kysely';
import type { Place } from '../core/place.ts';
import { clusterArn, nameOf } from './arn.ts';
import { clusterNotFound, ecsFault } from './ecs-faults.ts';
import type { OrchestratorTables } from './context.ts';
import type { TaskTables } from './schema.ts';

/** What `cluster.document` holds. */
export interface ClusterDocument {
  settings: ClusterSetting[];
  configuration?: ClusterConfiguration;
  serviceConnectDefaults?: ClusterServiceConnectDefaults;
  capacityProviders: string[];
  defaultCapacityProviderStrategy: CapacityProviderStrategyItem[];
}

export interface Cluster extends Place, ClusterDocument {
  readonly id: number;
  readonly name: string;
  readonly arn: string;
  readonly status: 'ACTIVE' | 'INACTIVE';
  readonly createdAt: number;
}

export const DEFAULT_CLUSTER = 'default';

export function toCluster(row: Selectable<TaskTables['cluster']>): Cluster {
  return {
    id: row.id,
    account: row.account,
    region: row.region,
    name: row.name,
    arn: clusterArn(row, row.name),
    status: row.status as Cluster['status'],
    createdAt: row.created_at,
    ...(JSON.parse(row.document) as ClusterDocument),
  };
}

/** A cluster by name or ARN, whatever its status; undefined when there is none. */
export async function findCluster(
  database: Kysely<OrchestratorTables>,
  place: Place,
  nameOrArn: string = DEFAULT_CLUSTER,
): Promise<Cluster | undefined> {
  const name = nameOf(place, 'cluster', nameOrArn);
  if (name === undefined) return undefined;
  const row = await database
    .selectFrom('cluster')
    .selectAll()
    .where('account', '=', place.account)
    .where('region', '=', place.region)
    .where('name', '=', name)
    .executeTakeFirst();
  return row === undefined ? undefined : toCluster(row);
}

/** A cluster that is there and was not deleted. Raises `ecs` (ClusterNotFoundException). */
export async function getCluster(database: Kysely<OrchestratorTables>, place: Place, nameOrArn?: string): Promise<Cluster> {
  const cluster = await findCluster(database, place, nameOrArn);
  if (cluster === undefined) throw clusterNotFound();
  if (cluster.status !== 'ACTIVE') throw ecsFault('ClusterNotFoundException', 'The referenced cluster was inactive.');
  return cluster;
}

/** By its number; rows of clusters never go. */
export async function clusterById(database: Kysely<OrchestratorTables>, id: number): Promise<Cluster> {
  return toCluster(await database.selectFrom('cluster').selectAll().where('id', '=', id).executeTakeFirstOrThrow());
}
