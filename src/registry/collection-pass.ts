import type { Clock } from '../core/clock.ts';
import type { Timers } from '../core/timers.ts';
import type { BlobContext } from './blob-rows.ts';
import type { CollectionReport } from './registry.ts';

/** One pass, as its steps see it. */
export interface Pass {
  readonly context: BlobContext;
  readonly now: number;
  readonly dryRun: boolean;
  /** Everything that was deleted before the pass has had its grace. */
  readonly purge: boolean;
  readonly times: CollectionTimes;
  readonly report: CollectionReport;
  /** After each piece of work: lets others go first, and rests when much was done. */
  readonly breathe: () => Promise<void>;
}

/** Milliseconds. */
export interface CollectionTimes {
  /** An upload session without a byte for this long is given up. */
  uploadIdle: number;
  /** A file that no row owns is left alone for this long: its row may be on its way. */
  orphanAge: number;
  /** Between two looks for such files, which read every folder of the store. */
  orphanEvery: number;
}

const HOUR = 60 * 60 * 1000;
export const defaultCollectionTimes: CollectionTimes = { uploadIdle: 24 * HOUR, orphanAge: HOUR, orphanEvery: HOUR };

/** Lets requests that came in meanwhile go first. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export interface Pace {
  /** Work begins, after a time that is not to count. */
  begin(): void;
  breathe(): Promise<void>;
}

/** Milliseconds of work after which there is a rest. */
const STRETCH = 1;
/** A rest is this many times as long as what was done before it. */
const REST = 4;
/** Waiting for the disk or for another's transaction counts as work, too, and is to cost no long rest. */
const LONGEST_REST = 50;

/** Keeps what runs in the background to a fifth of the event loop's time, from pass to pass. Little work has no rest. */
export function createPace(clock: Clock, timers: Timers | undefined): Pace {
  let worked = 0;
  let begun = clock.monotonic();
  return {
    begin: () => void (begun = clock.monotonic()),
    async breathe() {
      worked += clock.monotonic() - begun;
      await breathe();
      if (worked >= STRETCH) {
        const rest = Math.min(Math.ceil(worked * REST), LONGEST_REST);
        worked = 0;
        if (timers !== undefined) await new Promise<void>((resolve) => timers.after(rest, resolve));
      }
      begun = clock.monotonic();
    },
  };
}
