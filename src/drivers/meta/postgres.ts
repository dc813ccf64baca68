import { Kysely } from 'kysely';
import { Client, Pool, type ClientConfig, type PoolClient } from 'pg';
import type { MetaStore, Migration } from '../../core/meta-store.ts';
import { migrate } from './migrate.ts';
import { columnTypes, createPostgresDialect, type ConnectionSource } from './postgres-dialect.ts';
import { readPostgresError } from './postgres-error.ts';
import { createPostgresWriter } from './postgres-writer.ts';

const READERS = 8;
const CONNECT_TIMEOUT_MS = 10_000;
const LOCK_WAIT_MS = 10_000;
/** The oldest that its makers still repaired in 2025. */
const OLDEST = 130_000;

export interface PostgresMetaOptions {
  /** `postgres://user:password@host:port/database?sslmode=…`, as libpq reads it. */
  url: string;
  migrations: Migration[];
  /** Milliseconds since the epoch; written beside each migration. */
  now: () => number;
  /** How long the lock of another server is waited for. */
  lockWaitMs?: number;
  /** Called when nothing more may be written. */
  onFatal?: (reason: string) => void;
  /** Told of what is worth a person's attention and stops nothing. */
  warn?: (message: string) => void;
}

/**
 * The metadata database on a PostgreSQL server: one connection that writes and some that read beside it. One Holdfast server
 * at a time; a second one is refused.
 *
 * Raises an Error that says what to do when the database cannot be used.
 */
export async function openPostgresMeta<Tables>(
  options: PostgresMetaOptions,
): Promise<MetaStore<Tables> & { close(): Promise<void> }> {
  const config: ClientConfig = {
    connectionString: options.url,
    types: columnTypes,
    application_name: 'holdfast',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  };
  let changes = 0;
  const writing = createPostgresWriter({
    config,
    lockWaitMs: options.lockWaitMs ?? LOCK_WAIT_MS,
    onCommit: () => void changes++,
    onFatal: (reason) => options.onFatal?.(reason),
  });
  try {
    await checkServer(config, options.warn);
    await writing.open();
  } catch (error) {
    throw new Error(`HOLDFAST_DATABASE_URL: ${describe(error)}`, { cause: error });
  }
  const writer = new Kysely<Tables>({ dialect: createPostgresDialect(writing) });
  const reader = new Kysely<Tables>({ dialect: createPostgresDialect(createReaders(config)) });
  const close = async (): Promise<void> => {
    await reader.destroy();
    await writer.destroy();
    // Kysely opens nothing that was never asked, and then closes nothing.
    await writing.end();
  };
  try {
    await migrate(writer, options.migrations, { name: 'postgres', bytes: 'bytea' }, options.now);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    read: reader,
    changes: () => changes,
    async snapshot(work) {
      const client = new Client(config);
      client.on('error', () => {});
      try {
        await client.connect();
        // A transaction sees what was there at its first query, not at its beginning.
        await client.query('begin isolation level repeatable read read only; select 1');
      } catch (error) {
        await client.end().catch(() => undefined);
        throw readPostgresError(error);
      }
      try {
        return await work(new Kysely<Tables>({ dialect: createPostgresDialect(createSingleReader(client)) }));
      } finally {
        await client.end();
      }
    },
    transact: (work) => writer.transaction().execute(work),
    close,
  };
}

/** One connection for all; it does one query at a time by itself. */
function createSingleReader(client: Client): ConnectionSource {
  return { acquire: async () => client, release() {}, commit: refuseTransaction, end: async () => {} };
}

function refuseTransaction(): never {
  throw new Error('a transaction on the reading side: use transact()');
}

function createReaders(config: ClientConfig): ConnectionSource {
  const pool = new Pool({ ...config, max: READERS });
  // A connection that breaks fails the query that it carries, or else is replaced at the next one.
  pool.on('error', () => {});
  pool.on('connect', (client) => {
    client.on('error', () => {});
    // Asked before anything else on this connection; where it fails, so does what comes after.
    client.query('set default_transaction_read_only = on').catch(() => {});
  });
  return {
    acquire: () => pool.connect(),
    release: (client, broken) => (client as PoolClient).release(broken),
    commit: refuseTransaction,
    end: () => pool.end(),
  };
}

async function checkServer(config: ClientConfig, warn: ((message: string) => void) | undefined): Promise<void> {
  const client = new Client(config);
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query<{ version: string; encoding: string; fsync: string }>(
      `select current_setting('server_version_num') as version, current_setting('server_encoding') as encoding,
        current_setting('fsync') as fsync`,
    );
    const [found] = rows;
    if (Number(found?.version) < OLDEST) throw new Error(`PostgreSQL ${OLDEST / 10_000} or newer is needed`);
    if (found?.encoding !== 'UTF8')
      throw new Error(`the database has the encoding ${found?.encoding}; make one with: createdb -E UTF8 -T template0 holdfast`);
    if (found.fsync !== 'on') warn?.('PostgreSQL runs with fsync=off: what it has acknowledged is lost with the power');
  } finally {
    await client.end();
  }
}

function describe(error: unknown): string {
  const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : [error];
  return first instanceof Error ? first.message : String(first);
}
