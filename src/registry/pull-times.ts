import { prepareQuery } from './compiled.ts';
import type { RegistryContext } from './context.ts';
import { chunksOf } from './image-rows.ts';

export interface PullTimes {
  /** Notes a pull in memory. `lastPulledAt` is what the database says. */
  note(manifestId: number, lastPulledAt: number | null): void;
  /** Writes what was noted since the last time; gives how many images that were. */
  flush(): Promise<number>;
}

/** Enough for every image that is pulled between two flushes; beyond it pulls go unnoted rather than memory going. */
const MOST_NOTED = 200_000;

/** Pull times, kept out of the pulls themselves: a pull never waits for a write. */
export function createPullTimes({ meta, clock, options }: RegistryContext): PullTimes {
  let noted = new Map<number, number>();
  const update = prepareQuery(
    meta.read
      .updateTable('manifest')
      .set({ pulled_at: 0 })
      .where('id', '=', 0)
      .where((builder) => builder.or([builder('pulled_at', 'is', null), builder('pulled_at', '<', 0)])),
  );
  return {
    note(manifestId, lastPulledAt) {
      const now = clock.now();
      if (lastPulledAt !== null && now - lastPulledAt < options.pullGrainMs) return;
      if (noted.size < MOST_NOTED || noted.has(manifestId)) noted.set(manifestId, now);
    },
    async flush() {
      const times = [...noted];
      noted = new Map();
      for (const chunk of chunksOf(times)) {
        await meta.transact(async (transaction) => {
          for (const [id, time] of chunk) await update.run(transaction, [time, id, time]);
        });
      }
      return times.length;
    },
  };
}
