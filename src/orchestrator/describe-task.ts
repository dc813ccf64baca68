import type { Attachment, Container, ContainerOverride, KeyValuePair, Task, TaskOverride } from '@aws-sdk/client-ecs';
import { containerInstanceArn, taskArn, taskDefinitionArn } from './arn.ts';
import type { Cluster } from './cluster-rows.ts';
import type { OrchestratorSettings } from './context.ts';
import type { RuntimeHost } from './ports.ts';
import { writeTags } from './resource-tags.ts';
import type { TaskDefinitionRecord } from './task-definition-rows.ts';
import type { TaskContainer, TaskRow } from './task-rows.ts';

const FARGATE_DISK_GIB = 20;

/** A task as the ECS API shows it. What is not there is left out. Pure. */
export function describeTask(
  task: TaskRow,
  cluster: Cluster,
  definition: TaskDefinitionRecord,
  options: {
    settings: Pick<OrchestratorSettings, 'taskImage'>;
    host?: RuntimeHost;
    tags?: Record<string, string>;
  },
): Task {
  const { document, sight } = task;
  const isFargate = task.launchType === 'FARGATE';
  const architecture = options.host?.attributes['ecs.cpu-architecture'];
  const disk = document.overrides.ephemeralStorage ?? definition.document.ephemeralStorage ?? { sizeInGiB: FARGATE_DISK_GIB };
  const isConnected = sight.containers.length > 0;
  return {
    taskArn: taskArn(cluster, cluster.name, task.id),
    clusterArn: cluster.arn,
    taskDefinitionArn: taskDefinitionArn(cluster, definition.family, definition.revision),
    group: task.group,
    version: task.version,
    lastStatus: task.lastStatus,
    desiredStatus: task.desiredStatus,
    healthStatus: task.health,
    cpu: String(task.cpu),
    memory: String(task.memory),
    availabilityZone: `${cluster.region}a`,
    enableExecuteCommand: document.enableExecuteCommand,
    attachments: document.attachmentId === undefined ? [] : [describeInterface(task, document.attachmentId)],
    attributes: architecture === undefined ? [] : [{ name: 'ecs.cpu-architecture', value: architecture }],
    containers: document.containers.map((container) => describeContainer(task, container, cluster, definition, options.settings)),
    overrides: describeOverrides(task),
    inferenceAccelerators: [],
    tags: writeTags(options.tags),
    launchType: task.launchType as NonNullable<Task['launchType']>,
    createdAt: new Date(task.createdAt),
    ...(isFargate || task.hostId === undefined
      ? {}
      : { containerInstanceArn: containerInstanceArn(cluster, cluster.name, task.hostId) }),
    ...(isFargate ? { ephemeralStorage: disk, fargateEphemeralStorage: { sizeInGiB: disk.sizeInGiB } } : {}),
    ...(isConnected
      ? { connectivity: 'CONNECTED' as const, connectivityAt: new Date(task.pullStartedAt ?? task.createdAt) }
      : {}),
    ...(document.capacityProviderName === undefined ? {} : { capacityProviderName: document.capacityProviderName }),
    ...(document.platformVersion === undefined ? {} : { platformVersion: document.platformVersion }),
    ...(document.platformFamily === undefined ? {} : { platformFamily: document.platformFamily }),
    ...(task.startedBy === undefined ? {} : { startedBy: task.startedBy }),
    ...(task.stopCode === undefined ? {} : { stopCode: task.stopCode }),
    ...(task.stoppedReason === undefined ? {} : { stoppedReason: task.stoppedReason }),
    ...times(task),
  };
}

const TIMES = ['pullStartedAt', 'pullStoppedAt', 'startedAt', 'stoppingAt', 'executionStoppedAt', 'stoppedAt'] as const;

function times(task: TaskRow): Partial<Record<(typeof TIMES)[number], Date>> {
  const entries = TIMES.flatMap((name) => {
    const at = task[name];
    return at === undefined ? [] : [[name, new Date(at)] as const];
  });
  return Object.fromEntries(entries);
}

function describeContainer(
  task: TaskRow,
  container: TaskContainer,
  cluster: Cluster,
  definition: TaskDefinitionRecord,
  { taskImage }: Pick<OrchestratorSettings, 'taskImage'>,
): Container {
  const seen = task.sight.containers.find(({ name }) => name === container.name);
  const defined = definition.document.containerDefinitions.find(({ name }) => name === container.name);
  const override = task.document.overrides.containerOverrides?.find(({ name }) => name === container.name);
  const memory = override?.memory ?? defined?.memory;
  const reservation = override?.memoryReservation ?? defined?.memoryReservation;
  const digest = seen?.imageDigest ?? container.digest;
  const address = task.sight.networkInterface?.privateIpv4Address;
  return {
    containerArn: container.arn,
    taskArn: taskArn(cluster, cluster.name, task.id),
    name: container.name,
    image: taskImage === 'declared' ? container.written : container.reference,
    lastStatus: seen?.status ?? (task.lastStatus === 'STOPPED' ? 'STOPPED' : 'PENDING'),
    healthStatus: seen?.health ?? 'UNKNOWN',
    cpu: String(override?.cpu ?? defined?.cpu ?? 0),
    networkBindings: (seen?.networkBindings ?? []).map(({ bindIp, ...binding }) => ({ bindIP: bindIp, ...binding })),
    networkInterfaces:
      task.document.attachmentId === undefined || address === undefined
        ? []
        : [{ attachmentId: task.document.attachmentId, privateIpv4Address: address }],
    ...(digest === undefined ? {} : { imageDigest: digest }),
    ...(seen?.runtimeId === undefined ? {} : { runtimeId: seen.runtimeId }),
    ...(seen?.exitCode === undefined ? {} : { exitCode: seen.exitCode }),
    ...(seen?.reason === undefined ? {} : { reason: seen.reason }),
    ...(memory === undefined ? {} : { memory: String(memory) }),
    ...(reservation === undefined ? {} : { memoryReservation: String(reservation) }),
  };
}

/** Every container is named, also one that nothing is overridden of. */
function describeOverrides(task: TaskRow): TaskOverride {
  const { containerOverrides = [], ...rest } = task.document.overrides;
  const all = task.document.containers.map(
    ({ name }) => containerOverrides.find((override) => override.name === name) ?? { name },
  );
  return { ...rest, containerOverrides: all as ContainerOverride[], inferenceAcceleratorOverrides: [] };
}

function describeInterface(task: TaskRow, id: string): Attachment {
  const seen = task.sight.networkInterface;
  const subnet = task.document.networkConfiguration?.awsvpcConfiguration?.subnets[0] ?? '';
  const address = seen?.privateIpv4Address;
  const details: KeyValuePair[] = [
    { name: 'subnetId', value: subnet },
    ...(seen === undefined || address === undefined
      ? []
      : [
          { name: 'networkInterfaceId', value: `eni-${id.replaceAll('-', '').slice(0, 17)}` },
          { name: 'macAddress', value: seen.macAddress },
          { name: 'privateDnsName', value: `ip-${address.replaceAll('.', '-')}.ec2.internal` },
          { name: 'privateIPv4Address', value: address },
        ]),
  ];
  const status =
    task.lastStatus === 'STOPPED' ? 'DELETED' : seen === undefined && task.startedAt === undefined ? 'PRECREATED' : 'ATTACHED';
  return { id, type: 'ElasticNetworkInterface', status, details };
}
