import { rename, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Transaction } from 'kysely';
import { createAccess, type Access } from './access/access.ts';
import { accessMigrations } from './access/migrations.ts';
import type { AccessTables } from './access/schema.ts';
import type { ServerConfig } from './config.ts';
import type { Clock } from './core/clock.ts';
import type { IdSource } from './core/ids.ts';
import type { Logger } from './core/logger.ts';
import type { MetaStore } from './core/meta-store.ts';
import type { FileSystem } from './drivers/blobs/file-system.ts';
import { openFileBlobs } from './drivers/blobs/fs.ts';
import { lockFolder } from './drivers/meta/folder-lock.ts';
import type { PostgresMetaOptions } from './drivers/meta/postgres.ts';
import { openSqliteMeta } from './drivers/meta/sqlite.ts';
import { systemClock } from './drivers/system/clock.ts';
import { openDataFolder } from './drivers/system/data-folder.ts';
import { systemIds } from './drivers/system/ids.ts';
import { createLineLogger } from './drivers/system/logger.ts';
import { systemTimers } from './drivers/system/timers.ts';
import { recordAudit } from './registry/audit.ts';
import { createTemplatePolicies } from './lifecycle/apply-template.ts';
import { createLifecycle } from './lifecycle/create-lifecycle.ts';
import type { Lifecycle } from './lifecycle/lifecycle.ts';
import { lifecycleMigrations } from './lifecycle/migrations.ts';
import type { LifecycleTables } from './lifecycle/schema.ts';
import type { OrchestratorTables } from './orchestrator/context.ts';
import { taskMigrations } from './orchestrator/migrations.ts';
import { serviceMigrations } from './orchestrator/migrations-services.ts';
import type { Orchestrator } from './orchestrator/orchestrator.ts';
import { createRegistry, type RegistryRoom } from './registry/create-registry.ts';
import { registryMigrations } from './registry/migrations.ts';
import type { RegistryTables } from './registry/schema.ts';
import { openOrchestrator } from './serve-orchestrator.ts';
import { createAuthenticate } from './wire/aws/authenticate.ts';
import { createAwsHandler } from './wire/aws/handler.ts';
import { createJsonProtocol } from './wire/aws/json-protocol.ts';
import { createStsProtocol } from './wire/aws/sts.ts';
import { createEcrFaults } from './wire/ecr/faults.ts';
import { createEcrService } from './wire/ecr/service.ts';
import { createEcsService } from './wire/ecs/service.ts';
import { createHoldfastApi } from './wire/holdfast/handler.ts';
import { createMetrics } from './wire/http/metrics.ts';
import { closeHttpServer, createHttpServer } from './wire/http/server.ts';
import { createOciWire } from './wire/oci/handler.ts';
import { createHostPlaces } from './wire/oci/host-place.ts';

/** A running server. */
export interface RunningServer {
  /** `http://127.0.0.1:4600`. */
  url: string;
  port: number;
  /** host:port, as image names begin. */
  registryHost: string;
  /** Absent when the first key was revoked. */
  firstKey?: { accessKeyId: string; secretAccessKey: string };
  access: Access;
  registry: RegistryRoom;
  orchestrator: Orchestrator;
  lifecycle: Lifecycle;
  /** Stops accepting, lets what is under way finish for some seconds, closes everything. */
  close(): Promise<void>;
  /** Resolves, with the reason, when the server must not go on: its disk has failed to flush. */
  failed: Promise<string>;
}

/** What a test puts in place of the machine's own. */
export interface ServerParts {
  clock?: Clock;
  ids?: IdSource;
  log?: Logger;
  fileSystem?: FileSystem;
  meta?: (meta: MetaStore<AllTables> & { close(): Promise<void> }) => MetaStore<AllTables> & { close(): Promise<void> };
}

type AllTables = RegistryTables & AccessTables & LifecycleTables & OrchestratorTables;

/** How long requests under way may take when the server stops. */
const CLOSE_GRACE_MS = 10_000;
const FLUSH_MS = 60_000;
/** Unpacked layers stay for days: it is looked rarely which of them are too many. */
const UNPACKED_MS = 10 * 60_000;
/** How often it is looked which lifecycle policies are due. */
const LIFECYCLE_MS = 60_000;

/** Brings everything up, in the order in which it depends on each other. Raises an Error that says what to do. */
export async function startServer(config: ServerConfig, parts: ServerParts = {}): Promise<RunningServer> {
  const clock = parts.clock ?? systemClock;
  const ids = parts.ids ?? systemIds;
  const log = parts.log ?? createLineLogger(process.stderr, config.logLevel, clock);
  const region = config.regions[0] ?? '';
  await openDataFolder(config.dataFolder, 'HOLDFAST_DATA');
  await openDataFolder(config.blobsFolder, 'HOLDFAST_BLOBS');
  const unlock = lockFolder(config.dataFolder);

  const fatal = Promise.withResolvers<string>();
  const metaOptions = {
    migrations: [...registryMigrations, ...accessMigrations, ...lifecycleMigrations, ...taskMigrations, ...serviceMigrations],
    now: () => clock.now(),
    onFatal: (reason: string) => fatal.resolve(reason),
  };
  const opened =
    config.databaseUrl === undefined
      ? await openSqliteMeta<AllTables>({ ...metaOptions, path: join(config.dataFolder, 'holdfast.db') })
      : await openPostgres(config.databaseUrl, { ...metaOptions, warn: (message) => log.warn(message) });
  const meta = parts.meta?.(opened) ?? opened;
  const blobs = await openFileBlobs({
    root: config.blobsFolder,
    log,
    onFatal: (reason) => fatal.resolve(reason),
    ...(parts.fileSystem ? { fileSystem: parts.fileSystem } : {}),
  });
  const registry = createRegistry({
    meta,
    blobs,
    clock,
    ids,
    log,
    settings: { graceMs: config.graceMs, leaseMs: config.leaseMs, tagImmutableMessage: config.tagImmutableMessage },
    applyTemplate: createTemplatePolicies({ clock }),
    timers: systemTimers,
  });
  const lifecycle = createLifecycle({
    meta: meta as unknown as MetaStore<LifecycleTables>,
    registry,
    clock,
    ids,
    log,
    graceMs: config.graceMs,
    flushPulls: () => registry.flushPulls(),
  });
  const access = createAccess({
    meta,
    clock,
    ids,
    account: config.accountId,
    regions: config.regions,
    audit: (transaction, caller, event) => recordAudit(transaction as unknown as Transaction<RegistryTables>, caller, event),
  });
  const firstKey = await access.ensureFirstKey(config.firstKey ?? {});

  const wording = { tagImmutableMessage: config.tagImmutableMessage };
  const authenticate = createAuthenticate(access);
  const address = { regions: config.regions, ...(config.publicHost === undefined ? {} : { publicHost: config.publicHost }) };
  const ecr = createEcrService({ registry, lifecycle, access, clock, address, ...wording });
  const tasks = await openOrchestrator(config, {
    meta: meta as unknown as MetaStore<OrchestratorTables>,
    registry,
    clock,
    ids,
    timers: systemTimers,
    log,
    readSecret: (place, name) => access.secrets.read(place, name),
  });
  const { orchestrator, metadata } = tasks;
  const ecs = createEcsService({ orchestrator, access });
  const metrics = createMetrics({ usage: () => registry.usage(), clock });
  const places = { account: config.accountId, regions: config.regions };
  const oci = createOciWire({ registry, access, places, ...wording });
  const api = createHoldfastApi({
    registry,
    lifecycle,
    access,
    orchestrator,
    places: { ofHost: createHostPlaces(places), regions: config.regions },
  });
  const server = createHttpServer({
    handlers: {
      ...oci,
      api,
      ...(metadata === undefined ? {} : { metadata }),
      aws: createAwsHandler({
        json: createJsonProtocol({ services: [ecr, ecs], authenticate }),
        sts: createStsProtocol({ authenticate, userId: (principal) => principal.accessKeyId, faults: createEcrFaults(wording) }),
      }),
      healthz: metrics.healthz,
      metrics: metrics.metrics,
    },
    clock,
    ids,
    log,
    observe: metrics.observe,
  });
  await listen(server, config);

  const port = (server.address() as AddressInfo).port;
  const shownHost = config.host === '0.0.0.0' || config.host === '::' ? '127.0.0.1' : config.host;
  const registryHost = config.publicHost ?? hostAndPort(shownHost, port);
  const url = `http://${hostAndPort(shownHost, port)}`;
  await tasks.start({ registryHost, port, ...(firstKey ? { key: firstKey } : {}) });
  const serverFile = join(config.dataFolder, 'server.json');
  await writeSecret(serverFile, {
    url,
    registryHost,
    region,
    accountId: config.accountId,
    processId: process.pid,
    ...(firstKey ? { accessKeyId: firstKey.accessKeyId, secretAccessKey: firstKey.secretAccessKey } : {}),
  });

  const timers = [
    setInterval(
      () => runQuietly(log, 'noting pulls and uses of keys', () => Promise.all([registry.flushPulls(), access.keys.flushUse()])),
      FLUSH_MS,
    ),
    setInterval(() => runQuietly(log, 'running lifecycle policies', () => lifecycle.tick()), LIFECYCLE_MS),
    ...(config.collectEveryMs > 0
      ? [
          setInterval(() => runQuietly(log, 'collecting', () => registry.collector.run()), config.collectEveryMs),
          setInterval(
            () =>
              runQuietly(log, 'removing unpacked layers', () => orchestrator.collectUnpacked({ purge: false, dryRun: false })),
            Math.max(UNPACKED_MS, config.collectEveryMs),
          ),
        ]
      : []),
  ];
  for (const timer of timers) timer.unref();

  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    for (const timer of timers) clearInterval(timer);
    await closeHttpServer(server, CLOSE_GRACE_MS);
    await tasks.close();
    await lifecycle.close();
    await access.keys.flushUse();
    // On a full disk the last pull times are lost; what is open is closed all the same.
    await registry.close().catch((error: unknown) => log.warn('pull times were not noted', { error: String(error) }));
    await blobs.close();
    await meta.close();
    await rm(serverFile, { force: true });
    unlock();
  }
  return {
    url,
    port,
    registryHost,
    ...(firstKey ? { firstKey: { accessKeyId: firstKey.accessKeyId, secretAccessKey: firstKey.secretAccessKey } } : {}),
    access,
    registry,
    orchestrator,
    lifecycle,
    close: () => (closing ??= close()),
    failed: fatal.promise,
  };
}

function listen(server: ReturnType<typeof createHttpServer>, config: ServerConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explainListen(error, config)));
    server.listen(config.port, config.host, resolve);
  });
}

function explainListen(error: NodeJS.ErrnoException, { host, port }: ServerConfig): Error {
  const advice: Record<string, string> = {
    EADDRINUSE: `Port ${port} of ${host} is in use. Stop what uses it, or choose another with HOLDFAST_PORT (0 picks a free one).`,
    EACCES: `Port ${port} needs rights that this user does not have. Choose one above 1023 with HOLDFAST_PORT.`,
    EADDRNOTAVAIL: `This machine has no address ${host}. Set HOLDFAST_HOST to one of its own.`,
  };
  return new Error(advice[error.code ?? ''] ?? `Cannot listen on ${host}:${port}: ${error.message}`, { cause: error });
}

function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** For its owner's eyes only: it holds the first key. */
/** Whole or not at all: the command line may read it at any moment. */
async function writeSecret(path: string, value: object): Promise<void> {
  const unfinished = `${path}.new`;
  await rm(unfinished, { force: true });
  await writeFile(unfinished, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
  await rename(unfinished, path);
}

function runQuietly(log: Logger, what: string, work: () => Promise<unknown>): void {
  work().catch((error: unknown) =>
    log.error(`${what} failed; it is tried again`, {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    }),
  );
}

/** Read only where it is asked for: who has none need not wait for it, nor keep it in memory. */
async function openPostgres(
  url: string,
  options: Omit<PostgresMetaOptions, 'url'>,
): Promise<MetaStore<AllTables> & { close(): Promise<void> }> {
  const { openPostgresMeta } = await import('./drivers/meta/postgres.ts');
  return openPostgresMeta<AllTables>({ ...options, url });
}
