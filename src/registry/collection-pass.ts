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
