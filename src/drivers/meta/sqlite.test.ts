import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { sql } from 'kysely';
import { openSqliteMeta } from './sqlite.ts';
import { refuseOldSqlite } from './sqlite-version.ts';
import { fault } from '../../../test/support/faults.ts';
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

  it('says when it is full, and goes on when there is room again', async (test) => {
    const store = await openSqliteMeta<ContractTables>({
      path: await createPlace(test),
      migrations: contractMigrations,
      now: () => 1,
    });
    test.after(() => store.close());
    const limitPages = (pages: number) =>
      store.transact((transaction) => sql`pragma max_page_count = ${sql.lit(pages)}`.execute(transaction));
    const write = (name: string) =>
      store.transact((transaction) =>
        transaction
          .insertInto('shelf')
          .values({ name: name.repeat(100_000) })
          .execute(),
      );
    await limitPages(1);
    await assert.rejects(write('a'), fault('storage-full'));
    await limitPages(1_000_000);
    await write('b');
    assert.equal((await store.read.selectFrom('shelf').select('id').execute()).length, 1);
  });

  it('refuses every write after one that the disk has failed', async (test) => {
    const path = await createPlace(test);
    // A limit on the size of files is the one failure of a disk that anybody can cause.
    const lines = await runChild(path, 'fill', { fileBlocks: 400 });
    assert.deepEqual(lines.slice(-3), ['storage-failed', 'storage-failed', 'readable']);
    const written = lines.length - 3;
    assert.ok(written > 0);
    const store = await openSqliteMeta<ContractTables>({ path, migrations: contractMigrations, now: () => 1 });
    test.after(() => store.close());
    assert.equal((await store.read.selectFrom('shelf').select('id').execute()).length, written);
  });

  it('leaves out the flush where it is told to, and only there', async (test) => {
    const store = await openSqliteMeta<ContractTables>({
      path: await createPlace(test),
      migrations: contractMigrations,
      now: () => 1,
    });
    test.after(() => store.close());
    const flushes = async (survives?: 'kill') =>
      (
        await store.transact(
          (transaction) => sql<{ synchronous: number }>`pragma synchronous`.execute(transaction),
          survives === undefined ? {} : { survives },
        )
      ).rows[0]?.synchronous;
    const [normal, full] = [1, 2];
    assert.deepEqual(await Promise.all([flushes(), flushes('kill'), flushes(), flushes('kill')]), [full, normal, full, normal]);
    await assert.rejects(
      store.transact(() => Promise.reject(new Error('no')), { survives: 'kill' }),
      /no/,
    );
    assert.equal(await flushes(), full);
  });

  it('has everything that was acknowledged before its process was killed', async (test) => {
    const path = await createPlace(test);
    for (const [killAfter, task] of [
      [1, 'count'],
      [20, 'count-unflushed'],
      [57, 'count'],
    ] as const) {
      const acknowledged = await runChild(path, task, { killAfter });
      assert.ok(acknowledged.length >= killAfter);
      const store = await openSqliteMeta<ContractTables>({ path, migrations: contractMigrations, now: () => 1 });
      const names = new Set((await store.read.selectFrom('shelf').select('name').execute()).map((row) => row.name));
      for (const name of acknowledged) assert.ok(names.has(name), name);
      await store.close();
    }
  });
});

it('old versions of SQLite are refused, and the one that was withdrawn', () => {
  for (const version of ['3.40.1', '3.51.2', '3.52.0', '2.99.99', '0'])
    assert.throws(() => refuseOldSqlite(version), /can lose data/, version);
  for (const version of ['3.51.3', '3.51.10', '3.52.1', '3.53.0', '4.0.0']) refuseOldSqlite(version);
});

/** Runs `sqlite.child.ts` and gives the lines that it wrote until it ended, or was killed after so many. */
async function runChild(path: string, task: string, options: { killAfter?: number; fileBlocks?: number }): Promise<string[]> {
  const script = fileURLToPath(new URL('./sqlite.child.ts', import.meta.url));
  const limit = options.fileBlocks === undefined ? '' : `ulimit -f ${options.fileBlocks}; `;
  const child = spawn('sh', ['-c', `${limit}exec "$0" "$@"`, process.execPath, script, task, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === options.killAfter) child.kill('SIGKILL');
  }
  return lines;
}
