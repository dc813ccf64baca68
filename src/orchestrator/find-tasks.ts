import type { Failure } from '@aws-sdk/client-ecs';
import type { Kysely } from 'kysely';
import { readEcsArn, taskArn } from './arn.ts';
import type { Cluster } from './cluster-rows.ts';
import type { OrchestratorTables } from './context.ts';
import { toTask, type TaskRow } from './task-rows.ts';

/** Tasks of a cluster by id or ARN, each once and in the order asked for; those that are not there are failures `MISSING`. */
export async function findTasks(
  database: Kysely<OrchestratorTables>,
  cluster: Cluster,
  named: string[],
): Promise<{ found: TaskRow[]; failures: Failure[] }> {
  const ids = named.map((name) => idOf(cluster, name));
  const wanted = [...new Set(ids.filter((id) => id !== undefined))];
  const rows =
    wanted.length === 0
      ? []
      : await database.selectFrom('task').selectAll().where('cluster_id', '=', cluster.id).where('id', 'in', wanted).execute();
  const byId = new Map(rows.map((row) => [row.id, row]));
  return {
    found: wanted.flatMap((id) => {
      const row = byId.get(id);
      return row === undefined ? [] : [toTask(row)];
    }),
    failures: named.flatMap((name, index) =>
      byId.has(ids[index] ?? '')
        ? []
        : [{ arn: name.startsWith('arn:') ? name : taskArn(cluster, cluster.name, name), reason: 'MISSING' }],
    ),
  };
}

/** The id that stands in an ARN of this cluster (or in one of the short form, which names none), or the text itself. */
function idOf(cluster: Cluster, name: string): string | undefined {
  if (!name.startsWith('arn:')) return name;
  const arn = readEcsArn(name);
  if (arn?.type !== 'task' || arn.account !== cluster.account || arn.region !== cluster.region) return undefined;
  return arn.path.length > 1 && arn.path[0] !== cluster.name ? undefined : arn.path.at(-1);
}
