import {
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type QueryResult,
} from 'kysely';
import { types, type ClientBase, type CustomTypesConfig, type QueryConfig } from 'pg';
import { readPostgresError } from './postgres-error.ts';

/** Whose connections the queries of one Kysely go through. */
export interface ConnectionSource {
  acquire(): Promise<ClientBase>;
  /** `broken`: the connection is of no more use. */
  release(client: ClientBase, broken: boolean): void;
  /** Raises what `client` raised, after it has seen whether the connection is still there. */
  commit(client: ClientBase): Promise<void>;
  end(): Promise<void>;
}

/** `bigint` and `numeric` as numbers: what is counted and added up here stays below 2^53. */
const NUMBERS: ReadonlySet<number> = new Set([types.builtins.INT8, types.builtins.NUMERIC]);

/** For `pg`: how the columns of an answer become values. */
export const columnTypes: CustomTypesConfig = {
  getTypeParser: (oid, format) => (NUMBERS.has(oid) ? Number : types.getTypeParser(oid, format)),
};

/** Statements that the server keeps planned for each connection; the others are planned every time. */
const NAMED_STATEMENTS = 500;

/** PostgreSQL for Kysely, one query at a time on each connection. */
export function createPostgresDialect(source: ConnectionSource): Dialect {
  const nameOf = createStatementNames();
  const connections = new WeakMap<DatabaseConnection, { client: ClientBase; broken: boolean }>();
  const stateOf = (connection: DatabaseConnection): { client: ClientBase; broken: boolean } => {
    const state = connections.get(connection);
    if (state === undefined) throw new Error('a connection of somebody else');
    return state;
  };
  const tell = async (connection: DatabaseConnection, text: 'begin' | 'rollback'): Promise<void> => {
    const state = stateOf(connection);
    try {
      await state.client.query(text);
    } catch (error) {
      state.broken = true;
      throw readPostgresError(error);
    }
  };
  return {
    createAdapter: () => new PostgresAdapter(),
    createIntrospector: (kysely) => new PostgresIntrospector(kysely),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createDriver: () => ({
      async init() {},
      async acquireConnection() {
        const client = await source.acquire().catch((error: unknown) => {
          throw readPostgresError(error);
        });
        const connection = createConnection(client, nameOf);
        connections.set(connection, { client, broken: false });
        return connection;
      },
      async releaseConnection(connection) {
        const { client, broken } = stateOf(connection);
        source.release(client, broken);
      },
      beginTransaction: (connection) => tell(connection, 'begin'),
      async commitTransaction(connection) {
        try {
          await source.commit(stateOf(connection).client);
        } catch (error) {
          throw readPostgresError(error);
        }
      },
      // What cannot be rolled back because the connection has gone is rolled back by the server.
      rollbackTransaction: (connection) => tell(connection, 'rollback').catch(() => undefined),
      destroy: () => source.end(),
    }),
  };
}

function createConnection(client: ClientBase, nameOf: (sql: string) => string | undefined): DatabaseConnection {
  return {
    async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
      const name = nameOf(sql);
      const query: QueryConfig = { text: sql, values: [...parameters], ...(name === undefined ? {} : { name }) };
      try {
        const { rows, rowCount } = await client.query(query);
        return { rows: rows as Row[], numAffectedRows: BigInt(rowCount ?? 0) };
      } catch (error) {
        throw readPostgresError(error);
      }
    },
    streamQuery: () => {
      throw new Error('no streams: read in pages');
    },
  };
}

/** A name for each text that has been asked before; lists of other lengths come and go, and get none. */
function createStatementNames(): (sql: string) => string | undefined {
  const names = new Map<string, string>();
  const seen = new Set<string>();
  return (sql) => {
    const name = names.get(sql);
    if (name !== undefined || names.size >= NAMED_STATEMENTS) return name;
    if (!seen.delete(sql)) {
      if (seen.size >= NAMED_STATEMENTS) seen.clear();
      seen.add(sql);
      return undefined;
    }
    names.set(sql, `h${names.size}`);
    return names.get(sql);
  };
}
