import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { openSqliteMeta } from './sqlite.ts';
import { contractMigrations, metaStoreContract, type ContractTables } from './meta-store.contract.ts';

const createPlace = async (test: TestContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-meta-'));
  test.after(() => rm(folder, { recursive: true }));
  return join(folder, 'meta.db');
};

metaStoreContract('SQLite', {
  createPlace,
  open: (path, migrations) => openSqliteMeta<ContractTables>({ path, migrations, now: () => 1 }),
});

describe('the SQLite file', () => {
  it('is for its owner only, its log too', async (test) => {
    const path = await createPlace(test);
    const store = await openSqliteMeta<ContractTables>({ path, migrations: contractMigrations, now: () => 1 });
    test.after(() => store.close());
    await store.transact((transaction) => transaction.insertInto('shelf').values({ name: 'a' }).execute());
    for (const file of [path, `${path}-wal`, `${path}-shm`]) assert.equal((await stat(file)).mode & 0o777, 0o600, file);
  });

  it('does not give its connection to a stream, which would blind all other readers', async (test) => {
    const store = await openSqliteMeta<ContractTables>({
      path: await createPlace(test),
      migrations: contractMigrations,
      now: () => 1,
    });
    test.after(() => store.close());
    await assert.rejects(async () => {
      for await (const row of store.read.selectFrom('shelf').selectAll().stream()) assert.fail(`streamed ${row.name}`);
    }, /read in pages/);
    await assert.rejects(
      store.read.transaction().execute(async () => undefined),
      /use transact/,
    );
  });
});
