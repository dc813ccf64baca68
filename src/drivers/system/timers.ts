import type { Timers } from '../../core/timers.ts';

/** setTimeout takes less than 2^31 milliseconds, and does longer waits at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** The machine's own timers; none keeps the process alive. */
export const systemTimers: Timers = {
  after(milliseconds, work) {
    let left = milliseconds;
    let timer: NodeJS.Timeout;
    const wait = (): void => {
      const part = Math.min(Math.max(left, 0), LONGEST_MS);
      left -= part;
      timer = setTimeout(left > 0 ? wait : work, part);
      timer.unref();
    };
    wait();
    return () => clearTimeout(timer);
  },
};
