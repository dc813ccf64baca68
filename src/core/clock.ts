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

/** By so much more than time itself a clock does not go by drifting. */
const SMALLEST_JUMP_MS = 60_000;

/** A function that says, each time, whether the clock was set forward since the time before. */
export function createJumpDetector(clock: Clock): () => boolean {
  const ahead = (): number => clock.now() - clock.monotonic();
  let last = ahead();
  return () => {
    const now = ahead();
    const jumped = now - last > SMALLEST_JUMP_MS;
    last = now;
    return jumped;
  };
}
