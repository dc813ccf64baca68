import { Client, type ClientConfig } from 'pg';
import { createQueue } from './queue.ts';
import type { ConnectionSource } from './postgres-dialect.ts';
import { isConnectionLost } from './postgres-error.ts';

/** "holdfast", for `pg_try_advisory_lock`: one number, whatever the database. */
const LOCK = 7_161_117_105;
const LOCK_PAUSE_MS = 200;

export interface PostgresWriterOptions {
  config: ClientConfig;
  /** A server that was killed has the lock until PostgreSQL notices. */
  lockWaitMs: number;
  /** In the same instant as the end of a commit that was tried. */
  onCommit(): void;
  /** Nobody can tell any more what the database holds of what this server has done. */
  onFatal(reason: string): void;
}

/**
 * The one connection that writes, one transaction after the other: everybody waits in a queue, so transactions are
 * serialisable without any being tried again.
 *
 * The connection holds a lock, so that no two servers write; after a lost connection it is taken anew, and a number that goes
 * up with each server says whether another one had it in between. A commit whose answer never came may have happened or not,
 * which only a start from the database can settle.
 */
export interface PostgresWriter extends ConnectionSource {
  /** Raises an Error when another server has the database. */
  open(): Promise<void>;
}

export function createPostgresWriter({ config, lockWaitMs, onCommit, onFatal }: PostgresWriterOptions): PostgresWriter {
  const queue = createQueue();
  let client: Client | undefined;
  let epoch: number | undefined;

  async function connect(): Promise<Client> {
    const opened = new Client(config);
    // An idle connection that breaks says so here and nowhere else.
    opened.on('error', () => drop(opened));
    opened.on('end', () => drop(opened));
    await opened.connect();
    try {
      await takeLock(opened);
      await checkEpoch(opened);
      // Some set it off for speed; what is acknowledged here has been flushed.
      await opened.query(
        `select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'`,
      );
    } catch (error) {
      await opened.end().catch(() => undefined);
      throw error;
    }
    client = opened;
    return opened;
  }

  function drop(gone: Client): void {
    if (client === gone) client = undefined;
    gone.end().catch(() => undefined);
  }

  async function takeLock(opened: Client): Promise<void> {
    for (let waited = 0; ; waited += LOCK_PAUSE_MS) {
      const { rows } = await opened.query<{ taken: boolean }>(`select pg_try_advisory_lock(${LOCK}) as taken`);
      if (rows[0]?.taken === true) return;
      if (waited >= lockWaitMs) throw new Error(await describeOwner(opened));
      await new Promise((resolve) => setTimeout(resolve, LOCK_PAUSE_MS));
    }
  }

  async function checkEpoch(opened: Client): Promise<void> {
    await opened.query('create table if not exists server_epoch (one integer primary key, epoch bigint not null)');
    const { rows } =
      epoch === undefined
        ? await opened.query<{ epoch: number }>(
            'insert into server_epoch values (1, 1) on conflict (one) do update set epoch = server_epoch.epoch + 1 returning epoch',
          )
        : await opened.query<{ epoch: number }>('select epoch from server_epoch');
    const found = rows[0]?.epoch;
    if (epoch !== undefined && found !== epoch) {
      onFatal('the metadata database: another server has written to it while this one was cut off from it');
      throw new Error('another server has written to the database');
    }
    epoch = found;
  }

  return {
    open: async () => void (await connect()),
    async acquire() {
      await queue.enter();
      try {
        return client ?? (await connect());
      } catch (error) {
        queue.leave();
        throw error;
      }
    },
    release(used, broken) {
      if (broken) drop(used as Client);
      queue.leave();
    },
    async commit(used) {
      try {
        const { command } = await used.query('commit');
        // PostgreSQL ends a transaction in which a statement has failed so, without an error.
        if (command === 'ROLLBACK') throw new Error('a statement of the transaction had failed, so nothing of it was kept');
      } catch (error) {
        if (isConnectionLost(error))
          onFatal('the metadata database: the connection was lost during a commit, so nobody knows whether it happened');
        throw error;
      } finally {
        onCommit();
      }
    },
    async end() {
      await client?.end();
    },
  };
}

async function describeOwner(opened: Client): Promise<string> {
  const { rows } = await opened.query<{ pid: number; address: string | null; since: Date }>(
    `select a.pid, host(a.client_addr) as address, a.backend_start as since from pg_locks l join pg_stat_activity a using (pid)
      where l.locktype = 'advisory' and l.granted and l.database = (select oid from pg_database where datname = current_database())
        and (l.classid::bigint << 32) + l.objid::bigint = ${LOCK}`,
  );
  const [owner] = rows;
  const where = owner === undefined ? '' : ` (from ${owner.address ?? 'this machine'}, since ${owner.since.toISOString()})`;
  return `another Holdfast server uses this database${where}: stop it first, or give this one a database of its own with HOLDFAST_DATABASE_URL`;
}
