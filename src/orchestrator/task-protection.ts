import type {
  Failure,
  GetTaskProtectionRequest,
  GetTaskProtectionResponse,
  ProtectedTask,
  UpdateTaskProtectionRequest,
  UpdateTaskProtectionResponse,
} from '@aws-sdk/client-ecs';
import { taskArn } from './arn.ts';
import { getCluster, type Cluster } from './cluster-rows.ts';
import type { OrchestratorContext } from './context.ts';
import { invalidParameter } from './ecs-faults.ts';
import { findTasks } from './find-tasks.ts';
import type { Operation } from './model.ts';
import { toTask, type TaskRow } from './task-rows.ts';
import type { Tasks } from './tasks.ts';

export interface TaskProtectionOperations {
  GetTaskProtection: Operation<GetTaskProtectionRequest, GetTaskProtectionResponse>;
  UpdateTaskProtection: Operation<UpdateTaskProtectionRequest, UpdateTaskProtectionResponse>;
}

const MINUTE = 60_000;
const DEFAULT_MINUTES = 120;
const LONGEST_MINUTES = 2880;

export function createTaskProtection(context: OrchestratorContext, tasks: Tasks): TaskProtectionOperations {
  const { meta, clock } = context;

  const describe = (cluster: Cluster, task: TaskRow): ProtectedTask => {
    const isProtected = task.protectedUntil !== undefined && task.protectedUntil > clock.now();
    return {
      taskArn: taskArn(cluster, cluster.name, task.id),
      protectionEnabled: isProtected,
      ...(isProtected ? { expirationDate: new Date(task.protectedUntil ?? 0) } : {}),
    };
  };

  /** Sorts out tasks that cannot be protected: only those of services are scaled in. */
  async function choose(cluster: Cluster, named: string[]): Promise<{ chosen: TaskRow[]; failures: Failure[] }> {
    const { found, failures } = await findTasks(meta.read, cluster, named);
    const isFit = (task: TaskRow): boolean => task.serviceId !== undefined && task.desiredStatus === 'RUNNING';
    return {
      chosen: found.filter(isFit),
      failures: [
        ...failures,
        ...found
          .filter((task) => !isFit(task))
          .map((task) => ({ arn: taskArn(cluster, cluster.name, task.id), reason: 'TASK_NOT_VALID' })),
      ],
    };
  }

  return {
    async GetTaskProtection(caller, { cluster: nameOrArn, tasks: named = [] }) {
      const cluster = await getCluster(meta.read, caller, nameOrArn);
      if (named.length > 100) throw invalidParameter('Tasks can have at most 100 items.');
      if (named.length > 0) {
        const { chosen, failures } = await choose(cluster, named);
        return { protectedTasks: chosen.map((task) => describe(cluster, task)), failures };
      }
      const rows = await meta.read
        .selectFrom('task')
        .selectAll()
        .where('cluster_id', '=', cluster.id)
        .where('desired_status', '=', 'RUNNING')
        .where('service_id', 'is not', null)
        .limit(100)
        .execute();
      return { protectedTasks: rows.map((row) => describe(cluster, toTask(row))), failures: [] };
    },

    async UpdateTaskProtection(caller, { cluster: nameOrArn, tasks: named, protectionEnabled, expiresInMinutes }) {
      const cluster = await getCluster(meta.read, caller, nameOrArn);
      if (named.length < 1 || named.length > 10) throw invalidParameter('Tasks must have between 1 and 10 items.');
      const minutes = expiresInMinutes ?? DEFAULT_MINUTES;
      if (protectionEnabled && (minutes < 1 || minutes > LONGEST_MINUTES))
        throw invalidParameter(`expiresInMinutes must be between 1 and ${LONGEST_MINUTES}.`);
      const { chosen, failures } = await choose(cluster, named);
      const until = protectionEnabled ? clock.now() + minutes * MINUTE : undefined;
      const changed = await tasks.protect(
        chosen.map(({ id }) => id),
        until,
      );
      return { protectedTasks: changed.map((task) => describe(cluster, task)), failures };
    },
  };
}
