import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { MetaStore, Migration } from '../../src/core/meta-store.ts';
import { openPostgresMeta } from '../../src/drivers/meta/postgres.ts';
import { openSqliteMeta } from '../../src/drivers/meta/sqlite.ts';
import type { Cleanup } from './cleanup.ts';

/** `postgres://…` of a server on which databases may be made: the rooms are then tested on it. */
const POSTGRES = process.env['HOLDFAST_TEST_DATABASE_URL'];

type OpenMeta<Tables> = MetaStore<Tables> & { close(): Promise<void> };

/** A metadata database of its own, which goes away with the test. */
export async function openMeta<Tables>(test: Cleanup, migrations: Migration[], now?: () => number): Promise<OpenMeta<Tables>> {
  const meta = await createMeta<Tables>(migrations, now);
  test.after(() => meta.close());
  return meta;
}

/** The same, which goes away when it is closed: SQLite in a folder, or PostgreSQL where its address is set. */
export async function createMeta<Tables>(migrations: Migration[], now = () => 0): Promise<OpenMeta<Tables>> {
  if (POSTGRES !== undefined) return createOnPostgres(POSTGRES, migrations, now);
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-meta-'));
  const meta = await openSqliteMeta<Tables>({ path: join(folder, 'meta.db'), migrations, now });
  return {
    ...meta,
    async close() {
      await meta.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

let databases = 0;

async function createOnPostgres<Tables>(server: string, migrations: Migration[], now: () => number): Promise<OpenMeta<Tables>> {
  const url = new URL(server);
  const name = `rooms_${process.pid}_${++databases}`;
  const order = async (sql: string): Promise<void> => {
    const client = new Client({ connectionString: server });
    await client.connect();
    await client.query(sql);
    await client.end();
  };
  await order(`create database ${name} template template0`);
  url.pathname = `/${name}`;
  const meta = await openPostgresMeta<Tables>({ url: url.href, migrations, now });
  return {
    ...meta,
    async close() {
      await meta.close();
      await order(`drop database if exists ${name} with (force)`);
    },
  };
}
