import type { Kysely, Transaction } from 'kysely';

/**
 * The metadata database, as a room sees it: queries through Kysely on the tables the room declares.
 *
 * Promises, held by every driver (`src/drivers/meta/meta-store.contract.ts`):
 * - `read` never sees the inside of an unfinished transaction, and sees every transaction whose `transact` has resolved.
 * - Transactions are serialisable. One whose work throws leaves nothing behind, and the error comes through.
 * - When `transact` resolves, the transaction is durable: it survives a killed process and a lost power supply. With
 *   `survives: 'kill'` a lost power supply may take it, until a later one that is durable has resolved.
 *
 * Inside `work` there is nothing but queries: no file, no network, no other await. A driver may run `work` again
 * (PostgreSQL, on a serialisation failure), so it keeps no state of its own.
 */
export interface MetaStore<Tables> {
  readonly read: Kysely<Tables>;
  /**
   * Gives `work` the database as it is now and as it stays, however long that reads and whatever else it waits for; nobody
   * is kept from writing meanwhile. For what reads a great deal: it costs a connection, which ends with the work.
   */
  snapshot<T>(work: (database: Kysely<Tables>) => Promise<T>): Promise<T>;
  /**
   * Goes up with every commit, before `transact` resolves: what was read while it stood still is still so. Absent where
   * other processes write to the database, too.
   */
  readonly changes?: () => number;
  transact<T>(work: (transaction: Transaction<Tables>) => Promise<T>, options?: { survives?: 'kill' }): Promise<T>;
}

/** One step of the schema's history. Names sort in the order in which they run, and are never changed once released. */
export interface Migration {
  name: string;
  up(database: Kysely<never>, dialect: MetaDialect): Promise<void>;
}

/** What differs between the dialects when a table is made. */
export interface MetaDialect {
  readonly name: 'sqlite' | 'postgres';
  /** Column type for bytes: `blob` or `bytea`. */
  readonly bytes: 'blob' | 'bytea';
}
