/** Time comes in as an argument, so that nothing below the front door reads it and no test has to wait. */
export interface Clock {
  /** Milliseconds since the epoch; may jump when somebody sets the machine's clock. */
  now(): number;
  /** Milliseconds that only ever grow, from an arbitrary start. */
  monotonic(): number;
}

/** A clock that stands still until it is told to move. */
export function createManualClock(start: number): Clock & { advance(milliseconds: number): void; set(now: number): void } {
  let now = start;
  let monotonic = 0;
  return {
    now: () => now,
    monotonic: () => monotonic,
    advance(milliseconds) {
      now += milliseconds;
      monotonic += milliseconds;
    },
    set(time) {
      now = time;
    },
  };
}
