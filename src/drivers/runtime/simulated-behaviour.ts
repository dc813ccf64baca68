import type { HealthStatus } from '../../orchestrator/ports.ts';

/** How a simulated container behaves; times in milliseconds. What is left out goes as well and as fast as it can. */
export interface Behaviour {
  /** From the start to the manifest being resolved (5). */
  resolveAfter?: number;
  /** From there to running (20): what pulling and creating take. */
  startAfter?: number;
  /** The pull fails with this text. */
  pullFailure?: string;
  /** It ends by itself so long after it began to run. */
  exitAfter?: number;
  /** With which code (0). */
  exitCode?: number;
  /** What its health check finds (HEALTHY), so long after it began to run (0). */
  health?: HealthStatus;
  healthAfter?: number;
  /** It turns unhealthy so long after it began to run. */
  unhealthyAfter?: number;
  /** From the stop signal to its end (10). */
  stopAfter?: number;
  /** It stops only when it is killed, after its stop timeout. */
  ignoresTerm?: boolean;
}

const TIMES: Record<string, keyof Behaviour & `${string}After`> = {
  'resolve': 'resolveAfter',
  'start': 'startAfter',
  'exit': 'exitAfter',
  'health-after': 'healthAfter',
  'unhealthy': 'unhealthyAfter',
  'stop': 'stopAfter',
};
const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * The environment variable `HOLDFAST_SIMULATE` of a container: words such as `start=2s exit=10s code=1 health=unhealthy
 * pull=denied stop=1s ignore-term`. A word that means nothing is left out, as a real image leaves out a variable that it
 * does not know.
 */
export function readBehaviour(text: string): Behaviour {
  const behaviour: Behaviour = {};
  for (const word of text.slice(0, 1_000).split(/\s+/)) {
    const [name = '', value = ''] = word.split('=', 2);
    const time = /^([0-9]{1,9})(ms|s|m|h)$/.exec(value);
    const member = TIMES[name];
    if (member !== undefined && time !== null) behaviour[member] = Number(time[1]) * (UNITS[time[2] ?? ''] ?? 0);
    else if (name === 'code' && /^[0-9]{1,3}$/.test(value)) behaviour.exitCode = Number(value);
    else if (name === 'health' && /^(?:healthy|unhealthy|unknown)$/.test(value))
      behaviour.health = value.toUpperCase() as HealthStatus;
    else if (name === 'pull' && value !== '') behaviour.pullFailure = value;
    else if (name === 'ignore-term') behaviour.ignoresTerm = true;
  }
  return behaviour;
}
