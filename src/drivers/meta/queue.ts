/** First come, first served. */
export function createQueue(): { enter(): Promise<void>; leave(): void } {
  const waiting: (() => void)[] = [];
  let head = 0;
  let taken = false;
  return {
    enter() {
      if (!taken) {
        taken = true;
        return Promise.resolve();
      }
      return new Promise((resolve) => waiting.push(resolve));
    },
    leave() {
      const next = waiting[head];
      if (next === undefined) {
        taken = false;
        return;
      }
      head += 1;
      if (head > 1000 && head * 2 > waiting.length) {
        waiting.splice(0, head);
        head = 0;
      }
      next();
    },
  };
}
