/** Where a helper leaves its tidying: a test's own context, or what a suite runs in its `after`. */
export interface Cleanup {
  after(work: () => Promise<void>): void;
}

/** For what is made in a suite's `before`: `run` undoes it, the last first. */
export function createCleanup(): Cleanup & { run(): Promise<void> } {
  const works: (() => Promise<void>)[] = [];
  return {
    after: (work) => void works.push(work),
    async run() {
      for (const work of works.splice(0).reverse()) await work();
    },
  };
}
