import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A server that was off for so long is as suspicious as a clock that jumped. */
const LONGEST_PAUSE = 7 * DAY;

export interface SteadyClock {
  /** False for a day after the clock has jumped by more than an hour: ages are not to be trusted then. */
  isSteady(): boolean;
}

/**
 * Watches the wall clock by the other one, which only ever grows. `lastSeen`: a time at which the server is known to have
 * run, for the jump that happens while nobody watches.
 */
export function createSteadyClock(clock: Clock, log: Logger, lastSeen: number | undefined): SteadyClock {
  let wall = clock.now();
  let monotonic = clock.monotonic();
  let steadyFrom = Number.NEGATIVE_INFINITY;
  const suspend = (jumpMs: number): void => {
    steadyFrom = monotonic + DAY;
    log.warn('the clock has jumped: for a day, lifecycle policies run on demand only', { hours: Math.round(jumpMs / HOUR) });
  };
  if (lastSeen !== undefined && (wall - lastSeen > LONGEST_PAUSE || lastSeen - wall > HOUR)) suspend(wall - lastSeen);
  return {
    isSteady() {
      const [nowWall, nowMonotonic] = [clock.now(), clock.monotonic()];
      const jump = nowWall - wall - (nowMonotonic - monotonic);
      wall = nowWall;
      monotonic = nowMonotonic;
      if (Math.abs(jump) > HOUR) suspend(jump);
      return nowMonotonic >= steadyFrom;
    },
  };
}
