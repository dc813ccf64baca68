import type { Cluster } from './cluster-rows.ts';
import type { ContainerSpec, ImageToRun, TaskSpec, VolumeSpec } from './ports.ts';
import type { ContainerDefinition, TaskDefinitionRecord } from './task-definition-rows.ts';
import type { TaskContainer, TaskRow } from './task-rows.ts';
import { taskArn } from './arn.ts';

const SECOND = 1000;
const STOP_TIMEOUT_S = 30;
const HEALTH_CHECK = { interval: 30, timeout: 5, retries: 3, startPeriod: 0 };
const RESTART_PERIOD_S = 300;

/** What was found for the names that its definition has, by container. */
export interface SecretsOfTask {
  credentials: ReadonlyMap<string, NonNullable<ImageToRun['credentials']>>;
  secrets: ReadonlyMap<string, Record<string, string>>;
}

/** What a task is to be, with nothing left open: its definition, what the task overrides, and the images that were decided. Pure. */
export function buildTaskSpec(
  task: TaskRow,
  cluster: Cluster,
  definition: TaskDefinitionRecord,
  tags: Record<string, string>,
  known: SecretsOfTask = { credentials: new Map(), secrets: new Map() },
): TaskSpec {
  const { document } = definition;
  const { overrides } = task.document;
  const cpu = readCpu(overrides.cpu ?? document.cpu);
  const memory = readMemory(overrides.memory ?? document.memory);
  return {
    id: task.id,
    arn: taskArn(cluster, cluster.name, task.id),
    clusterArn: cluster.arn,
    clusterName: cluster.name,
    accountId: cluster.account,
    region: cluster.region,
    family: definition.family,
    revision: definition.revision,
    taskDefinitionArn: definition.arn,
    group: task.group,
    ...(task.document.serviceName === undefined ? {} : { serviceName: task.document.serviceName }),
    launchType: task.launchType,
    networkMode: document.networkMode ?? 'bridge',
    ...(document.pidMode === undefined ? {} : { pidMode: document.pidMode }),
    ...(document.ipcMode === undefined ? {} : { ipcMode: document.ipcMode }),
    ...(cpu === undefined ? {} : { cpu }),
    ...(memory === undefined ? {} : { memory }),
    containers: document.containerDefinitions.map((container) => {
      const decided = task.document.containers.find(({ name }) => name === container.name);
      if (decided === undefined) throw new Error(`the task ${task.id} has no container ${container.name}`);
      return buildContainer(container, decided, overrides, known);
    }),
    volumes: (document.volumes ?? []).map((volume): VolumeSpec => {
      const name = volume.name ?? '';
      if (volume.host?.sourcePath) return { name, hostPath: volume.host.sourcePath };
      return volume.dockerVolumeConfiguration?.scope === 'shared' ? { name, shared: { name } } : { name };
    }),
    tags,
  };
}

function buildContainer(
  container: ContainerDefinition,
  decided: TaskContainer,
  overrides: TaskRow['document']['overrides'],
  { credentials, secrets }: SecretsOfTask,
): ContainerSpec {
  const override = overrides.containerOverrides?.find(({ name }) => name === container.name) ?? {};
  const limits = { ...container, ...pick(override, ['cpu', 'memory', 'memoryReservation']) };
  const linux = container.linuxParameters ?? {};
  const check = container.healthCheck;
  const login = credentials.get(decided.name);
  const secret = secrets.get(decided.name);
  const environment: Record<string, string> = {};
  for (const { name, value } of [...(container.environment ?? []), ...(override.environment ?? [])]) {
    if (name !== undefined) environment[name] = value ?? '';
  }
  return {
    name: container.name,
    arn: decided.arn,
    image: {
      written: decided.written,
      reference: decided.reference,
      ...(decided.digest === undefined ? {} : { digest: decided.digest }),
      ...(login === undefined ? {} : { credentials: login }),
    },
    essential: container.essential ?? true,
    ...(isFilled(container.entryPoint) ? { entryPoint: container.entryPoint } : {}),
    ...(isFilled(override.command)
      ? { command: override.command }
      : isFilled(container.command)
        ? { command: container.command }
        : {}),
    environment,
    ...(secret === undefined ? {} : { secrets: secret }),
    ...pick(container, ['workingDirectory', 'user', 'hostname']),
    // 0 CPU units and no memory are what ECS shows for a container that sets none.
    ...(limits.cpu ? { cpu: limits.cpu } : {}),
    ...(limits.memory ? { memory: limits.memory } : {}),
    ...(limits.memoryReservation ? { memoryReservation: limits.memoryReservation } : {}),
    portMappings: (container.portMappings ?? []).flatMap(({ containerPort, hostPort, protocol, name }) =>
      containerPort === undefined
        ? []
        : [
            {
              containerPort,
              ...(hostPort ? { hostPort } : {}),
              protocol: protocol ?? 'tcp',
              ...(name === undefined ? {} : { name }),
            },
          ],
    ),
    mountPoints: (container.mountPoints ?? []).map(({ sourceVolume = '', containerPath = '', readOnly = false }) => ({
      sourceVolume,
      containerPath,
      readOnly,
    })),
    volumesFrom: (container.volumesFrom ?? []).map(({ sourceContainer = '', readOnly = false }) => ({
      sourceContainer,
      readOnly,
    })),
    links: container.links ?? [],
    dependsOn: container.dependsOn ?? [],
    ...(container.startTimeout === undefined ? {} : { startTimeout: container.startTimeout * SECOND }),
    stopTimeout: (container.stopTimeout ?? STOP_TIMEOUT_S) * SECOND,
    ...(check === undefined
      ? {}
      : {
          healthCheck: {
            command: check.command,
            interval: (check.interval ?? HEALTH_CHECK.interval) * SECOND,
            timeout: (check.timeout ?? HEALTH_CHECK.timeout) * SECOND,
            retries: check.retries ?? HEALTH_CHECK.retries,
            startPeriod: (check.startPeriod ?? HEALTH_CHECK.startPeriod) * SECOND,
          },
        }),
    ...(container.restartPolicy?.enabled === true
      ? {
          restartPolicy: {
            ignoredExitCodes: container.restartPolicy.ignoredExitCodes ?? [],
            restartAttemptPeriod: (container.restartPolicy.restartAttemptPeriod ?? RESTART_PERIOD_S) * SECOND,
          },
        }
      : {}),
    readonlyRootFilesystem: container.readonlyRootFilesystem ?? false,
    privileged: container.privileged ?? false,
    initProcessEnabled: linux.initProcessEnabled ?? false,
    capabilities: { add: linux.capabilities?.add ?? [], drop: linux.capabilities?.drop ?? [] },
    devices: (linux.devices ?? []).map(({ hostPath, containerPath, permissions }) => ({
      hostPath,
      containerPath: containerPath ?? hostPath,
      permissions: permissions ?? ['read', 'write', 'mknod'],
    })),
    tmpfs: (linux.tmpfs ?? []).map(({ containerPath, size, mountOptions }) => ({
      containerPath,
      size,
      mountOptions: mountOptions ?? [],
    })),
    ...(linux.sharedMemorySize === undefined ? {} : { sharedMemorySize: linux.sharedMemorySize }),
    ulimits: (container.ulimits ?? []).map(({ name, softLimit, hardLimit }) => ({ name, softLimit, hardLimit })),
    systemControls: Object.fromEntries(
      (container.systemControls ?? []).flatMap(({ namespace, value }) =>
        namespace === undefined || value === undefined ? [] : [[namespace, value]],
      ),
    ),
    dnsServers: container.dnsServers ?? [],
    dnsSearchDomains: container.dnsSearchDomains ?? [],
    extraHosts: container.extraHosts ?? [],
    disableNetworking: container.disableNetworking ?? false,
    interactive: container.interactive ?? false,
    pseudoTerminal: container.pseudoTerminal ?? false,
    dockerLabels: container.dockerLabels ?? {},
  };
}

/** `256`, `.25 vCPU`: CPU units; undefined for none, and for what is neither. */
export function readCpu(text: string | undefined): number | undefined {
  const [, number = '', unit] = /^([0-9]*\.?[0-9]+)\s*(vcpu)?$/i.exec(text?.trim() ?? '') ?? [];
  const value = Number(number) * (unit === undefined ? 1 : 1024);
  return number !== '' && Number.isInteger(value) ? value : undefined;
}

/** `512`, `0.5 GB`: MiB; undefined for none, and for what is neither. */
export function readMemory(text: string | undefined): number | undefined {
  const [, number = '', unit] = /^([0-9]*\.?[0-9]+)\s*(gb)?$/i.exec(text?.trim() ?? '') ?? [];
  const value = Number(number) * (unit === undefined ? 1 : 1024);
  return number !== '' && Number.isInteger(value) ? value : undefined;
}

function isFilled(list: string[] | undefined): list is string[] {
  return list !== undefined && list.length > 0;
}

/** The members that are set. */
function pick<T extends object, K extends keyof T>(from: T, names: K[]): { [N in K]?: Exclude<T[N], undefined> } {
  return Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]])) as {
    [N in K]?: Exclude<T[N], undefined>;
  };
}
