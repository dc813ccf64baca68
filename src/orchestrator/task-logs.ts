import type { Caller } from '../core/place.ts';
import { getCluster } from './cluster-rows.ts';
import type { OrchestratorContext } from './context.ts';
import { invalidParameter } from './ecs-faults.ts';
import type { LogLine, LogRequest } from './ports.ts';

export interface TaskLogRequest extends LogRequest {
  /** Its id, or the first characters of it. */
  task: string;
  /** Name or ARN; absent: any. */
  cluster?: string;
}

/**
 * What the containers of a task have written, as far as it is kept: oldest first. ECS has no words for this; its logs lie
 * in other services. Raises `ecs`: no such task, several that begin so, no such container.
 */
export type ReadTaskLogs = (caller: Caller, request: TaskLogRequest) => Promise<AsyncIterable<LogLine>>;

export function createReadTaskLogs({ meta, runtime }: OrchestratorContext): ReadTaskLogs {
  return async (caller, { task, cluster, ...request }) => {
    const beginning = task.slice(0, 40).toLowerCase();
    const there = cluster === undefined ? undefined : await getCluster(meta.read, caller, cluster);
    if (!/^[0-9a-f]{1,32}$/.test(beginning)) throw noTask(task);
    let query = meta.read
      .selectFrom('task')
      .innerJoin('cluster', 'cluster.id', 'task.cluster_id')
      .select(['task.id', 'task.document'])
      .where('cluster.account', '=', caller.account)
      .where('cluster.region', '=', caller.region)
      .where('task.id', '>=', beginning)
      // No digit of an id comes behind "f".
      .where('task.id', '<', `${beginning}g`)
      .limit(2);
    if (there !== undefined) query = query.where('cluster.id', '=', there.id);
    const [found, second] = await query.execute();
    if (found === undefined) throw noTask(task);
    if (second !== undefined) throw invalidParameter(`Several tasks have an id that begins with ${beginning}. Give more of it.`);
    const names = (JSON.parse(found.document) as { containers: { name: string }[] }).containers.map(({ name }) => name);
    if (request.container !== undefined && !names.includes(request.container))
      throw invalidParameter(
        `The task has no container ${request.container.slice(0, 255)}. It has: ${names.slice(0, 20).join(', ')}.`,
      );
    return runtime.logs(found.id, request);
  };
}

function noTask(task: string): Error {
  return invalidParameter(`There is no task ${task.slice(0, 100)}, or it stopped so long ago that nothing of it is kept.`);
}
