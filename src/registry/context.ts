import type { Transaction } from 'kysely';
import type { Clock } from '../core/clock.ts';
import type { IdSource } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import type { MetaStore } from '../core/meta-store.ts';
import type { RegistryTables } from './schema.ts';

/** What an operator can set; `createRegistry` fills in the rest from `defaultRegistryOptions`. Times in milliseconds. */
export interface RegistryOptions {
  /** How long a deleted image can be restored. */
  graceMs: number;
  /** How long a blob that a client has pushed, mounted or asked for stays, although no image refers to it. */
  leaseMs: number;
  /**
   * What a refused push to an immutable tag blames: what the repository's setting says, or always the tag (as ECR does
   * since 2025; some clients look for the older sentence).
   */
  tagImmutableMessage: 'as-mutability' | 'tag';
  limits: RegistryLimits;
  /** Pulls are noted once in this time for each image. */
  pullGrainMs: number;
}

/** ECR's quotas (user guide, "Service quotas"). */
export interface RegistryLimits {
  /** In an account and region. */
  repositories: number;
  /** Archived images do not count. */
  imagesPerRepository: number;
  tagsPerImage: number;
  /** On a repository. */
  resourceTags: number;
}

const HOUR = 60 * 60 * 1000;

export const defaultRegistryOptions: RegistryOptions = {
  graceMs: 24 * HOUR,
  leaseMs: HOUR / 4,
  tagImmutableMessage: 'as-mutability',
  limits: { repositories: 100_000, imagesPerRepository: 100_000, tagsPerImage: 1_000, resourceTags: 50 },
  pullGrainMs: HOUR / 12,
};

/** What the room's parts share. */
export interface RegistryContext {
  readonly meta: MetaStore<RegistryTables>;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly options: RegistryOptions;
  readonly log: Logger;
}

/** A transaction of the caller's; functions that take one do their work inside it and never commit. */
export type RegistryTransaction = Transaction<RegistryTables>;
