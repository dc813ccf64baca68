/** Lets `places` pieces of work run at one time; the others wait in order. */
export function createTurnstile(places: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
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
  };
}
