import type { Clock } from './clock.ts';

/** Waiting comes in as an argument, like time: a simulation runs on a clock that is moved by hand. */
export interface Timers {
  /**
   * Does `work` once so many milliseconds have gone by, and never before this has returned; the function that it gives
   * back calls that off. The work must not throw.
   */
  after(milliseconds: number, work: () => void): () => void;
}

export interface ManualTimers extends Timers {
  /** How many calls are still to come. */
  readonly waiting: number;
  /**
   * Moves the clock forward, from one call that is due to the next, in the order of their times. First of all, and after
   * each of them, `settle` may wait for what came of it, which may ask for more calls.
   */
  advance(milliseconds: number, settle?: () => Promise<void>): Promise<void>;
}

/** Timers on a clock that stands still until it is told to move. */
export function createManualTimers(clock: Clock & { advance(milliseconds: number): void }): ManualTimers {
  const calls = new Set<{ at: number; work: () => void }>();
  const earliest = (): { at: number; work: () => void } | undefined => {
    let first: { at: number; work: () => void } | undefined;
    for (const one of calls) if (first === undefined || one.at < first.at) first = one;
    return first;
  };
  return {
    get waiting() {
      return calls.size;
    },
    after(milliseconds, work) {
      const entry = { at: clock.monotonic() + Math.max(0, milliseconds), work };
      calls.add(entry);
      return () => void calls.delete(entry);
    },
    async advance(milliseconds, settle = () => Promise.resolve()) {
      const end = clock.monotonic() + milliseconds;
      await settle();
      for (let next = earliest(); next !== undefined && next.at <= end; next = earliest()) {
        calls.delete(next);
        clock.advance(Math.max(0, next.at - clock.monotonic()));
        next.work();
        await settle();
      }
      clock.advance(Math.max(0, end - clock.monotonic()));
    },
  };
}
