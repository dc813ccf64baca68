import type {
  DescribeTasksRequest,
  DescribeTasksResponse,
  ListTasksRequest,
  ListTasksResponse,
  StopTaskRequest,
  StopTaskResponse,
  Task,
} from '@aws-sdk/client-ecs';
import { nameIn, taskArn } from './arn.ts';
import { getCluster, type Cluster } from './cluster-rows.ts';
import type { OrchestratorContext } from './context.ts';
import { describeTask } from './describe-task.ts';
import { clientException, invalidParameter, serviceNotFound } from './ecs-faults.ts';
import { findTasks } from './find-tasks.ts';
import type { Operation } from './model.ts';
import { decodeToken, pageOf, readLimit } from './paging.ts';
import { tagsOf } from './resource-tags.ts';
import { createRunTask, type RunTaskOperations } from './run-task.ts';
import type { ServiceDirectory } from './service-directory.ts';
import { toTaskDefinition } from './task-definition-rows.ts';
import type { TaskRow } from './task-rows.ts';
import type { Tasks } from './tasks.ts';

export interface TaskOperations extends RunTaskOperations {
  StopTask: Operation<StopTaskRequest, StopTaskResponse>;
  DescribeTasks: Operation<DescribeTasksRequest, DescribeTasksResponse>;
  ListTasks: Operation<ListTasksRequest, ListTasksResponse>;
}

const STOPPED_BY_USER = 'Task stopped by user';

export function createTaskOperations(context: OrchestratorContext, tasks: Tasks, services: ServiceDirectory): TaskOperations {
  const { meta } = context;
  const describe = (cluster: Cluster, rows: TaskRow[], options?: { tags: boolean }) =>
    describeTasks(context, cluster, rows, options);

  return {
    ...createRunTask(context, tasks, describe),

    async StopTask(caller, { cluster: nameOrArn, task: named, reason }) {
      const cluster = await getCluster(meta.read, caller, nameOrArn);
      if (reason !== undefined && reason.length > 1024) throw invalidParameter('A reason can have at most 1024 characters.');
      const [found] = (await findTasks(meta.read, cluster, [named])).found;
      if (found === undefined) throw invalidParameter('The referenced task was not found.');
      const [stopped] = await tasks.stop([found.id], { code: 'UserInitiated', reason: reason || STOPPED_BY_USER });
      const [answer] = await describe(cluster, [stopped ?? found]);
      return answer === undefined ? {} : { task: answer };
    },

    async DescribeTasks(caller, { cluster: nameOrArn, tasks: named, include = [] }) {
      const cluster = await getCluster(meta.read, caller, nameOrArn);
      if (named.length === 0) throw invalidParameter('Tasks cannot be empty.');
      if (named.length > 100) throw invalidParameter('Tasks can have at most 100 items.');
      const { found, failures } = await findTasks(meta.read, cluster, named);
      return { tasks: await describe(cluster, found, { tags: include.includes('TAGS') }), failures };
    },

    async ListTasks(caller, input) {
      const { desiredStatus = 'RUNNING', family, startedBy, serviceName, launchType, containerInstance, nextToken } = input;
      const cluster = await getCluster(meta.read, caller, input.cluster);
      const limit = readLimit(input.maxResults);
      if (input.daemonName !== undefined)
        throw clientException('Managed daemons are not there. Use a service of scheduling strategy DAEMON.');
      const scope = `tasks ${JSON.stringify([cluster.id, desiredStatus, family, startedBy, serviceName, launchType, containerInstance])}`;
      let query = meta.read
        .selectFrom('task')
        .select('id')
        .where('cluster_id', '=', cluster.id)
        // ECS never sets PENDING, so that there is none to be listed.
        .where('desired_status', '=', desiredStatus)
        .orderBy('id')
        .limit(limit + 1);
      if (serviceName !== undefined) {
        const service = await services.find(caller, cluster.id, serviceName);
        if (service === undefined) throw serviceNotFound();
        query = query.where('service_id', '=', service.id);
      }
      if (family !== undefined) query = query.where('family', '=', family);
      if (startedBy !== undefined) query = query.where('started_by', '=', startedBy);
      if (launchType !== undefined) query = query.where('launch_type', '=', launchType);
      if (containerInstance !== undefined) {
        const hostId = nameIn(cluster, 'container-instance', containerInstance) ?? '';
        query = query.where('host_id', '=', hostId).where('launch_type', '!=', 'FARGATE');
      }
      if (nextToken !== undefined) query = query.where('id', '>', decodeToken(scope, nextToken, [''])[0]);
      const page = pageOf(scope, await query.execute(), limit, ({ id }) => [id]);
      return {
        taskArns: page.rows.map(({ id }) => taskArn(cluster, cluster.name, id)),
        ...(page.nextToken === undefined ? {} : { nextToken: page.nextToken }),
      };
    },
  };
}

/** Tasks of one cluster as the ECS API shows them. */
export async function describeTasks(
  { meta, runtime, settings }: Pick<OrchestratorContext, 'meta' | 'runtime' | 'settings'>,
  cluster: Cluster,
  rows: TaskRow[],
  { tags: withTags }: { tags: boolean } = { tags: true },
): Promise<Task[]> {
  if (rows.length === 0) return [];
  const ids = [...new Set(rows.map(({ taskDefinitionId }) => taskDefinitionId))];
  const definitions = new Map(
    (await meta.read.selectFrom('task_definition').selectAll().where('id', 'in', ids).execute()).map((row) => [
      row.id,
      toTaskDefinition(row),
    ]),
  );
  const arns = rows.map(({ id }) => taskArn(cluster, cluster.name, id));
  const tags = withTags ? await tagsOf(meta.read, arns) : new Map<string, Record<string, string>>();
  const hosts = new Map((await runtime.hosts()).map((host) => [host.id, host]));
  return rows.map((row, index) => {
    const definition = definitions.get(row.taskDefinitionId);
    if (definition === undefined) throw new Error(`the task ${row.id} has no task definition`);
    const host = hosts.get(row.hostId ?? '');
    const own = tags.get(arns[index] ?? '');
    return describeTask(row, cluster, definition, {
      settings,
      ...(host === undefined ? {} : { host }),
      ...(own === undefined ? {} : { tags: own }),
    });
  });
}
