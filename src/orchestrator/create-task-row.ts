import type { Digest } from '../core/digest.ts';
import { containerArn, taskArn } from './arn.ts';
import { readCpu, readMemory } from './build-task-spec.ts';
import type { Cluster } from './cluster-rows.ts';
import type { OrchestratorContext, OrchestratorTransaction } from './context.ts';
import { fixedHostPorts } from './place-tasks.ts';
import { putTags } from './resource-tags.ts';
import type { TaskDefinitionRecord } from './task-definition-rows.ts';
import { randomTaskId } from './task-ids.ts';
import { pinImage, writtenDigest } from './task-image.ts';
import { toTask, type TaskDocument, type TaskRow } from './task-rows.ts';

/** A task to be made; everything that it is of has been looked up and checked. */
export interface NewTask {
  cluster: Cluster;
  definition: TaskDefinitionRecord;
  /** The host that `placeTasks` chose. */
  hostId?: string;
  launchType: string;
  capacityProviderName?: string;
  platformVersion?: string;
  /** `family:<family>` when absent. */
  group?: string;
  startedBy?: string;
  service?: { id: number; name: string; revisionId?: string; taskSetId?: string };
  overrides?: TaskDocument['overrides'];
  networkConfiguration?: TaskDocument['networkConfiguration'];
  enableExecuteCommand?: boolean;
  /** Digests that are known beforehand, by container; the others start by what their definition says. */
  digests?: ReadonlyMap<string, Digest>;
  tags?: Record<string, string>;
}

/** Writes a task that is to run. Part of the caller's transaction. */
export async function createTaskRow(
  { clock, ids }: Pick<OrchestratorContext, 'clock' | 'ids'>,
  transaction: OrchestratorTransaction,
  task: NewTask,
): Promise<TaskRow> {
  const { cluster, definition } = task;
  const id = randomTaskId(ids);
  const { document } = definition;
  const overrides = task.overrides ?? {};
  const isAwsvpc = document.networkMode === 'awsvpc';
  const decided: TaskDocument = {
    clusterName: cluster.name,
    containers: document.containerDefinitions.map(({ name, image }) => {
      const digest = writtenDigest(image) ?? task.digests?.get(name);
      return {
        name,
        arn: containerArn(cluster, cluster.name, id, ids.uuid()),
        written: image,
        reference: digest === undefined || writtenDigest(image) !== undefined ? image : pinImage(image, digest),
        ...(digest === undefined ? {} : { digest }),
      };
    }),
    overrides,
    enableExecuteCommand: task.enableExecuteCommand ?? false,
    ...(task.service === undefined ? {} : { serviceName: task.service.name }),
    ...(task.networkConfiguration === undefined ? {} : { networkConfiguration: task.networkConfiguration }),
    ...(isAwsvpc ? { attachmentId: ids.uuid() } : {}),
    ...(task.capacityProviderName === undefined ? {} : { capacityProviderName: task.capacityProviderName }),
    ...(task.launchType === 'FARGATE'
      ? {
          platformVersion:
            task.platformVersion === undefined || task.platformVersion === 'LATEST' ? '1.4.0' : task.platformVersion,
          platformFamily: 'Linux',
        }
      : {}),
  };
  const needs = taskNeeds(definition, overrides);
  const row = await transaction
    .insertInto('task')
    .values({
      id,
      cluster_id: cluster.id,
      task_definition_id: definition.id,
      family: definition.family,
      service_id: task.service?.id ?? null,
      revision_id: task.service?.revisionId ?? null,
      task_set_id: task.service?.taskSetId ?? null,
      host_id: task.hostId ?? null,
      launch_type: task.launchType,
      group_name: task.group ?? `family:${definition.family}`,
      started_by: task.startedBy ?? null,
      desired_status: 'RUNNING',
      last_status: isAwsvpc ? 'PROVISIONING' : 'PENDING',
      health: 'UNKNOWN',
      version: 1,
      created_at: clock.now(),
      cpu: needs.cpu,
      memory: needs.memory,
      host_ports: JSON.stringify(fixedHostPorts(document)),
      document: JSON.stringify(decided),
      sight: JSON.stringify({ containers: [] }),
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  await putTags(transaction, taskArn(cluster, cluster.name, id), task.tags ?? {});
  return toTask(row);
}

/** CPU units and MiB that a task takes of its host: its own size, else the sum of its containers'. */
export function taskNeeds(
  { document }: Pick<TaskDefinitionRecord, 'document'>,
  overrides: TaskDocument['overrides'],
): { cpu: number; memory: number } {
  const containers = document.containerDefinitions.map((container) => ({
    ...container,
    ...overrides.containerOverrides?.find(({ name }) => name === container.name),
  }));
  return {
    cpu: readCpu(overrides.cpu ?? document.cpu) ?? containers.reduce((sum, { cpu }) => sum + (cpu ?? 0), 0),
    memory:
      readMemory(overrides.memory ?? document.memory) ??
      containers.reduce((sum, { memory, memoryReservation }) => sum + (memoryReservation ?? memory ?? 0), 0),
  };
}
