import type { Timers } from '../../../core/timers.ts';

/** How an engine shows itself to Node that is not there, or that went away in the middle of an answer. */
const AWAY: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE']);
const AGAIN_MS = 500;

export function isAway(error: unknown): boolean {
  return error instanceof Error && 'code' in error && AWAY.has(error.code);
}

/**
 * Acts that may be repeated wait for an engine that is away, however long it is: its containers may run on meanwhile, and neither
 * they nor what is to be started are worse for it.
 */
export interface Patience {
  /** Does the act again until the engine has answered, or this is closed. */
  wait<T>(act: () => Promise<T>): Promise<T>;
  close(): void;
}

export function createPatience(timers: Timers): Patience {
  let isClosed = false;
  return {
    async wait(act) {
      for (;;) {
        try {
          return await act();
        } catch (error) {
          if (isClosed || !isAway(error)) throw error;
        }
        await new Promise<void>((resolve) => timers.after(AGAIN_MS, resolve));
      }
    },
    close: () => void (isClosed = true),
  };
}
