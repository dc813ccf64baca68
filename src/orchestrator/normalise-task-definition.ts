import type { RegisterTaskDefinitionRequest } from '@aws-sdk/client-ecs';
import { readCpu, readMemory } from './build-task-spec.ts';
import { checkContainers } from './check-containers.ts';
import { clientException, invalidParameter } from './ecs-faults.ts';
import { checkFargate, isFargateSize } from './fargate-rules.ts';
import type { Given } from './model.ts';
import type { ContainerDefinition, TaskDefinitionDocument } from './task-definition-rows.ts';

type Volume = NonNullable<Given<RegisterTaskDefinitionRequest>['volumes']>[number];

const LONGEST_DEFINITION = 64 * 1024;

/** What is registered of a request: checked, with the defaults that ECS fills in and what it computes. Pure. Raises `ecs`. */
export function normaliseTaskDefinition(input: Given<RegisterTaskDefinitionRequest>): TaskDefinitionDocument {
  const { family, tags: _, containerDefinitions, ...rest } = input;
  if (!/^[a-zA-Z0-9_-]{1,255}$/.test(family))
    throw clientException('A family has up to 255 letters, digits, hyphens and underscores.');
  const length = Buffer.byteLength(JSON.stringify(input));
  if (length > LONGEST_DEFINITION)
    throw clientException(`Actual length: '${length}'. Max allowed length is '${LONGEST_DEFINITION}' bytes.`);
  const networkMode = input.networkMode ?? 'bridge';
  const cpu = size('cpu', input.cpu, readCpu);
  const memory = size('memory', input.memory, readMemory);
  checkContainers(input, networkMode, memory === undefined ? undefined : Number(memory));
  const wantsFargate = input.requiresCompatibilities?.includes('FARGATE') === true;
  if (wantsFargate) checkFargate(input, networkMode, cpu, memory);
  for (const wanted of input.requiresCompatibilities ?? []) {
    if (wanted === 'MANAGED_INSTANCES')
      throw clientException('Managed instances are not there. Require FARGATE or EC2: both run on the hosts of this server.');
  }
  const document: TaskDefinitionDocument = {
    ...rest,
    networkMode,
    ...(cpu === undefined ? {} : { cpu }),
    ...(memory === undefined ? {} : { memory }),
    volumes: (input.volumes ?? []).map(normaliseVolume),
    placementConstraints: input.placementConstraints ?? [],
    containerDefinitions: containerDefinitions.map((container) => normaliseContainer(container, networkMode)),
    compatibilities: compatibilities(networkMode, isFargateSize(cpu, memory)),
  };
  return { ...document, requiresAttributes: requiredAttributes(document).map((name) => ({ name })) };
}

function size(member: string, text: string | undefined, read: (text: string) => number | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const value = read(text);
  if (value === undefined || value <= 0) throw clientException(`Invalid '${member}' setting for task: '${text.slice(0, 100)}'.`);
  return String(value);
}

function normaliseContainer(
  container: Given<RegisterTaskDefinitionRequest>['containerDefinitions'][number],
  networkMode: string,
): ContainerDefinition {
  if (container.name === undefined || container.image === undefined) throw new Error('a container was not checked');
  const ownsPorts = networkMode === 'awsvpc' || networkMode === 'host';
  return {
    ...container,
    name: container.name,
    image: container.image,
    cpu: container.cpu ?? 0,
    essential: container.essential ?? true,
    portMappings: (container.portMappings ?? []).map((mapping) => ({
      ...mapping,
      ...(mapping.containerPort === undefined ? {} : { hostPort: mapping.hostPort || (ownsPorts ? mapping.containerPort : 0) }),
      protocol: mapping.protocol ?? 'tcp',
    })),
    environment: container.environment ?? [],
    mountPoints: container.mountPoints ?? [],
    volumesFrom: container.volumesFrom ?? [],
    systemControls: container.systemControls ?? [],
  };
}

function normaliseVolume(volume: Volume): Volume {
  const { efsVolumeConfiguration: efs } = volume;
  return efs === undefined ? volume : { ...volume, efsVolumeConfiguration: { rootDirectory: '/', ...efs } };
}

function compatibilities(networkMode: string, hasFargateSize: boolean): TaskDefinitionDocument['compatibilities'] {
  if (networkMode !== 'awsvpc') return ['EXTERNAL', 'EC2'];
  return hasFargateSize ? ['EC2', 'FARGATE'] : ['EC2'];
}

/** Names of capabilities, as an ECS agent of AWS would have to have them. */
function requiredAttributes(document: TaskDefinitionDocument): string[] {
  const names = new Set<string>();
  const { containerDefinitions: containers } = document;
  const agent = (name: string) => names.add(`com.amazonaws.ecs.capability.${name}`);
  agent('docker-remote-api.1.18');
  if (document.networkMode === 'awsvpc') names.add('ecs.capability.task-eni');
  if (document.taskRoleArn) agent('task-iam-role');
  if (document.pidMode !== undefined || document.ipcMode !== undefined) names.add('ecs.capability.pid-ipc-namespace-sharing');
  for (const container of containers) {
    if (container.privileged === true) agent('privileged-container');
    if (container.logConfiguration !== undefined) agent(`logging-driver.${container.logConfiguration.logDriver}`);
    for (const { valueFrom } of container.secrets ?? [])
      names.add(`ecs.capability.secrets.${valueFrom.includes(':secretsmanager:') ? 'asm' : 'ssm'}.environment-variables`);
    if (container.healthCheck !== undefined) names.add('ecs.capability.container-health-check');
    if ((container.dependsOn ?? []).length > 0) names.add('ecs.capability.container-ordering');
    if (/^[0-9]{12}\.dkr\.ecr\./.test(container.image)) agent('ecr-auth');
  }
  return [...names];
}

/** `requiresCompatibilities`, `family` and so on are checked; what a message quotes of them is cut. */
export function checkFamilyPrefix(text: string | undefined): void {
  if (text !== undefined && !/^[a-zA-Z0-9_-]{0,255}$/.test(text))
    throw invalidParameter('The family prefix has characters that no family has.');
}
