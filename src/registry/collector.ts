import type { BlobContext } from './blob-rows.ts';
import { collectBlobs, collectFiles, collectMemberships, createMembershipMemory, collectUploads } from './collect-blobs.ts';
import { collectHolds, collectImages } from './collect-images.ts';
import { defaultCollectionTimes, type CollectionTimes, type Pace, type Pass } from './collection-pass.ts';
import type { CollectionReport, Collector } from './registry.ts';
import { scrubBlobs } from './scrub.ts';

/** The wall clock may run ahead of the machine's own time by this much between two passes. */
const LARGEST_JUMP = 60 * 60 * 1000;

/**
 * Frees space beside all other work: no pause, no lock on a repository. docs/garbage-collection.md has each race with
 * pushes, pulls and restores, and what makes it safe. A step that fails ends the pass: what cannot be read is kept.
 */
export function createCollector(context: BlobContext, pace: Pace, times: Partial<CollectionTimes> = {}): Collector {
  const { clock, log } = context;
  const memory = createMembershipMemory();
  let last: { now: number; monotonic: number } | undefined;
  let filesAt: number | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  /** True when somebody set the clock forward: nothing may run out for that. */
  function hasJumped(): boolean {
    const here = { now: clock.now(), monotonic: clock.monotonic() };
    const jump = last === undefined ? 0 : here.now - last.now - (here.monotonic - last.monotonic);
    last = here;
    if (jump <= LARGEST_JUMP) return false;
    log.warn('the clock was set forward; leases, grace periods and idle uploads do not run out in this collection', {
      milliseconds: jump,
    });
    return true;
  }

  async function runPass(purge: boolean, dryRun: boolean): Promise<CollectionReport> {
    const jumped = hasJumped();
    const now = clock.now();
    const begun = clock.monotonic();
    const report: CollectionReport = {
      startedAt: now,
      durationMs: 0,
      imagesPurged: 0,
      referrersDeleted: 0,
      uploadsDiscarded: 0,
      membershipsEnded: 0,
      blobsDeleted: 0,
      bytesFreed: 0,
      orphansDeleted: 0,
      holdsExpired: 0,
    };
    const pass: Pass = {
      context,
      now,
      dryRun,
      purge,
      times: { ...defaultCollectionTimes, ...times },
      report,
      breathe: pace.breathe,
    };
    pace.begin();
    let ended = new Map<string, number>();
    if (!jumped) {
      await collectHolds(pass);
      await pass.breathe();
      await collectImages(pass, memory.waiting);
      await pass.breathe();
      await collectUploads(pass);
      await pass.breathe();
      ended = await collectMemberships(pass, memory);
      await pass.breathe();
    }
    await collectBlobs(pass, ended);
    if (!jumped && (dryRun || filesAt === undefined || begun - filesAt >= pass.times.orphanEvery)) {
      await collectFiles(pass);
      if (!dryRun) filesAt = begun;
    }
    await pass.breathe();
    report.durationMs = clock.monotonic() - begun;
    const { startedAt: _, durationMs, ...counts } = report;
    if (!dryRun && Object.values(counts).some((count) => count > 0)) log.info('garbage collected', { ...counts, durationMs });
    return report;
  }

  return {
    run({ purge = false, dryRun = false } = {}) {
      // One after the other: two passes would only get into each other's way.
      const result = queue.then(() => runPass(purge, dryRun));
      queue = result.catch(() => undefined);
      return result;
    },
    scrub: (progress) => scrubBlobs(context, progress),
  };
}
