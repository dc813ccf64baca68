import { ContainerError } from '../../core/container-error.ts';
import type { Timers } from '../../core/timers.ts';

export interface Patience {
  tries: number;
  /** Milliseconds before the second try; each later wait is `factor` times as long, up to `longest`. */
  first: number;
  factor: number;
  longest: number;
}

/** The pace of ECS's agent. */
export const RESOLVE_PATIENCE: Patience = { tries: 9, first: 10, factor: 3, longest: 5_000 };
export const PULL_PATIENCE: Patience = { tries: 5, first: 1_100, factor: 2, longest: 5_000 };

/**
 * Does `act` until it succeeds, fails for good, or patience is at its end; a failure that is not passing ends it at once.
 * Gives the result, or the last error with the number of tries. `wanted` is asked before each further try.
 */
export async function attempt<T>(
  timers: Timers,
  { tries, first, factor, longest }: Patience,
  wanted: () => boolean,
  act: () => Promise<T>,
): Promise<{ value: T } | { error: unknown; tries: number }> {
  for (let made = 1, wait = first; ; made++, wait = Math.min(wait * factor, longest)) {
    try {
      return { value: await act() };
    } catch (error) {
      if (made >= tries || !(error instanceof ContainerError) || !error.passing || !wanted()) return { error, tries: made };
    }
    await new Promise<void>((resolve) => timers.after(wait, resolve));
    if (!wanted()) return { error: new Error('the task was stopped meanwhile'), tries: made };
  }
}
