import type { NetworkConfiguration } from '@aws-sdk/client-ecs';
import type { Fault } from '../core/fault.ts';
import { checkSecretNames } from './check-containers.ts';
import { parseSecretSource } from './container-secrets.ts';
import { clientException, invalidParameter, unsupported } from './ecs-faults.ts';
import type { Given } from './model.ts';
import type { ContainerDefinition, TaskDefinitionDocument } from './task-definition-rows.ts';

/** What a task definition can say and this server cannot do, and what to do instead. It can be registered, and not run. */
const CONTAINER_MEMBERS: Partial<Record<keyof ContainerDefinition, string>> = {
  environmentFiles: 'There is no S3 here. Give the variables in environment.',
  firelensConfiguration: 'Logs are kept by the server. Leave it out, and read them with holdfast logs.',
  credentialSpecs: 'There is no Active Directory here. Leave it out.',
  resourceRequirements:
    'There are no GPUs or accelerators to hand out. Leave it out, or give the device with linuxParameters.devices.',
  dockerSecurityOptions: 'Security options of the engine cannot be set. Leave it out.',
};
const LOG_DRIVERS = ['awslogs', 'json-file'];

/**
 * Refuses a task that could only be run by leaving something out that its definition asks for. Raises `ecs`
 * (UnsupportedFeatureException, with what to do instead), and what AWS says when a task of network mode awsvpc has no network.
 */
export function checkRunnable(
  document: TaskDefinitionDocument,
  run: { launchType: string; networkConfiguration?: Given<NetworkConfiguration> },
): void {
  for (const container of document.containerDefinitions) {
    for (const [member, instead] of Object.entries(CONTAINER_MEMBERS)) {
      const value = container[member as keyof ContainerDefinition];
      if (Array.isArray(value) ? value.length > 0 : value !== undefined) throw refuse(container.name, member, instead);
    }
    const { linuxParameters, logConfiguration } = container;
    if (linuxParameters?.maxSwap !== undefined || linuxParameters?.swappiness !== undefined)
      throw refuse(container.name, 'linuxParameters.maxSwap and swappiness', 'Swap cannot be set. Leave them out.');
    if (logConfiguration !== undefined && !LOG_DRIVERS.includes(logConfiguration.logDriver))
      throw refuse(
        container.name,
        `logConfiguration.logDriver ${logConfiguration.logDriver}`,
        `Logs are kept by the server, and read with holdfast logs. Use one of ${LOG_DRIVERS.join(', ')}, or leave it out.`,
      );
    if ((logConfiguration?.secretOptions ?? []).length > 0)
      throw refuse(
        container.name,
        'logConfiguration.secretOptions',
        'Logs are kept by the server, which needs no secret for them. Leave it out.',
      );
    for (const { name, valueFrom } of container.secrets ?? []) {
      const source = parseSecretSource(valueFrom);
      if ('failure' in source) throw invalidParameter(`The secret ${name} of container '${container.name}': ${source.failure}`);
    }
    if (container.portMappings?.some(({ containerPortRange }) => containerPortRange !== undefined))
      throw refuse(container.name, 'portMappings.containerPortRange', 'Give each port a mapping of its own.');
  }
  for (const volume of document.volumes ?? []) {
    const driver = volume.dockerVolumeConfiguration?.driver;
    const [member, instead] =
      volume.efsVolumeConfiguration !== undefined ||
      volume.fsxWindowsFileServerVolumeConfiguration !== undefined ||
      volume.s3filesVolumeConfiguration !== undefined
        ? ['network file systems', 'Mount the file system on the host, and give its folder as host.sourcePath.']
        : volume.configuredAtLaunch === true
          ? ['configuredAtLaunch', 'There is no EBS here. Use host.sourcePath, or a docker volume of scope shared.']
          : driver !== undefined && driver !== 'local'
            ? [`the driver ${driver}`, 'Only the driver local is there.']
            : [];
    if (member !== undefined) throw unsupported(`The volume '${volume.name}' cannot be had: ${member}. ${instead}`);
  }
  if (document.proxyConfiguration !== undefined)
    throw unsupported('proxyConfiguration is not supported: there is no App Mesh here. Leave it out.');
  if ((document.inferenceAccelerators ?? []).length > 0)
    throw unsupported('inferenceAccelerators are not supported. Leave them out.');
  if (document.runtimePlatform?.operatingSystemFamily?.startsWith('WINDOWS') === true)
    throw unsupported('Only Linux containers can run here. Set runtimePlatform.operatingSystemFamily to LINUX.');
  if (run.launchType === 'FARGATE') {
    if (document.compatibilities?.includes('FARGATE') !== true)
      throw invalidParameter('Task definition does not support launch_type FARGATE.');
  } else if (
    document.requiresCompatibilities !== undefined &&
    document.requiresCompatibilities.length > 0 &&
    !document.requiresCompatibilities.includes('EC2') &&
    run.launchType === 'EC2'
  ) {
    throw invalidParameter('Task definition does not support launch_type EC2.');
  }
  checkNetwork(document, run.networkConfiguration);
}

function checkNetwork(document: TaskDefinitionDocument, network: Given<NetworkConfiguration> | undefined): void {
  const settings = network?.awsvpcConfiguration;
  if (document.networkMode !== 'awsvpc') {
    if (settings !== undefined)
      throw invalidParameter('Network Configuration is not valid for the given networkMode of this task definition.');
    return;
  }
  if (settings === undefined)
    throw invalidParameter("Network Configuration must be provided when networkMode 'awsvpc' is specified.");
  if (settings.subnets.length === 0) throw invalidParameter('subnets can not be empty.');
  if (settings.subnets.length > 16) throw invalidParameter('subnets can have at most 16 items.');
  if ((settings.securityGroups ?? []).length > 5) throw invalidParameter('securityGroups can have at most 5 items.');
}

function refuse(container: string, member: string, instead: string): Fault<'ecs'> {
  return unsupported(`The container '${container}' asks for ${member}, which is not supported. ${instead}`);
}

/** `overrides` of a task, checked against its definition. Raises `ecs`. */
export function checkOverrides(
  document: TaskDefinitionDocument,
  overrides:
    | {
        containerOverrides?: {
          name?: string;
          environment?: { name?: string }[];
          environmentFiles?: unknown[];
          resourceRequirements?: unknown[];
        }[];
        inferenceAcceleratorOverrides?: unknown[];
      }
    | undefined,
): void {
  if (overrides === undefined) return;
  if (JSON.stringify(overrides).length > 8192) throw invalidParameter('Overrides can have at most 8192 characters.');
  if ((overrides.inferenceAcceleratorOverrides ?? []).length > 0)
    throw unsupported('inferenceAcceleratorOverrides are not supported. Leave them out.');
  for (const override of overrides.containerOverrides ?? []) {
    const { name, environment = [], environmentFiles = [], resourceRequirements = [] } = override;
    if (!name) throw invalidParameter('Container name must be specified in a container override.');
    const container = document.containerDefinitions.find((one) => one.name === name);
    if (container === undefined)
      throw invalidParameter(`Override for container named ${name} is not a container in the TaskDefinition.`);
    checkSecretNames(container.secrets, environment);
    if (environmentFiles.length > 0) throw refuse(name, 'environmentFiles', CONTAINER_MEMBERS.environmentFiles ?? '');
    if (resourceRequirements.length > 0) throw refuse(name, 'resourceRequirements', CONTAINER_MEMBERS.resourceRequirements ?? '');
  }
}

/** A platform version of Fargate: LATEST and the one that there is. Raises `ecs`. */
export function checkPlatformVersion(launchType: string, version: string | undefined): void {
  if (version === undefined || version === '') return;
  if (launchType !== 'FARGATE') throw invalidParameter('The platform version must be null when specifying an EC2 launch type.');
  if (!['LATEST', '1.4.0', '1.3.0'].includes(version))
    throw clientException(`The platform version '${version.slice(0, 50)}' is not there. Use LATEST.`);
}
