import { breathe } from '../registry/collection-pass.ts';

/** Work that can be left for a moment wherever it yields: every millisecond or so. */
export type Steps<Result> = Generator<void, Result>;

/** How many images make a step. */
export const STEP = 1_000;

export function inOneGo<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Requests that come in meanwhile are answered between the steps. */
export async function byTheWay<Result>(steps: Steps<Result>): Promise<Result> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    await breathe();
  }
}
