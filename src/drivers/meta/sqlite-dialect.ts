import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import {
  SqliteIntrospector,
  SqliteQueryCompiler,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type QueryResult,
} from 'kysely';
import { Fault } from '../../core/fault.ts';
import { createQueue } from './queue.ts';

/** Statements kept compiled for each connection; the oldest goes first. */
const STATEMENTS = 500;

/** The low byte of SQLite's result codes (sqlite.org/rescode.html). */
const IO_ERROR = 10;
const CORRUPT = 11;
const FULL = 13;
const NOT_A_DATABASE = 26;

interface Prepared {
  statement: StatementSync;
  /** Names of the columns; none when it gives no rows. */
  columns: string[];
}

/**
 * One SQLite connection for Kysely: synchronous below, so a query costs no more than its promise.
 *
 * `writer`: transactions, one after the other; everybody waits for the connection in a queue.
 * `reader`: single statements, never a transaction. Each sees all that is committed when it starts, because none is left
 * open when it ends: an unfinished statement would keep every later one on its own old snapshot.
 *
 * `onFatal` is told when the disk has failed a writer, which then writes no more; `onCommit`, in the same instant, of every
 * commit that was tried.
 */
export function createSqliteDialect(
  database: DatabaseSync,
  role: 'writer' | 'reader',
  { onFatal = () => {}, onCommit = () => {} }: { onFatal?: ((reason: string) => void) | undefined; onCommit?: () => void } = {},
): Dialect {
  const connection = role === 'writer' ? createWriter(database, onFatal, onCommit) : createReader(database);
  return {
    createAdapter: () => adapter,
    createDriver: () => createDriver(database, connection, role),
    createIntrospector: (kysely) => new SqliteIntrospector(kysely),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** Unlike Kysely's own for SQLite, it adds no second lock around a connection. */
const adapter: DialectAdapter = {
  supportsReturning: true,
  supportsTransactionalDdl: true,
  supportsMultipleConnections: true,
  async acquireMigrationLock() {},
  async releaseMigrationLock() {},
};

interface SqliteConnection extends DatabaseConnection {
  begin(): void;
  commit(): void;
  rollback(): void;
}

function createDriver(database: DatabaseSync, connection: SqliteConnection, role: 'writer' | 'reader'): Driver {
  const queue = createQueue();
  const isWriter = role === 'writer';
  return {
    async init() {},
    async acquireConnection() {
      if (isWriter) await queue.enter();
      return connection;
    },
    async releaseConnection() {
      if (isWriter) queue.leave();
    },
    async beginTransaction() {
      connection.begin();
    },
    async commitTransaction() {
      connection.commit();
    },
    async rollbackTransaction() {
      connection.rollback();
    },
    async destroy() {
      if (database.isOpen) database.close();
    },
  };
}

function createReader(database: DatabaseSync): SqliteConnection {
  const prepare = createStatementCache(database);
  const refuse = (): never => {
    throw new Error('a transaction on the reading side: use transact()');
  };
  return {
    executeQuery: async <Row>(query: CompiledQuery) => run<Row>(prepare(query.sql), query),
    streamQuery: () => {
      throw new Error('a stream would keep all other readers on its own old snapshot: read in pages');
    },
    begin: refuse,
    commit: refuse,
    rollback: refuse,
  };
}

function createWriter(database: DatabaseSync, onFatal: (reason: string) => void, onCommit: () => void): SqliteConnection {
  const prepare = createStatementCache(database);
  // After a failed write to disk nobody can tell what is there; the operating system may have dropped the data.
  let failure: string | undefined;
  const check = (): void => {
    if (failure !== undefined) throw new Fault('storage-failed', { reason: failure });
    // Some errors make SQLite roll back on its own; what follows would then be committed statement by statement.
    if (!database.isTransaction) throw new Error('the transaction has ended already');
  };
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      const code = resultCode(error);
      if (code === FULL) throw new Fault('storage-full', {}, { cause: error });
      if (code === IO_ERROR || code === CORRUPT || code === NOT_A_DATABASE) {
        failure = `the metadata database: ${(error as Error).message}`;
        onFatal(failure);
        throw new Fault('storage-failed', { reason: failure }, { cause: error });
      }
      throw error;
    }
  };
  return {
    executeQuery: async <Row>(query: CompiledQuery) => {
      check();
      return guarded(() => run<Row>(prepare(query.sql), query));
    },
    streamQuery: () => {
      throw new Error('no streams inside a transaction: read in pages');
    },
    begin() {
      if (failure !== undefined) throw new Fault('storage-failed', { reason: failure });
      guarded(() => prepare('begin immediate').statement.run());
    },
    commit() {
      check();
      try {
        guarded(() => prepare('commit').statement.run());
      } finally {
        onCommit();
      }
    },
    rollback() {
      if (database.isTransaction) prepare('rollback').statement.run();
    },
  };
}

function run<Row>(prepared: Prepared, query: CompiledQuery): QueryResult<Row> {
  const parameters = query.parameters as SQLInputValue[];
  if (prepared.columns.length > 0) {
    const rows = prepared.statement.all(...parameters) as unknown as SQLOutputValue[][];
    return { rows: rows.map((values) => toRow(prepared.columns, values) as Row) };
  }
  const { changes, lastInsertRowid } = prepared.statement.run(...parameters);
  return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
}

/** Node's own row objects are hash tables, which cost twice the time and the memory of objects that are made alike. */
function toRow(columns: string[], values: SQLOutputValue[]): Record<string, SQLOutputValue | undefined> {
  const row: Record<string, SQLOutputValue | undefined> = {};
  for (let at = 0; at < columns.length; at++) row[columns[at] ?? ''] = values[at];
  return row;
}

function createStatementCache(database: DatabaseSync): (sql: string) => Prepared {
  const cache = new Map<string, Prepared>();
  return (sql) => {
    const known = cache.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    statement.setReturnArrays(true);
    const prepared = { statement, columns: statement.columns().map(({ name }) => name) };
    if (cache.size >= STATEMENTS) {
      const oldest = cache.keys().next();
      if (!oldest.done) cache.delete(oldest.value);
    }
    cache.set(sql, prepared);
    return prepared;
  };
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}
