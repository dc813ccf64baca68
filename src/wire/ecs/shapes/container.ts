import type {
  ContainerDefinition,
  ContainerDependency,
  ContainerRestartPolicy,
  Device,
  EnvironmentFile,
  FirelensConfiguration,
  HealthCheck,
  HostEntry,
  KernelCapabilities,
  LinuxParameters,
  LogConfiguration,
  MountPoint,
  PortMapping,
  RepositoryCredentials,
  ResourceRequirement,
  Secret,
  SystemControl,
  Tmpfs,
  Ulimit,
  VolumeFrom,
} from '@aws-sdk/client-ecs';
import type { StructureShape } from '../../aws/shape.ts';
import { FLAG, list, PRESENCE, TEXT, TEXT_MAP, WHOLE } from './basic.ts';
import {
  APPLICATION_PROTOCOL,
  CONTAINER_CONDITION,
  DEVICE_CGROUP_PERMISSION,
  ENVIRONMENT_FILE_TYPE,
  FIRELENS_CONFIGURATION_TYPE,
  LOG_DRIVER,
  RESOURCE_TYPE,
  TRANSPORT_PROTOCOL,
  ULIMIT_NAME,
  VERSION_CONSISTENCY,
} from './enums.ts';
import { KEY_VALUE_PAIR } from './tag.ts';

export const REPOSITORY_CREDENTIALS: StructureShape<RepositoryCredentials> = {
  type: 'structure',
  members: {
    credentialsParameter: { ...TEXT, required: true },
  },
};

export const PORT_MAPPING: StructureShape<PortMapping> = {
  type: 'structure',
  members: {
    containerPort: WHOLE,
    hostPort: WHOLE,
    protocol: TRANSPORT_PROTOCOL,
    name: TEXT,
    appProtocol: APPLICATION_PROTOCOL,
    containerPortRange: TEXT,
  },
};

export const CONTAINER_RESTART_POLICY: StructureShape<ContainerRestartPolicy> = {
  type: 'structure',
  members: {
    enabled: { ...FLAG, required: true },
    ignoredExitCodes: list(WHOLE),
    restartAttemptPeriod: WHOLE,
  },
};

export const ENVIRONMENT_FILE: StructureShape<EnvironmentFile> = {
  type: 'structure',
  members: {
    value: { ...TEXT, required: true },
    type: { ...ENVIRONMENT_FILE_TYPE, required: true },
  },
};

export const MOUNT_POINT: StructureShape<MountPoint> = {
  type: 'structure',
  members: {
    sourceVolume: TEXT,
    containerPath: TEXT,
    readOnly: FLAG,
  },
};

export const VOLUME_FROM: StructureShape<VolumeFrom> = {
  type: 'structure',
  members: {
    sourceContainer: TEXT,
    readOnly: FLAG,
  },
};

export const KERNEL_CAPABILITIES: StructureShape<KernelCapabilities> = {
  type: 'structure',
  members: {
    add: list(TEXT),
    drop: list(TEXT),
  },
};

export const DEVICE: StructureShape<Device> = {
  type: 'structure',
  members: {
    hostPath: { ...TEXT, required: true },
    containerPath: TEXT,
    permissions: list(DEVICE_CGROUP_PERMISSION),
  },
};

export const TMPFS: StructureShape<Tmpfs> = {
  type: 'structure',
  members: {
    containerPath: { ...TEXT, required: true },
    size: { ...WHOLE, required: true },
    mountOptions: list(TEXT),
  },
};

export const LINUX_PARAMETERS: StructureShape<LinuxParameters> = {
  type: 'structure',
  members: {
    capabilities: KERNEL_CAPABILITIES,
    devices: list(DEVICE),
    initProcessEnabled: FLAG,
    sharedMemorySize: WHOLE,
    tmpfs: list(TMPFS),
    maxSwap: WHOLE,
    swappiness: WHOLE,
  },
};

export const SECRET: StructureShape<Secret> = {
  type: 'structure',
  members: {
    name: { ...TEXT, required: true },
    valueFrom: { ...TEXT, required: true },
  },
};

export const CONTAINER_DEPENDENCY: StructureShape<ContainerDependency> = {
  type: 'structure',
  members: {
    containerName: { ...TEXT, required: true },
    condition: { ...CONTAINER_CONDITION, required: true },
  },
};

export const HOST_ENTRY: StructureShape<HostEntry> = {
  type: 'structure',
  members: {
    hostname: { ...TEXT, required: true },
    ipAddress: { ...TEXT, required: true },
  },
};

export const ULIMIT: StructureShape<Ulimit> = {
  type: 'structure',
  members: {
    name: { ...ULIMIT_NAME, required: true },
    softLimit: { ...WHOLE, required: true },
    hardLimit: { ...WHOLE, required: true },
  },
};

export const LOG_CONFIGURATION: StructureShape<LogConfiguration> = {
  type: 'structure',
  members: {
    logDriver: { ...LOG_DRIVER, required: true },
    options: TEXT_MAP,
    secretOptions: list(SECRET),
  },
};

export const HEALTH_CHECK: StructureShape<HealthCheck> = {
  type: 'structure',
  members: {
    command: { ...list(TEXT), required: true },
    interval: WHOLE,
    timeout: WHOLE,
    retries: WHOLE,
    startPeriod: WHOLE,
  },
};

export const SYSTEM_CONTROL: StructureShape<SystemControl> = {
  type: 'structure',
  members: {
    namespace: TEXT,
    value: TEXT,
  },
};

export const RESOURCE_REQUIREMENT: StructureShape<ResourceRequirement> = {
  type: 'structure',
  members: {
    type: { ...RESOURCE_TYPE, required: true },
    value: TEXT,
    sharingStrategy: PRESENCE,
  },
};

export const FIRELENS_CONFIGURATION: StructureShape<FirelensConfiguration> = {
  type: 'structure',
  members: {
    type: { ...FIRELENS_CONFIGURATION_TYPE, required: true },
    options: TEXT_MAP,
  },
};

export const CONTAINER_DEFINITION: StructureShape<ContainerDefinition> = {
  type: 'structure',
  members: {
    name: TEXT,
    image: TEXT,
    repositoryCredentials: REPOSITORY_CREDENTIALS,
    cpu: WHOLE,
    memory: WHOLE,
    memoryReservation: WHOLE,
    links: list(TEXT),
    portMappings: list(PORT_MAPPING),
    essential: FLAG,
    restartPolicy: CONTAINER_RESTART_POLICY,
    entryPoint: list(TEXT),
    command: list(TEXT),
    environment: list(KEY_VALUE_PAIR),
    environmentFiles: list(ENVIRONMENT_FILE),
    mountPoints: list(MOUNT_POINT),
    volumesFrom: list(VOLUME_FROM),
    linuxParameters: LINUX_PARAMETERS,
    secrets: list(SECRET),
    dependsOn: list(CONTAINER_DEPENDENCY),
    startTimeout: WHOLE,
    stopTimeout: WHOLE,
    versionConsistency: VERSION_CONSISTENCY,
    hostname: TEXT,
    user: TEXT,
    workingDirectory: TEXT,
    disableNetworking: FLAG,
    privileged: FLAG,
    readonlyRootFilesystem: FLAG,
    dnsServers: list(TEXT),
    dnsSearchDomains: list(TEXT),
    extraHosts: list(HOST_ENTRY),
    dockerSecurityOptions: list(TEXT),
    interactive: FLAG,
    pseudoTerminal: FLAG,
    dockerLabels: TEXT_MAP,
    ulimits: list(ULIMIT),
    logConfiguration: LOG_CONFIGURATION,
    healthCheck: HEALTH_CHECK,
    systemControls: list(SYSTEM_CONTROL),
    resourceRequirements: list(RESOURCE_REQUIREMENT),
    firelensConfiguration: FIRELENS_CONFIGURATION,
    credentialSpecs: list(TEXT),
  },
};
