import type { Failure } from '@aws-sdk/client-ecs';
import type { Kysely } from 'kysely';
import { nameIn, taskArn } from './arn.ts';
import type { Cluster } from './cluster-rows.ts';
import type { OrchestratorTables } from './context.ts';
import { toTask, type TaskRow } from './task-rows.ts';

/** Tasks of a cluster by id or ARN, each once and in the order asked for; those that are not there are failures `MISSING`. */
export async function findTasks(
  database: Kysely<OrchestratorTables>,
  cluster: Cluster,
  named: string[],
): Promise<{ found: TaskRow[]; failures: Failure[] }> {
  const ids = named.map((name) => nameIn(cluster, 'task', name));
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
