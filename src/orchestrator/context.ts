import type { Transaction } from 'kysely';
import type { Clock } from '../core/clock.ts';
import type { IdSource } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import type { MetaStore } from '../core/meta-store.ts';
import type { RegistryClient } from '../client/registry-client.ts';
import type { Place } from '../core/place.ts';
import type { Reference } from '../core/reference.ts';
import type { Timers } from '../core/timers.ts';
import type { Registry } from '../registry/registry.ts';
import type { RegistryTables } from '../registry/schema.ts';
import type { TaskRuntime } from './ports.ts';
import type { ServiceTables } from './schema-services.ts';
import type { TaskTables } from './schema.ts';

/** The registry's tables are among them: what is going to run is written down with its hold, in one transaction. */
export type OrchestratorTables = TaskTables & ServiceTables & RegistryTables;
export type OrchestratorTransaction = Transaction<OrchestratorTables>;

/** What an operator can set; `defaultOrchestratorSettings` has the rest. Times in milliseconds. */
export interface OrchestratorSettings {
  /** A task without health checks counts as healthy once it has run for so long (AWS: 40 s). */
  settleMs: number;
  /** The first wait of throttled restarts, doubled from then on. */
  throttleBaseMs: number;
  /** How a service's tags become digests unless it says otherwise. */
  resolve: 'first-task' | 'registry';
  /** Successful revisions of a service, the newest first, whose images are held for a roll-back. */
  keptRevisions: number;
  /** What `containers[].image` of a task says: the digest that it was started by, or always what the task definition says. */
  taskImage: 'as-started' | 'declared';
  /** How long a stopped task can be described (AWS: an hour at least). */
  stoppedRetentionMs: number;
  /** How long an unpacked image stays that nothing needs, and the bytes that all of those may have. */
  unpackedKeepMs: number;
  unpackedMostBytes: number;
}

export const defaultOrchestratorSettings: OrchestratorSettings = {
  settleMs: 500,
  throttleBaseMs: 15_000,
  resolve: 'first-task',
  keptRevisions: 5,
  taskImage: 'as-started',
  stoppedRetentionMs: 60 * 60 * 1000,
  unpackedKeepMs: 7 * 24 * 60 * 60 * 1000,
  unpackedMostBytes: 10 * 1024 ** 3,
};

/** What a registry is shown for a pull. */
export interface PullLogin {
  username: string;
  password: string;
}

/** What the room's parts share. */
export interface OrchestratorContext {
  readonly meta: MetaStore<OrchestratorTables>;
  readonly registry: Registry;
  readonly runtime: TaskRuntime;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly timers: Timers;
  readonly log: Logger;
  readonly settings: OrchestratorSettings;
  /** What to log in with for pulling an image by this reference, if anything. */
  readonly pullCredentials?: (reference: string) => Promise<PullLogin | undefined>;
  /** A secret that was kept under this name, for what task definitions name. Absent: there are none. */
  readonly readSecret?: (place: Place, name: string) => Promise<string | undefined>;
  /** Whose registry a host is that image names begin with, when it is this server itself. */
  readonly ownRegistry?: (host: string) => Place | undefined;
  /** Asks any other registry what a tag points at, with this login where one is given. Absent: only tags of our own can be resolved without a task. */
  readonly resolver?: { resolve(reference: Reference, login?: PullLogin): ReturnType<RegistryClient['resolve']> };
}
