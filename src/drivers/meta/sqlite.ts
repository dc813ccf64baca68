import { chmodSync, closeSync, existsSync, fstatSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import type { MetaStore, Migration } from '../../core/meta-store.ts';
import { migrate } from './migrate.ts';
import { refuseOldSqlite } from './sqlite-version.ts';
import { createSqliteDialect } from './sqlite-dialect.ts';

const BUSY_TIMEOUT_MS = 10_000;
const CACHE_KIB = 32 * 1024;
/** What reads everything once gains nothing by more. */
const SNAPSHOT_CACHE_KIB = 8 * 1024;
const LOG_BYTES = 64 * 1024 * 1024;
/** Twice what the log holds before its pages move into the database file, so that half of it is free at any time. */
const RESERVED_LOG_BYTES = 8 * 1024 * 1024;

export interface SqliteMetaOptions {
  /** The database file; made when it is not there, readable by its owner only. */
  path: string;
  migrations: Migration[];
  /** Milliseconds since the epoch; written beside each migration. */
  now: () => number;
  /** Called when the disk has failed a write, after which nothing more is written. */
  onFatal?: (reason: string) => void;
}

/**
 * The metadata database in one file: a connection that writes, one transaction after the other, and one that reads beside
 * it (write-ahead log). A commit is flushed to disk before it is acknowledged.
 *
 * Raises an Error that says what to do when SQLite is too old, or the database is from a newer release.
 */
export async function openSqliteMeta<Tables>(
  options: SqliteMetaOptions,
): Promise<MetaStore<Tables> & { close(): Promise<void> }> {
  refuseOldSqlite(process.versions.sqlite ?? '0');
  prepareFile(options.path);
  const writing = new DatabaseSync(options.path, { timeout: BUSY_TIMEOUT_MS, enableDoubleQuotedStringLiterals: false });
  let reading: DatabaseSync | undefined;
  try {
    writing.exec(`
      pragma journal_mode = wal;
      pragma synchronous = full;
      pragma foreign_keys = on;
      pragma trusted_schema = off;
      pragma cache_size = -${CACHE_KIB};
      pragma temp_store = memory;
      pragma wal_autocheckpoint = 1000;
      pragma journal_size_limit = ${LOG_BYTES};
    `);
    let changes = 0;
    const onCommit = (): void => void changes++;
    const writer = new Kysely<Tables>({
      dialect: createSqliteDialect(writing, 'writer', { onFatal: options.onFatal, onCommit }),
    });
    await migrate(writer, options.migrations, { name: 'sqlite', bytes: 'blob' }, options.now);
    reserveLog(`${options.path}-wal`);
    syncFolder(options.path);
    reading = openReading(options.path, CACHE_KIB);
    const reader = new Kysely<Tables>({ dialect: createSqliteDialect(reading, 'reader') });
    /** The next flush of the log takes these commits with it; until then they are with the operating system. */
    const transactWithoutFlush: MetaStore<Tables>['transact'] = (work) =>
      writer.connection().execute(async (connection) => {
        writing.exec('pragma synchronous = normal');
        try {
          return await connection.transaction().execute(work);
        } finally {
          writing.exec('pragma synchronous = full');
        }
      });
    return {
      read: reader,
      changes: () => changes,
      async snapshot(work) {
        const database = openReading(options.path, SNAPSHOT_CACHE_KIB);
        try {
          // A transaction sees what was there at its first read, not at its beginning.
          database.exec('begin; select 1 from sqlite_schema');
          return await work(new Kysely<Tables>({ dialect: createSqliteDialect(database, 'reader') }));
        } finally {
          database.close();
        }
      },
      transact: (work, { survives } = {}) =>
        survives === 'kill' ? transactWithoutFlush(work) : writer.transaction().execute(work),
      async close() {
        await reader.destroy();
        await writer.destroy();
        if (reading?.isOpen) reading.close();
        if (writing.isOpen) writing.close();
      },
    };
  } catch (error) {
    if (reading?.isOpen) reading.close();
    writing.close();
    throw error;
  }
}

/**
 * Not mapped into memory: reading through the cache is as quick (100,000 images: within a tenth, either way), and what is
 * mapped counts as the server's own memory.
 */
function openReading(path: string, cacheKib: number): DatabaseSync {
  const database = new DatabaseSync(path, {
    readOnly: true,
    timeout: BUSY_TIMEOUT_MS,
    enableDoubleQuotedStringLiterals: false,
  });
  database.exec(`
    pragma trusted_schema = off;
    pragma cache_size = -${cacheKib};
    pragma temp_store = memory;
  `);
  return database;
}

/** SQLite gives its log the mode of the database file, so this is the only place that sets one. */
function prepareFile(path: string): void {
  if (existsSync(path)) chmodSync(path, 0o600);
  else closeSync(openSync(path, 'wx', 0o600));
}

/**
 * Gives the log its room on the disk now: SQLite writes over what is behind the last valid page. So images can still be
 * deleted, which is how room is made, on a disk that has none left.
 */
function reserveLog(path: string): void {
  const file = openSync(path, 'r+');
  try {
    const { size } = fstatSync(file);
    if (size < RESERVED_LOG_BYTES) writeSync(file, new Uint8Array(RESERVED_LOG_BYTES - size), 0, RESERVED_LOG_BYTES - size, size);
    fsyncSync(file);
  } catch (error) {
    // A server that does not come up on a full disk could not be told to delete anything.
    if (!['ENOSPC', 'EDQUOT'].includes(String((error as NodeJS.ErrnoException).code))) throw error;
  } finally {
    closeSync(file);
  }
}

function syncFolder(path: string): void {
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
