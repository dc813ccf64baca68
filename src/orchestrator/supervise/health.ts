import type { ContainerSpec, HealthStatus } from '../ports.ts';

type HealthCheck = NonNullable<ContainerSpec['healthCheck']>;

/** Health of one run of a container. Counts what was waited, so that no jump of the clock makes a container sick. */
export interface HealthState {
  status: HealthStatus;
  /** Counted failures in a row. */
  failures: number;
  /** Milliseconds waited since the last check that counted, and since the start. */
  sinceCounted: number;
  age: number;
  /** How many checks were made before the first word. */
  early: number;
  /** For the metadata endpoint: when it became so, and what the last check said. */
  statusSince?: number;
  exitCode?: number;
  output?: string;
}

const FIRST_EARLY_MS = 100;
const LONGEST_EARLY_MS = 5_000;

export function freshHealth(): HealthState {
  return { status: 'UNKNOWN', failures: 0, sinceCounted: 0, age: 0, early: 0 };
}

/**
 * Milliseconds until the next check. Until the first word on its health a container is asked more often than its interval
 * says, so that a deployment goes on as soon as it can; such an early check can bring good news only (`afterCheck`).
 */
export function nextCheckIn({ interval }: HealthCheck, health: HealthState): number {
  const due = Math.max(1, interval - health.sinceCounted);
  if (health.status !== 'UNKNOWN') return due;
  return Math.min(due, Math.min(LONGEST_EARLY_MS, FIRST_EARLY_MS * 2 ** Math.min(health.early, 16)));
}

/**
 * Health after a check that was waited for as `nextCheckIn` said. A failure counts when a whole interval has gone by since
 * the last that did, and not in the start period; a success counts always (Docker's and ECS's rules for `HealthCheck`).
 */
export function afterCheck(
  check: HealthCheck,
  before: HealthState,
  result: { exitCode?: number; output: string },
  now: number,
): HealthState {
  const waited = nextCheckIn(check, before);
  const health: HealthState = {
    ...before,
    age: before.age + waited,
    sinceCounted: before.sinceCounted + waited,
    early: before.early + 1,
    output: result.output,
  };
  if (result.exitCode === undefined) delete health.exitCode;
  else health.exitCode = result.exitCode;
  const isDue = health.sinceCounted >= check.interval;
  if (isDue) health.sinceCounted = 0;
  if (result.exitCode === 0) {
    health.failures = 0;
    health.status = 'HEALTHY';
    // The next is due a whole interval after this one.
    health.sinceCounted = 0;
  } else if (isDue && (health.age > check.startPeriod || before.status !== 'UNKNOWN')) {
    health.failures += 1;
    if (health.failures >= check.retries) health.status = 'UNHEALTHY';
  }
  if (health.status !== before.status) health.statusSince = now;
  return health;
}

/** Of the essential containers that have a health check: one sick makes the task sick, one unknown unknown (ECS, "Task health"). */
export function taskHealth(containers: { essential: boolean; checked: boolean; status: HealthStatus }[]): HealthStatus {
  const asked = containers.filter(({ essential, checked }) => essential && checked);
  if (asked.length === 0) return 'UNKNOWN';
  if (asked.some(({ status }) => status === 'UNHEALTHY')) return 'UNHEALTHY';
  return asked.every(({ status }) => status === 'HEALTHY') ? 'HEALTHY' : 'UNKNOWN';
}

/** The command as a list of arguments: `CMD` as it is, `CMD-SHELL` by the container's shell. */
export function checkCommand({ command }: HealthCheck): string[] {
  const [how, ...rest] = command;
  if (how === 'CMD') return rest;
  return ['/bin/sh', '-c', how === 'CMD-SHELL' ? rest.join(' ') : command.join(' ')];
}
