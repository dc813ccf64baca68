import type { Clock } from '../core/clock.ts';
import type { IdSource } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import type { MetaStore } from '../core/meta-store.ts';
import type { Timers } from '../core/timers.ts';
import { createAuditLog } from './audit.ts';
import { createBlobLocks } from './blob-locks.ts';
import type { BlobContext } from './blob-rows.ts';
import { createPace } from './collection-pass.ts';
import { createCollector } from './collector.ts';
import { defaultRegistryOptions, type RegistryLimits, type RegistryOptions } from './context.ts';
import { createHolds } from './holds.ts';
import { createImages } from './images.ts';
import { createLayers } from './layers.ts';
import type { BlobStore } from './ports.ts';
import { createPullTimes } from './pull-times.ts';
import type { Registry } from './registry.ts';
import { createRepositories, type ApplyTemplate } from './repositories.ts';
import type { RegistryTables } from './schema.ts';
import { createSettings } from './settings.ts';
import { createTagHistory } from './tag-history.ts';
import { createTemplates } from './templates.ts';
import { readUsage } from './usage.ts';

/** The room with what only its owner needs: the front door. */
export interface RegistryRoom extends Registry {
  /** Writes the pull times that were noted in memory; call it every few minutes. Gives how many there were. */
  flushPulls(): Promise<number>;
  /** Writes what is still in memory. The database and the blob store stay open: they are the caller's. */
  close(): Promise<void>;
}

export interface RegistryDependencies {
  meta: MetaStore<RegistryTables>;
  blobs: BlobStore;
  clock: Clock;
  ids: IdSource;
  log: Logger;
  /** What is left out is as in `defaultRegistryOptions`. */
  settings?: Partial<Omit<RegistryOptions, 'limits'>> & { limits?: Partial<RegistryLimits> };
  /** What another room does when a repository is made from a template. */
  applyTemplate?: ApplyTemplate;
  /** Lets what runs in the background rest between two pieces of work; without them it only lets others go first. */
  timers?: Timers;
}

/** Builds the room out of what it needs of the world. `meta` has run `registryMigrations`. */
export function createRegistry({
  meta,
  blobs,
  clock,
  ids,
  log,
  settings = {},
  applyTemplate,
  timers,
}: RegistryDependencies): RegistryRoom {
  const options: RegistryOptions = {
    ...defaultRegistryOptions,
    ...settings,
    limits: { ...defaultRegistryOptions.limits, ...settings.limits },
  };
  const context: BlobContext = { meta, blobs, clock, ids, log, options, locks: createBlobLocks() };
  const pulls = createPullTimes(context);
  return {
    repositories: createRepositories(context, applyTemplate),
    images: createImages(context, pulls),
    layers: createLayers(context),
    tags: createTagHistory(context),
    holds: createHolds(context),
    templates: createTemplates(context),
    settings: createSettings(context),
    collector: createCollector(context, createPace(clock, timers)),
    audit: createAuditLog(context),
    usage: () => readUsage(meta.read, clock.now()),
    flushPulls: () => pulls.flush(),
    async close() {
      await pulls.flush();
    },
  };
}
