import { ContainerError } from '../../../core/container-error.ts';
import type { ContainerSpec, TaskSpec } from '../../../orchestrator/ports.ts';
import { containerName, ecsLabels, ownLabels, pauseName, volumeName } from './names.ts';

const MIB = 1024 * 1024;
const LOG_FILES = { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } };

/** Whether containers of the task share something that a container of its own must hold. */
export function needsPause(task: TaskSpec): boolean {
  return task.networkMode === 'awsvpc' || task.pidMode === 'task' || task.ipcMode === 'task';
}

/** What `POST /containers/create` is sent for a container. Raises `CannotCreateContainerError` for what Docker cannot say. */
export function createBody(
  task: TaskSpec,
  container: ContainerSpec,
  image: string,
  { installation, cpus }: { installation: string; cpus: number },
): Record<string, unknown> {
  const network = networkOf(task, container);
  const isShared = network.startsWith('container:');
  const ports = network === 'bridge' ? container.portMappings : [];
  return {
    Image: image,
    ...(container.entryPoint === undefined ? {} : { Entrypoint: container.entryPoint }),
    ...(container.command === undefined ? {} : { Cmd: container.command }),
    Env: Object.entries(container.environment).map(([name, value]) => `${name}=${value}`),
    ...(container.workingDirectory === undefined ? {} : { WorkingDir: container.workingDirectory }),
    ...(container.user === undefined ? {} : { User: container.user }),
    // A shared namespace has the name of the container that holds it.
    ...(container.hostname === undefined || isShared || network === 'host' ? {} : { Hostname: container.hostname }),
    OpenStdin: container.interactive,
    Tty: container.pseudoTerminal,
    // Its own labels come first: nobody takes the place of ours.
    Labels: { ...container.dockerLabels, ...ecsLabels(task, container), ...ownLabels(installation, task.id, container.name) },
    // ECS takes no notice of an image's own HEALTHCHECK.
    Healthcheck: { Test: ['NONE'] },
    ExposedPorts: Object.fromEntries(ports.map(({ containerPort, protocol }) => [`${containerPort}/${protocol}`, {}])),
    HostConfig: {
      NetworkMode: network,
      ...(task.pidMode === undefined ? {} : { PidMode: task.pidMode === 'host' ? 'host' : `container:${pauseName(task.id)}` }),
      ...(task.ipcMode === undefined
        ? {}
        : { IpcMode: task.ipcMode === 'task' ? `container:${pauseName(task.id)}` : task.ipcMode }),
      PortBindings: portBindings(ports),
      ...resources(task, container, cpus),
      Binds: bindsOf(task, container),
      VolumesFrom: container.volumesFrom.map(
        ({ sourceContainer, readOnly }) =>
          `${containerName({ taskId: task.id, name: sourceContainer })}:${readOnly ? 'ro' : 'rw'}`,
      ),
      Links: network === 'bridge' ? container.links.map((link) => linkOf(task, link)) : [],
      ...(isShared ? {} : namesOf([container])),
      ReadonlyRootfs: container.readonlyRootFilesystem,
      Privileged: container.privileged,
      Init: container.initProcessEnabled,
      CapAdd: container.capabilities.add,
      CapDrop: container.capabilities.drop,
      Devices: container.devices.map(({ hostPath, containerPath, permissions }) => ({
        PathOnHost: hostPath,
        PathInContainer: containerPath,
        CgroupPermissions: permissions.length === 0 ? 'rwm' : permissions.map((one) => one[0]).join(''),
      })),
      Tmpfs: Object.fromEntries(
        container.tmpfs.map(({ containerPath, size, mountOptions }) => [
          containerPath,
          [...mountOptions, `size=${size}m`].join(','),
        ]),
      ),
      Ulimits: container.ulimits.map(({ name, softLimit, hardLimit }) => ({ Name: name, Soft: softLimit, Hard: hardLimit })),
      Sysctls: Object.fromEntries(
        Object.entries(container.systemControls).filter(([name]) => !isShared || !name.startsWith('net.')),
      ),
      LogConfig: LOG_FILES,
      RestartPolicy: { Name: 'no' },
    },
  };
}

/** The container that holds what the task shares. It has what Docker lets only the holder of a network have. */
export function pauseBody(task: TaskSpec, image: string, installation: string): Record<string, unknown> {
  const controls = task.containers.flatMap(({ systemControls }) => Object.entries(systemControls));
  const hostname = task.containers.find((container) => container.hostname !== undefined)?.hostname;
  const network = task.networkMode === 'awsvpc' ? 'bridge' : 'none';
  return {
    Image: image,
    Cmd: ['/pause'],
    ...(hostname === undefined || network === 'none' ? {} : { Hostname: hostname }),
    Labels: ownLabels(installation, task.id),
    HostConfig: {
      NetworkMode: network,
      ...(task.ipcMode === 'task' ? { IpcMode: 'shareable' } : {}),
      ...(network === 'none' ? {} : namesOf(task.containers)),
      Sysctls: Object.fromEntries(network === 'none' ? [] : controls.filter(([name]) => name.startsWith('net.'))),
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      LogConfig: { Type: 'none' },
      RestartPolicy: { Name: 'no' },
    },
  };
}

function networkOf(task: TaskSpec, container: ContainerSpec): string {
  if (container.disableNetworking) return 'none';
  return task.networkMode === 'awsvpc' ? `container:${pauseName(task.id)}` : task.networkMode;
}

function portBindings(ports: ContainerSpec['portMappings']): Record<string, { HostPort: string }[]> {
  const bindings: Record<string, { HostPort: string }[]> = {};
  for (const { containerPort, hostPort, protocol } of ports) {
    const key = `${containerPort}/${protocol}`;
    // Without a port of the host, Docker takes a free one.
    (bindings[key] ??= []).push({ HostPort: hostPort === undefined || hostPort === 0 ? '' : String(hostPort) });
  }
  return bindings;
}

function resources(task: TaskSpec, { cpu, memory, memoryReservation, sharedMemorySize }: ContainerSpec, cpus: number): object {
  // The task's own limit holds for each of its containers: Docker has no group of containers to set it on.
  const limit = memory ?? task.memory;
  return {
    // Linux knows no fewer than two shares; none asked for is as few as can be (ECS, `cpu`).
    CpuShares: Math.max(2, cpu ?? 0),
    ...(task.cpu === undefined ? {} : { NanoCpus: Math.min(cpus, task.cpu / 1024) * 1e9 }),
    ...(limit === undefined ? {} : { Memory: limit * MIB }),
    ...(memoryReservation === undefined ? {} : { MemoryReservation: memoryReservation * MIB }),
    ...(sharedMemorySize === undefined ? {} : { ShmSize: sharedMemorySize * MIB }),
  };
}

function bindsOf(task: TaskSpec, container: ContainerSpec): string[] {
  return container.mountPoints.map(({ sourceVolume, containerPath, readOnly }) => {
    const volume = task.volumes.find(({ name }) => name === sourceVolume);
    if (volume === undefined)
      throw new ContainerError(
        'CannotCreateContainerError',
        `container ${container.name} mounts ${sourceVolume}, which is no volume of the task`,
      );
    const source = volume.hostPath ?? volume.shared?.name ?? volumeName(task.id, volume.name);
    if (source.includes(':') || containerPath.includes(':'))
      throw new ContainerError(
        'CannotCreateContainerError',
        `Docker cannot mount a path with a colon: ${source} at ${containerPath}`,
      );
    return `${source}:${containerPath}${readOnly ? ':ro' : ''}`;
  });
}

function linkOf(task: TaskSpec, link: string): string {
  const [name = link, alias = name] = link.split(':');
  return `${containerName({ taskId: task.id, name })}:${alias}`;
}

function namesOf(containers: ContainerSpec[]): object {
  return {
    Dns: [...new Set(containers.flatMap(({ dnsServers }) => dnsServers))],
    DnsSearch: [...new Set(containers.flatMap(({ dnsSearchDomains }) => dnsSearchDomains))],
    ExtraHosts: [
      ...new Set(containers.flatMap(({ extraHosts }) => extraHosts.map(({ hostname, ipAddress }) => `${hostname}:${ipAddress}`))),
    ],
  };
}
