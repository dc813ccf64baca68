import type { RegisterTaskDefinitionRequest } from '@aws-sdk/client-ecs';
import { clientException } from './ecs-faults.ts';
import type { Given } from './model.ts';

type Container = Given<RegisterTaskDefinitionRequest>['containerDefinitions'][number];

const MOST_CONTAINERS = 10;
const NAME = /^[a-zA-Z0-9_-]{1,255}$/;
const SMALLEST_MEMORY = 6;

/** The rules that containers keep, each by itself and among each other. `taskMemory` in MiB. Raises `ecs`. */
export function checkContainers(
  { containerDefinitions: containers, volumes = [] }: Given<RegisterTaskDefinitionRequest>,
  networkMode: string,
  taskMemory: number | undefined,
): void {
  if (containers.length === 0) throw clientException('Container definitions should not be null or empty.');
  if (containers.length > MOST_CONTAINERS)
    throw clientException(`A task definition has at most ${MOST_CONTAINERS} container definitions.`);
  for (const container of containers) {
    if (!container.name) throw clientException('Container.name should not be null or empty.');
    if (!NAME.test(container.name))
      throw clientException(
        `Invalid container name '${container.name.slice(0, 300)}'. It has up to 255 letters, digits, hyphens and underscores.`,
      );
    if (!container.image) throw clientException('Container.image should not be null or empty.');
    checkImage(container.image);
  }
  const byName = new Map(containers.map((container) => [container.name ?? '', container]));
  if (byName.size < containers.length) throw clientException('Each container of a task definition needs a name of its own.');
  if (!containers.some(({ essential }) => essential ?? true))
    throw clientException('A task definition must have at least one essential container.');
  const volumeNames = new Set(volumes.map(({ name }) => name));
  if (volumeNames.size < volumes.length) throw clientException('Each volume of a task definition needs a name of its own.');
  for (const container of containers) {
    checkMemory(container, taskMemory);
    checkPorts(container, networkMode);
    checkTimes(container);
    checkSecretNames(container.secrets, container.environment);
    for (const { sourceVolume, containerPath } of container.mountPoints ?? []) {
      if (!volumeNames.has(sourceVolume)) throw wrong('mountPoints', container, `Unknown volume '${sourceVolume}'.`);
      if (!containerPath) throw wrong('mountPoints', container, 'containerPath should not be null or empty.');
    }
    for (const { sourceContainer } of container.volumesFrom ?? []) {
      if (sourceContainer === container.name || !byName.has(sourceContainer ?? ''))
        throw wrong('volumesFrom', container, `There is no other container '${sourceContainer}'.`);
    }
    if ((container.links ?? []).length > 0 && networkMode !== 'bridge')
      throw clientException(`Links are not supported when networkMode=${networkMode}.`);
    for (const link of container.links ?? []) {
      if (!byName.has(link.split(':')[0] ?? '')) throw wrong('links', container, `There is no container '${link}'.`);
    }
  }
  checkOrder(containers, byName);
}

function wrong(member: string, { name }: Container, why: string): Error {
  return clientException(`Invalid '${member}' setting for container '${name}'. ${why}`);
}

function checkImage(image: string): void {
  const at = image.indexOf('@');
  const name = at < 0 ? image : image.slice(0, at);
  if (name.length > 255 || /[\s\p{Cc}]/u.test(image))
    throw clientException(
      'Invalid image: up to 255 letters (uppercase and lowercase), numbers, hyphens, underscores, colons, periods, forward slashes, and number signs are allowed.',
    );
  if (at >= 0 && !/^sha256:[a-f0-9]{64}$/.test(image.slice(at + 1)))
    throw clientException(`Invalid image '${image.slice(0, 300)}'. Behind the "@" stands sha256: and 64 hexadecimal digits.`);
}

function checkMemory(container: Container, taskMemory: number | undefined): void {
  const { memory, memoryReservation } = container;
  if (taskMemory === undefined && memory === undefined && memoryReservation === undefined)
    throw clientException(
      `Invalid setting for container '${container.name}'. At least one of 'memory' or 'memoryReservation' must be specified.`,
    );
  for (const value of [memory, memoryReservation]) {
    if (value !== undefined && value < SMALLEST_MEMORY)
      throw clientException(
        `Invalid setting for container '${container.name}'. A container needs at least ${SMALLEST_MEMORY} MiB of memory.`,
      );
    if (value !== undefined && taskMemory !== undefined && value > taskMemory)
      throw clientException(
        `Invalid setting for container '${container.name}'. A container cannot have more memory than its task (${taskMemory} MiB).`,
      );
  }
  if (memory !== undefined && memoryReservation !== undefined && memory < memoryReservation)
    throw clientException(
      `Invalid setting for container '${container.name}'. The 'memory' value must be greater than 'memoryReservation'.`,
    );
}

function checkPorts(container: Container, networkMode: string): void {
  for (const { containerPort, hostPort, containerPortRange } of container.portMappings ?? []) {
    if (containerPort === undefined && containerPortRange === undefined)
      throw wrong('portMappings', container, 'containerPort should not be null.');
    for (const port of [containerPort, hostPort]) {
      if (port !== undefined && (port < 0 || port > 65_535)) throw wrong('portMappings', container, `${port} is not a port.`);
    }
    if (containerPort === 0) throw wrong('portMappings', container, '0 is not a port.');
    if ((networkMode === 'awsvpc' || networkMode === 'host') && hostPort && hostPort !== containerPort)
      throw clientException(`When networkMode=${networkMode}, the host ports and container ports in port mappings must match.`);
    if (networkMode === 'none') throw wrong('portMappings', container, 'There are no ports when networkMode=none.');
  }
}

/** One name is one variable, whose value must not depend on what goes last. Raises `ecs`. */
export function checkSecretNames(secrets: { name?: string }[] = [], environment: { name?: string }[] = []): void {
  const taken = new Set(environment.map(({ name }) => name));
  for (const { name } of secrets) {
    if (!name) throw clientException('The secret name should not be null or empty.');
    if (taken.has(name))
      throw clientException(
        `The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '${name.slice(0, 300)}'.`,
      );
    taken.add(name);
  }
}

function checkTimes(container: Container): void {
  const { healthCheck, restartPolicy } = container;
  const within = (member: string, value: number | undefined, lowest: number, highest: number): void => {
    if (value !== undefined && (value < lowest || value > highest))
      throw wrong(member, container, `It must be between ${lowest} and ${highest}.`);
  };
  within('startTimeout', container.startTimeout, 0, 86_400);
  within('stopTimeout', container.stopTimeout, 0, 86_400);
  if (healthCheck !== undefined) {
    const [first, ...rest] = healthCheck.command;
    if (first === undefined || !['CMD', 'CMD-SHELL', 'NONE'].includes(first) || (first !== 'NONE' && rest.length === 0))
      throw wrong('healthCheck.command', container, 'It begins with CMD or CMD-SHELL, and what to run follows.');
    within('healthCheck.interval', healthCheck.interval, 5, 300);
    within('healthCheck.timeout', healthCheck.timeout, 2, 60);
    within('healthCheck.retries', healthCheck.retries, 1, 10);
    within('healthCheck.startPeriod', healthCheck.startPeriod, 0, 300);
  }
  if (restartPolicy !== undefined) {
    within('restartPolicy.restartAttemptPeriod', restartPolicy.restartAttemptPeriod, 60, 1800);
    if ((restartPolicy.ignoredExitCodes ?? []).length > 50)
      throw wrong('restartPolicy.ignoredExitCodes', container, 'It has at most 50 codes.');
  }
}

function checkOrder(containers: Container[], byName: ReadonlyMap<string, Container>): void {
  for (const container of containers) {
    for (const { containerName, condition } of container.dependsOn ?? []) {
      const other = byName.get(containerName);
      if (other === undefined) throw wrong('dependsOn', container, `There is no container '${containerName}'.`);
      if ((condition === 'COMPLETE' || condition === 'SUCCESS') && (other.essential ?? true))
        throw wrong('dependsOn', container, `The essential container '${containerName}' cannot be waited for with ${condition}.`);
      if (condition === 'HEALTHY' && (other.healthCheck === undefined || other.healthCheck.command[0] === 'NONE'))
        throw wrong('dependsOn', container, `The container '${containerName}' has no health check to wait for.`);
    }
  }
  const state = new Map<string, 'open' | 'done'>();
  const visit = (name: string, path: string[]): void => {
    if (state.get(name) === 'done') return;
    if (state.get(name) === 'open')
      throw clientException(
        `Invalid 'dependsOn' setting. The containers wait for each other: ${[...path.slice(path.indexOf(name)), name].join(' -> ')}.`,
      );
    state.set(name, 'open');
    const container = byName.get(name);
    // A container starts behind what it waits for, takes volumes from, or is linked to.
    const before = [
      ...(container?.dependsOn ?? []).map(({ containerName }) => containerName),
      ...(container?.volumesFrom ?? []).map(({ sourceContainer }) => sourceContainer ?? ''),
      ...(container?.links ?? []).map((link) => link.split(':')[0] ?? ''),
    ];
    for (const other of before) visit(other, [...path, name]);
    state.set(name, 'done');
  };
  for (const name of byName.keys()) visit(name, []);
}
