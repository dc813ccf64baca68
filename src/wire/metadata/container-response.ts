import type { ContainerState } from '../../orchestrator/supervise/task-state.ts';
import type { ContainerView } from '../../orchestrator/supervise/supervisor.ts';
import { containerState } from '../../orchestrator/supervise/task-state.ts';

/** The document of a container, in the shape of task metadata endpoint version 4. What is not known is left out. */
export function containerResponse({ spec, state }: ContainerView, name: string): Record<string, unknown> {
  const container = containerState(state, name);
  const own = spec.containers.find((one) => one.name === name);
  if (own === undefined) throw new Error(`the task has no container ${name}`);
  const isOver = container.phase === 'stopped';
  return withoutAbsent({
    DockerId: container.runtimeId ?? '',
    Name: name,
    DockerName: `holdfast-${spec.id}-${name}`,
    Image: own.image.written,
    // The manifest's digest, so that `repository@ImageID` names the image that runs.
    ImageID: container.digest ?? '',
    Ports: notEmpty(
      container.networkBindings.map(({ containerPort, protocol, hostPort, bindIp }) => ({
        ContainerPort: containerPort,
        Protocol: protocol,
        HostPort: hostPort,
        HostIp: bindIp,
      })),
    ),
    Labels: {
      ...own.dockerLabels,
      'com.amazonaws.ecs.cluster': clusterOf(spec),
      'com.amazonaws.ecs.container-name': name,
      'com.amazonaws.ecs.task-arn': spec.arn,
      'com.amazonaws.ecs.task-definition-family': spec.family,
      'com.amazonaws.ecs.task-definition-version': String(spec.revision),
    },
    DesiredStatus: state.stage === 'stopping' || isOver ? 'STOPPED' : 'RUNNING',
    KnownStatus: knownStatus(container),
    ExitCode: isOver ? container.exitCode : undefined,
    Limits: withoutAbsent({ CPU: own.cpu, Memory: own.memory }),
    CreatedAt: timeText(container.createdAt),
    StartedAt: timeText(container.startedAt),
    FinishedAt: isOver ? timeText(container.stoppedAt) : undefined,
    Type: 'NORMAL',
    Health:
      own.healthCheck === undefined
        ? undefined
        : withoutAbsent({
            status: container.health.status,
            statusSince: timeText(container.health.statusSince),
            exitCode: container.health.exitCode,
            output: container.health.output,
          }),
    Volumes: notEmpty(
      own.mountPoints.map(({ sourceVolume, containerPath }) => {
        const volume = spec.volumes.find((one) => one.name === sourceVolume);
        return withoutAbsent({ DockerName: sourceVolume, Source: volume?.hostPath, Destination: containerPath });
      }),
    ),
    LogDriver: 'json-file',
    ContainerARN: own.arn,
    Networks: networksOf({ spec, state }, container),
    Snapshotter: 'overlayfs',
    RestartCount: own.restartPolicy === undefined ? undefined : container.restartCount,
  });
}

/** Fargate tells the ARN, EC2 the short name. */
export function clusterOf({ launchType, clusterArn, clusterName }: ContainerView['spec']): string {
  return launchType === 'FARGATE' ? clusterArn : clusterName;
}

function networksOf({ spec, state }: Pick<ContainerView, 'spec' | 'state'>, { address }: ContainerState): unknown[] {
  const { networkInterface } = state;
  const addresses = networkInterface?.privateIpv4Address ?? address?.ipv4;
  const mac = networkInterface?.macAddress;
  return [
    withoutAbsent({
      NetworkMode: spec.networkMode,
      IPv4Addresses: addresses === undefined ? undefined : [addresses],
      MACAddress: mac === '' ? undefined : mac,
      AttachmentIndex: networkInterface === undefined ? undefined : 0,
    }),
  ];
}

/** The states of ECS's agent. */
export function knownStatus({ phase, runs }: ContainerState): string {
  if (phase === 'stopped') return 'STOPPED';
  if (runs > 0) return 'RUNNING';
  switch (phase) {
    case 'new':
    case 'resolving':
      return 'NONE';
    case 'resolved':
    case 'pulling':
      return 'MANIFEST_PULLED';
    case 'pulled':
    case 'creating':
      return 'PULLED';
    default:
      return 'CREATED';
  }
}

export function timeText(time: number | undefined): string | undefined {
  return time === undefined ? undefined : new Date(time).toISOString();
}

function notEmpty<T>(list: T[]): T[] | undefined {
  return list.length === 0 ? undefined : list;
}

export function withoutAbsent(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
