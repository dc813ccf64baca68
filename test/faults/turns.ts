import { pick } from './random.ts';

/**
 * Whose turn it is: of all that wait at a step one goes on, chosen by the seed, until it waits at its next. So every
 * interleaving of the steps can happen, and the same seed gives the same one.
 */
export interface Turns {
  step(): Promise<void>;
  /** Lets them go on, one by one, until all of `work` is done. Raises what `work` raised. */
  run(work: Promise<unknown>[]): Promise<void>;
  readonly count: number;
}

/** `passed` is called before each turn. */
export function createTurns(random: () => number, passed: () => void): Turns {
  const waiting: (() => void)[] = [];
  let count = 0;
  return {
    step: () => new Promise((resolve) => waiting.push(resolve)),
    async run(work) {
      let left = work.length;
      let failure: { error: unknown } | undefined;
      for (const one of work) {
        one.catch((error: unknown) => (failure ??= { error })).finally(() => left--);
      }
      for (let idle = 0; left > 0 && failure === undefined;) {
        // Everything that can go on without us has to have done so. A walk's pause for others takes one round more.
        for (let round = 0; round < 3; round++) await new Promise((resolve) => setImmediate(resolve));
        if (waiting.length === 0) {
          if (++idle > 10_000) throw new Error('everybody waits for somebody else');
          // Work on another thread takes its own time.
          if (idle > 100) await new Promise((resolve) => setTimeout(resolve, 1));
          continue;
        }
        idle = 0;
        passed();
        count++;
        const chosen = pick(random, waiting);
        waiting.splice(waiting.indexOf(chosen), 1);
        chosen();
      }
      if (failure !== undefined) throw failure.error;
    },
    get count() {
      return count;
    },
  };
}
