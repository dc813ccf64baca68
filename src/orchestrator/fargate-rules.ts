import type { RegisterTaskDefinitionRequest } from '@aws-sdk/client-ecs';
import { clientException } from './ecs-faults.ts';
import type { Given } from './model.ts';

const GB = 1024;

/** MiB that go with each CPU size on Fargate (developer guide, "Task CPU and memory"). */
const SIZES: Readonly<Record<string, readonly number[]>> = {
  256: [512, GB, 2 * GB],
  512: steps(1, 4, 1),
  1024: steps(2, 8, 1),
  2048: steps(4, 16, 1),
  4096: steps(8, 30, 1),
  8192: steps(16, 60, 4),
  16384: steps(32, 120, 8),
  32768: [60 * GB, 120 * GB, 244 * GB],
};

function steps(from: number, to: number, step: number): number[] {
  return Array.from({ length: (to - from) / step + 1 }, (_, index) => (from + index * step) * GB);
}

export function isFargateSize(cpu: string | undefined, memory: string | undefined): boolean {
  return cpu !== undefined && memory !== undefined && SIZES[cpu]?.includes(Number(memory)) === true;
}

type Container = Given<RegisterTaskDefinitionRequest>['containerDefinitions'][number];

/** Members of a container that Fargate does not take (developer guide, "Task definition differences for Fargate"). */
const REFUSED = [
  'disableNetworking',
  'dnsSearchDomains',
  'dnsServers',
  'dockerSecurityOptions',
  'extraHosts',
  'links',
  'privileged',
] as const satisfies (keyof Container)[];

/** The rules for a task definition that requires FARGATE. Raises `ecs`. */
export function checkFargate(
  input: Given<RegisterTaskDefinitionRequest>,
  networkMode: string,
  cpu: string | undefined,
  memory: string | undefined,
): void {
  if (networkMode !== 'awsvpc') throw clientException('Fargate only supports network mode ‘awsvpc’.');
  if (cpu === undefined) throw clientException("Fargate requires that 'cpu' be defined at the task level.");
  if (memory === undefined) throw clientException("Fargate requires that 'memory' be defined at the task level.");
  if (!isFargateSize(cpu, memory))
    throw clientException(
      `No Fargate configuration exists for given values: ${cpu} CPU, ${memory} memory. See the Amazon ECS documentation for the valid values.`,
    );
  if ((input.placementConstraints ?? []).length > 0) throw refused('placementConstraints');
  if (input.ipcMode !== undefined) throw refused('ipcMode');
  if (input.pidMode === 'host')
    throw clientException(
      "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is 'task'.",
    );
  for (const container of input.containerDefinitions) {
    for (const member of REFUSED) if (isSet(container[member])) throw refused(member);
    const linux = container.linuxParameters ?? {};
    for (const member of ['maxSwap', 'swappiness', 'devices', 'sharedMemorySize', 'tmpfs'] as const) {
      if (isSet(linux[member])) throw refused(`linuxParameters.${member}`);
    }
    for (const capability of linux.capabilities?.add ?? []) {
      if (capability !== 'SYS_PTRACE') throw refused(`linuxParameters.capabilities.add ${capability}`);
    }
    if ((container.stopTimeout ?? 0) > 120)
      throw clientException(
        `Invalid 'stopTimeout' setting for container '${container.name}'. Fargate takes at most 120 seconds.`,
      );
  }
  for (const { host, dockerVolumeConfiguration } of input.volumes ?? []) {
    if (host?.sourcePath) throw refused("volumes' host.sourcePath");
    if (dockerVolumeConfiguration !== undefined) throw refused("volumes' dockerVolumeConfiguration");
  }
}

function refused(what: string): Error {
  return clientException(
    `The setting '${what}' is not supported when requiresCompatibilities contains FARGATE. Require EC2 instead: both run on the same hosts here.`,
  );
}

function isSet(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
}
