import type { BreakerSettings, PlanSettings, Tally } from './types.ts';

export const emptyTally: Tally = { failures: 0, failedStarts: 0, resolveAttempts: 0 };

/** How a task came to its end. */
export interface StoppedTask {
  /** It was told to: scaled in, or replaced by a deployment. */
  asked: boolean;
  /** It was replaced because its health checks failed. */
  unhealthy: boolean;
  runningSince?: number;
  stoppedAt: number;
  /** Its revision was still waiting for digests when it stopped. */
  unresolved: boolean;
  /** It found no place, and its containers insist on digests: that is waited for, not counted. */
  noCapacity: boolean;
}

/**
 * Counts a stopped task. The breaker counts what stops before it runs, what dies before it has settled, and what is
 * replaced as unhealthy; a task that had settled and ends later is only replaced (deployment-circuit-breaker; AWS counts no
 * task that ever ran, which its users ask to change). Throttling goes by the same starts that came to nothing.
 */
export function tallyStop(tally: Tally, task: StoppedTask, settings: PlanSettings): Tally {
  if (task.asked && !task.unhealthy) return tally;
  const settled = task.runningSince !== undefined && task.stoppedAt - task.runningSince >= settings.settleMs;
  const cameToNothing = !settled && !task.unhealthy;
  if (!cameToNothing && !task.unhealthy) return tally;
  return {
    failures: tally.failures + 1,
    failedStarts: cameToNothing ? tally.failedStarts + 1 : tally.failedStarts,
    resolveAttempts: task.unresolved && !task.noCapacity ? tally.resolveAttempts + 1 : tally.resolveAttempts,
    lastFailureAt: task.stoppedAt,
  };
}

/** A task of the deployment has become healthy. */
export function tallyHealthy(tally: Tally, breaker: BreakerSettings | undefined): Tally {
  const reset = breaker?.resetOnHealthyTask ?? true;
  return !reset || tally.failures === 0 ? tally : { ...tally, failures: 0 };
}

/**
 * A task runs that has settled: starts come to something again, if it was started after the last that did not. One whose
 * check passes before it dies ends no throttling: it would be started again and again, as fast as it dies.
 */
export function tallySettled(tally: Tally, runningSince: number): Tally {
  const isNews = tally.failedStarts > 0 && (tally.lastFailureAt === undefined || runningSince > tally.lastFailureAt);
  return isNews ? { ...tally, failedStarts: 0 } : tally;
}

/** Failures at which the breaker trips (API reference, `ThresholdType`); goes by the desired count of the moment. */
export function breakerThreshold({ thresholdType, thresholdValue }: BreakerSettings, desiredCount: number): number {
  if (thresholdType === 'COUNT') return thresholdValue;
  const share = Math.ceil((desiredCount * thresholdValue) / 100);
  return thresholdType === 'UNBOUNDED_PERCENT' ? share : Math.min(Math.max(share, 3), 200);
}

const UNTHROTTLED = 3;
const LONGEST_WAIT_MS = 27 * 60_000;

/**
 * The earliest time for the next start, after starts that came to nothing: at once three times, then after a wait that
 * doubles up to 27 minutes (service-throttle-logic; AWS does not publish the curve below that).
 */
export function nextStartAt({ failedStarts, lastFailureAt }: Tally, { throttleBaseMs }: PlanSettings): number {
  if (lastFailureAt === undefined || failedStarts <= UNTHROTTLED) return 0;
  return lastFailureAt + Math.min(throttleBaseMs * 2 ** Math.min(failedStarts - UNTHROTTLED - 1, 20), LONGEST_WAIT_MS);
}

/** Failed attempts at learning digests after which a deployment goes on by tag. */
export const RESOLVE_ATTEMPTS = 3;
