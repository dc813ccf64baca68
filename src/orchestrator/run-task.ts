import type { Failure, RunTaskRequest, RunTaskResponse, StartTaskRequest, StartTaskResponse, Task } from '@aws-sdk/client-ecs';
import { describeCauses } from '../core/logger.ts';
import { containerInstanceArn, nameIn, taskArn } from './arn.ts';
import { decideCapacity } from './capacity-strategy.ts';
import { checkOverrides, checkPlatformVersion, checkRunnable } from './check-runnable.ts';
import { createClientTokens, fingerprintOf, type UsedToken } from './client-tokens.ts';
import { getCluster, type Cluster } from './cluster-rows.ts';
import type { OrchestratorContext } from './context.ts';
import { clientException, ecsFault, invalidParameter, unsupported } from './ecs-faults.ts';
import { findTasks } from './find-tasks.ts';
import type { Given, Operation } from './model.ts';
import { fixedHostPorts, placeTasks } from './place-tasks.ts';
import { readTags, tagsOf } from './resource-tags.ts';
import { getUsableTaskDefinition, type TaskDefinitionRecord } from './task-definition-rows.ts';
import type { TaskRow } from './task-rows.ts';
import { taskNeeds, type NewTask } from './create-task-row.ts';
import type { Tasks } from './tasks.ts';

export interface RunTaskOperations {
  RunTask: Operation<RunTaskRequest, RunTaskResponse>;
  StartTask: Operation<StartTaskRequest, StartTaskResponse>;
}

type Describe = (cluster: Cluster, rows: TaskRow[]) => Promise<Task[]>;

export const NO_CONTAINER_INSTANCES = 'No Container Instances were found in your cluster.';
const NO_CAPACITY = 'Capacity is unavailable at this time. Please try again later or in a different availability zone';

export function createRunTask(context: OrchestratorContext, tasks: Tasks, describe: Describe): RunTaskOperations {
  const { meta } = context;
  const tokens = createClientTokens(context);

  /** Writes all the tasks, or none, and gives them to the runtime. Undefined when the token has been used meanwhile. */
  async function make(list: NewTask[], token?: Omit<UsedToken, 'resources'>): Promise<TaskRow[] | undefined> {
    const made = await meta.transact(async (transaction) => {
      if (token !== undefined && (await tokens.find(transaction, token)) !== undefined) return undefined;
      const rows: TaskRow[] = [];
      for (const task of list) rows.push(await tasks.createTaskRow(transaction, task));
      const [first] = list;
      if (token !== undefined && first !== undefined) {
        const resources = rows.map(({ id }) => taskArn(first.cluster, first.cluster.name, id));
        await tokens.put(transaction, { ...token, resources });
      }
      return rows;
    });
    if (made === undefined) return undefined;
    // The answer does not wait for the runtime: what becomes of a task is seen on the task.
    for (const [index, row] of made.entries())
      tasks
        .launch(row, list[index])
        // Its row says that it is to run: it is launched when the server starts next.
        .catch((error: unknown) =>
          context.log.error('a task could not be launched', { task: row.id, error: describeCauses(error) }),
        );
    return made;
  }

  /** What the same request got before. Raises `ecs` when the token was for another one. */
  async function answerOf(cluster: Cluster, token: Omit<UsedToken, 'resources'>): Promise<RunTaskResponse | undefined> {
    const used = await tokens.find(meta.read, token);
    if (used === undefined) return undefined;
    if (used.fingerprint !== token.fingerprint)
      throw ecsFault('ConflictException', 'The client token was used for another request before.', used.resources);
    const { found, failures } = await findTasks(meta.read, cluster, used.resources);
    return { tasks: await describe(cluster, found), failures };
  }

  return {
    async RunTask(caller, input) {
      const cluster = await getCluster(meta.read, caller, input.cluster);
      const count = input.count ?? 1;
      if (count < 1 || count > 10) throw invalidParameter('count must be between 1 and 10.');
      checkCommon(input);
      const capacity = decideCapacity(cluster, input);
      const definition = await getUsableTaskDefinition(meta.read, caller, input.taskDefinition);
      const { launchType } = capacity;
      check(definition, input, launchType, input.platformVersion);
      const token = readToken(cluster, input);
      const earlier = token === undefined ? undefined : await answerOf(cluster, token);
      if (earlier !== undefined) return earlier;
      const group = input.group ?? `family:${definition.family}`;
      const isDistinct = checkConstraints(input.placementConstraints);
      const hostPorts = fixedHostPorts(definition.document);
      const placement = await placeTasks(context, {
        cluster,
        count,
        launchType,
        ...taskNeeds(definition, input.overrides ?? {}),
        hostPorts,
        ...(isDistinct ? { distinctGroup: group } : {}),
      });
      if (placement.hosts.length === 0 && placement.failure?.hostId === undefined && launchType === 'EC2')
        throw invalidParameter(NO_CONTAINER_INSTANCES);
      const tags = await tagsFor(context, cluster, definition, input);
      const providers = capacity.providersFor(count);
      const made = await make(
        placement.hosts.map((hostId, index) => {
          const capacityProviderName = providers[index];
          return {
            cluster,
            definition,
            hostId,
            launchType,
            group,
            tags,
            enableExecuteCommand: input.enableExecuteCommand ?? false,
            ...(capacityProviderName === undefined ? {} : { capacityProviderName }),
            ...(input.platformVersion === undefined ? {} : { platformVersion: input.platformVersion }),
            ...(input.startedBy === undefined ? {} : { startedBy: input.startedBy }),
            ...(input.overrides === undefined ? {} : { overrides: input.overrides }),
            ...(input.networkConfiguration === undefined ? {} : { networkConfiguration: input.networkConfiguration }),
          };
        }),
        token,
      );
      if (made === undefined)
        return (token === undefined ? undefined : await answerOf(cluster, token)) ?? { tasks: [], failures: [] };
      return {
        tasks: await describe(cluster, made),
        failures: failuresOf(cluster, launchType, placement.failure, count - made.length),
      };
    },

    async StartTask(caller, input) {
      const cluster = await getCluster(meta.read, caller, input.cluster);
      if (input.containerInstances.length < 1 || input.containerInstances.length > 10)
        throw invalidParameter('containerInstances must have between 1 and 10 items.');
      checkCommon(input);
      const definition = await getUsableTaskDefinition(meta.read, caller, input.taskDefinition);
      check(definition, input, 'EC2', undefined);
      const known = new Set((await context.runtime.hosts()).map(({ id }) => id));
      const needs = taskNeeds(definition, input.overrides ?? {});
      const tags = await tagsFor(context, cluster, definition, input);
      const failures: Failure[] = [];
      const list: NewTask[] = [];
      for (const named of input.containerInstances) {
        const hostId = nameIn(cluster, 'container-instance', named);
        if (hostId === undefined || !known.has(hostId)) {
          failures.push({
            arn: named.startsWith('arn:') ? named : containerInstanceArn(cluster, cluster.name, named),
            reason: 'MISSING',
          });
          continue;
        }
        const placement = await placeTasks(context, {
          cluster,
          count: 1,
          launchType: 'EC2',
          ...needs,
          hostPorts: fixedHostPorts(definition.document),
          hosts: [hostId],
        });
        if (placement.hosts.length === 0) {
          const reason = placement.failure?.hostId === undefined ? 'INACTIVE' : placement.failure.reason;
          failures.push({ arn: containerInstanceArn(cluster, cluster.name, hostId), reason });
          continue;
        }
        list.push({
          cluster,
          definition,
          hostId,
          launchType: 'EC2',
          tags,
          enableExecuteCommand: input.enableExecuteCommand ?? false,
          ...(input.group === undefined ? {} : { group: input.group }),
          ...(input.startedBy === undefined ? {} : { startedBy: input.startedBy }),
          ...(input.overrides === undefined ? {} : { overrides: input.overrides }),
          ...(input.networkConfiguration === undefined ? {} : { networkConfiguration: input.networkConfiguration }),
        });
      }
      return { tasks: await describe(cluster, (await make(list)) ?? []), failures };
    },
  };
}

function check(
  { document }: TaskDefinitionRecord,
  input: Given<Pick<RunTaskRequest, 'overrides' | 'networkConfiguration' | 'volumeConfigurations'>>,
  launchType: string,
  platformVersion: string | undefined,
): void {
  checkRunnable(document, {
    launchType,
    ...(input.networkConfiguration === undefined ? {} : { networkConfiguration: input.networkConfiguration }),
  });
  checkOverrides(document, input.overrides);
  checkPlatformVersion(launchType, platformVersion);
}

function checkCommon(
  input: Given<Pick<RunTaskRequest, 'startedBy' | 'group' | 'propagateTags' | 'enableExecuteCommand' | 'volumeConfigurations'>>,
): void {
  if ((input.startedBy ?? '').length > 128) throw invalidParameter('startedBy can have at most 128 characters.');
  if ((input.group ?? '').length > 255) throw invalidParameter('group can have at most 255 characters.');
  if (input.group?.startsWith('service:') === true)
    throw invalidParameter("Invalid namespace for group. Groups that begin with 'service:' are those of services.");
  if (input.propagateTags === 'SERVICE')
    throw invalidParameter('Tags of a service can be propagated to tasks of a service only.');
  if (input.enableExecuteCommand === true)
    throw unsupported(
      'ExecuteCommand is not there. Leave enableExecuteCommand out, and look into a container with the engine of the host.',
    );
  if ((input.volumeConfigurations ?? []).length > 0)
    throw unsupported('There is no EBS here. Leave volumeConfigurations out, and use host.sourcePath or a docker volume.');
}

function readToken(cluster: Cluster, input: { clientToken?: string }): Omit<UsedToken, 'resources'> | undefined {
  const { clientToken: token } = input;
  if (token === undefined) return undefined;
  if (!/^[\x21-\x7e]{1,64}$/.test(token)) throw invalidParameter('A client token has up to 64 printable ASCII characters.');
  return { clusterId: cluster.id, operation: 'RunTask', token, fingerprint: fingerprintOf(input) };
}

/** True for distinctInstance. Raises `ecs` for what cannot be kept. */
export function checkConstraints(constraints: Given<RunTaskRequest>['placementConstraints']): boolean {
  if ((constraints ?? []).length > 10) throw invalidParameter('placementConstraints can have at most 10 items.');
  for (const { type } of constraints ?? []) {
    if (type === undefined) throw invalidParameter('A placement constraint needs a type.');
    if (type === 'memberOf')
      throw unsupported(
        'Placement constraints of type memberOf are not supported: the hosts of this server are all alike. Leave them out.',
      );
  }
  return (constraints ?? []).some(({ type }) => type === 'distinctInstance');
}

function failuresOf(
  cluster: Cluster,
  launchType: string,
  failure: { reason: string; hostId?: string } | undefined,
  count: number,
): Failure[] {
  if (failure === undefined || count <= 0) return [];
  const one: Failure =
    failure.hostId === undefined
      ? {
          reason: launchType === 'FARGATE' ? NO_CAPACITY : failure.reason,
          detail: 'This server has no host that runs containers: see HOLDFAST_RUNTIME.',
        }
      : { arn: containerInstanceArn(cluster, cluster.name, failure.hostId), reason: failure.reason };
  return Array.from({ length: count }, () => one);
}

/** A task's own tags: what the request says, what its definition passes on, and ECS's own. */
async function tagsFor(
  { meta }: OrchestratorContext,
  cluster: Cluster,
  definition: TaskDefinitionRecord,
  input: Given<Pick<RunTaskRequest, 'tags' | 'propagateTags' | 'enableECSManagedTags'>>,
): Promise<Record<string, string>> {
  const own = readTags(input.tags);
  const passedOn =
    input.propagateTags === 'TASK_DEFINITION' ? (await tagsOf(meta.read, [definition.arn])).get(definition.arn) : {};
  const managed: Record<string, string> = input.enableECSManagedTags === true ? { 'aws:ecs:clusterName': cluster.name } : {};
  const tags = { ...passedOn, ...own, ...managed };
  if (Object.keys(tags).length > 50)
    throw clientException('A task can have at most 50 tags, those that are passed on among them.');
  return tags;
}
