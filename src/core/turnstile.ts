/** Lets a number of pieces of work run at one time; the others wait in order. */
export interface Turnstile {
  pass<T>(work: () => Promise<T>): Promise<T>;
  /** Pieces of work that have not begun. */
  readonly waiting: number;
}

export function createTurnstile(places: number): Turnstile {
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    get waiting() {
      return waiting.length;
    },
    async pass(work) {
      if (running >= places) await new Promise<void>((resolve) => waiting.push(resolve));
      else running++;
      try {
        return await work();
      } finally {
        // The place passes on directly, so that nobody who comes later overtakes.
        const next = waiting.shift();
        if (next === undefined) running--;
        else next();
      }
    },
  };
}
