/** Lets a number of pieces of work run at one time; the others wait in order. */
export interface Turnstile {
  pass<T>(work: () => Promise<T>): Promise<T>;
  /** May change; what runs already is let be. */
  places: number;
  /** Pieces of work that have not begun. */
  readonly waiting: number;
}

export function createTurnstile(places: number): Turnstile {
  const waiting: (() => void)[] = [];
  let running = 0;
  const turnstile: Turnstile = {
    places,
    get waiting() {
      return waiting.length;
    },
    async pass(work) {
      if (running >= turnstile.places) await new Promise<void>((resolve) => waiting.push(resolve));
      else running++;
      try {
        return await work();
      } finally {
        // The place passes on directly, so that nobody who comes later overtakes.
        const next = running > turnstile.places ? undefined : waiting.shift();
        if (next === undefined) running--;
        else next();
      }
    },
  };
  return turnstile;
}
