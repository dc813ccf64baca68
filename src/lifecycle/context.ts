import type { Transaction } from 'kysely';
import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { Fault } from '../core/fault.ts';
import type { IdSource } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import type { MetaStore } from '../core/meta-store.ts';
import type { Place } from '../core/place.ts';
import type { Registry, Repository } from '../registry/registry.ts';
import type { LifecycleTables } from './schema.ts';

/** What the room's parts share. */
export interface LifecycleContext {
  readonly meta: MetaStore<LifecycleTables>;
  readonly registry: Pick<Registry, 'repositories' | 'images'>;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly log: Logger;
  /** How long an expired image can be restored, in milliseconds. */
  readonly graceMs: number;
  /** Writes the pulls that are only in memory yet. */
  readonly flushPulls: () => Promise<unknown>;
  /** How many findings of a scan lie on these images. */
  readonly findings?: (repository: Repository, digests: Digest[]) => Promise<number>;
  readonly work: BackgroundWork;
}

export type LifecycleTransaction = Transaction<LifecycleTables>;

/** Work that nobody waits for, and that must end before the database closes. */
export interface BackgroundWork {
  start(what: string, work: () => Promise<unknown>): void;
  /** Counts work that somebody waits for, too. */
  track<T>(work: Promise<T>): Promise<T>;
  /** Resolves when none is under way. */
  idle(): Promise<void>;
  /** Asks what is under way to end at its next step. */
  stop(): void;
  readonly isStopping: boolean;
}

export function createBackgroundWork(log: Logger): BackgroundWork {
  const running = new Set<Promise<unknown>>();
  let isStopping = false;
  const track = <T>(work: Promise<T>): Promise<T> => {
    const settled = Promise.allSettled([work]);
    running.add(settled);
    void settled.finally(() => running.delete(settled));
    return work;
  };
  return {
    track,
    start(what, work) {
      void track(
        work().catch((error: unknown) => {
          log.error(`${what} failed`, { error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
        }),
      );
    },
    stop() {
      isStopping = true;
    },
    get isStopping() {
      return isStopping;
    },
    async idle() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}

export function policyUnknown(repository: Place & { name: string }): Fault<'lifecycle-policy-unknown'> {
  return new Fault('lifecycle-policy-unknown', { repository: repository.name, registryId: repository.account });
}
