import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { sql, type Generated } from 'kysely';
import type { MetaStore, Migration } from '../../core/meta-store.ts';

export interface ContractTables {
  shelf: { id: Generated<number>; name: string };
  book: { id: Generated<number>; shelf_id: number; title: string; pages: number; cover: Uint8Array | null };
}

export type ContractStore = MetaStore<ContractTables> & { close(): Promise<void> };

export const contractMigrations: Migration[] = [
  {
    name: '0001-shelves',
    async up(database, dialect) {
      const isSqlite = dialect.name === 'sqlite';
      await database.schema
        .createTable('shelf')
        .addColumn('id', isSqlite ? 'integer' : 'bigserial', (column) => column.primaryKey())
        .addColumn('name', isSqlite ? 'text' : sql`text collate "C"`, (column) => column.notNull().unique())
        .execute();
      await database.schema
        .createTable('book')
        .addColumn('id', isSqlite ? 'integer' : 'bigserial', (column) => column.primaryKey())
        .addColumn('shelf_id', 'bigint', (column) => column.notNull().references('shelf.id').onDelete('restrict'))
        .addColumn('title', 'text', (column) => column.notNull())
        .addColumn('pages', 'bigint', (column) => column.notNull())
        .addColumn('cover', dialect.bytes === 'blob' ? 'blob' : 'bytea')
        .execute();
    },
  },
];

/**
 * What every metadata driver promises (src/core/meta-store.ts).
 *
 * `open` opens the database of `place`, the same one each time; `createPlace` names a fresh one that goes away with the test.
 */
export function metaStoreContract<Location>(
  name: string,
  driver: {
    createPlace(test: TestContext): Promise<Location>;
    open(place: Location, migrations: Migration[]): Promise<ContractStore>;
  },
): void {
  const start = async (test: TestContext): Promise<ContractStore> => {
    const store = await driver.open(await driver.createPlace(test), contractMigrations);
    test.after(() => store.close());
    return store;
  };

  describe(`${name} keeps the promises of a metadata store`, () => {
    it('shows what a transaction wrote, once it has resolved', async (test) => {
      const store = await start(test);
      const cover = Uint8Array.from([0, 255, 1]);
      const id = await store.transact(async (transaction) => {
        const shelf = await transaction.insertInto('shelf').values({ name: 'north' }).returning('id').executeTakeFirstOrThrow();
        await transaction
          .insertInto('book')
          .values({ shelf_id: shelf.id, title: 'Ships', pages: 2 ** 53 - 1, cover })
          .execute();
        return shelf.id;
      });
      const book = await store.read.selectFrom('book').selectAll().where('shelf_id', '=', id).executeTakeFirstOrThrow();
      assert.equal(book.title, 'Ships');
      assert.equal(book.pages, 2 ** 53 - 1);
      assert.deepEqual([...(book.cover ?? [])], [...cover]);
    });

    it('keeps the inside of an unfinished transaction from readers', async (test) => {
      const store = await start(test);
      const gate = Promise.withResolvers<void>();
      const written = Promise.withResolvers<void>();
      const running = store.transact(async (transaction) => {
        await transaction.insertInto('shelf').values({ name: 'east' }).execute();
        written.resolve();
        await gate.promise;
      });
      await written.promise;
      assert.deepEqual(await store.read.selectFrom('shelf').select('name').execute(), []);
      gate.resolve();
      await running;
      assert.equal((await store.read.selectFrom('shelf').select('name').execute()).length, 1);
    });

    it('shows a snapshot as it was, however long it lasts, and keeps nobody from writing', async (test) => {
      const store = await start(test);
      const add = (name: string) => store.transact((transaction) => transaction.insertInto('shelf').values({ name }).execute());
      await add('first');
      await store.snapshot(async (database) => {
        await add('second');
        const names = await database.selectFrom('shelf').select('name').execute();
        assert.deepEqual(names, [{ name: 'first' }]);
        await add('third');
        assert.deepEqual(await database.selectFrom('shelf').select('name').execute(), names);
      });
      const failure = new Error('lost interest');
      await assert.rejects(
        store.snapshot(() => Promise.reject(failure)),
        (error) => error === failure,
      );
      assert.equal((await store.read.selectFrom('shelf').select('name').execute()).length, 3);
    });

    it('leaves nothing of a transaction that throws, and passes the error on', async (test) => {
      const store = await start(test);
      const failure = new Error('out of ink');
      const attempt = store.transact(async (transaction) => {
        await transaction.insertInto('shelf').values({ name: 'west' }).execute();
        throw failure;
      });
      await assert.rejects(attempt, (error) => error === failure);
      assert.deepEqual(await store.read.selectFrom('shelf').select('name').execute(), []);
      await store.transact((transaction) => transaction.insertInto('shelf').values({ name: 'west' }).execute());
      assert.equal((await store.read.selectFrom('shelf').select('name').execute()).length, 1);
    });

    it('runs transactions as if one after the other', async (test) => {
      const store = await start(test);
      const shelf = await store.transact((transaction) =>
        transaction.insertInto('shelf').values({ name: 'count' }).returning('id').executeTakeFirstOrThrow(),
      );
      await store.transact((transaction) =>
        transaction.insertInto('book').values({ shelf_id: shelf.id, title: 'tally', pages: 0, cover: null }).execute(),
      );
      const addOne = () =>
        store.transact(async (transaction) => {
          const { pages } = await transaction
            .selectFrom('book')
            .select('pages')
            .where('title', '=', 'tally')
            .executeTakeFirstOrThrow();
          await transaction
            .updateTable('book')
            .set({ pages: pages + 1 })
            .where('title', '=', 'tally')
            .execute();
        });
      await Promise.all(Array.from({ length: 50 }, addOne));
      const { pages } = await store.read.selectFrom('book').select('pages').executeTakeFirstOrThrow();
      assert.equal(pages, 50);
    });

    it('holds foreign keys and unique keys', async (test) => {
      const store = await start(test);
      const orphan = store.transact((transaction) =>
        transaction.insertInto('book').values({ shelf_id: 4711, title: 'Lost', pages: 1, cover: null }).execute(),
      );
      await assert.rejects(orphan);
      await store.transact((transaction) => transaction.insertInto('shelf').values({ name: 'one' }).execute());
      await assert.rejects(store.transact((transaction) => transaction.insertInto('shelf').values({ name: 'one' }).execute()));
      await store.transact((transaction) =>
        transaction
          .insertInto('shelf')
          .values({ name: 'one' })
          .onConflict((conflict) => conflict.column('name').doNothing())
          .execute(),
      );
      assert.equal((await store.read.selectFrom('shelf').select('id').execute()).length, 1);
    });

    it('orders text by its bytes', async (test) => {
      const store = await start(test);
      const names = ['b', 'a.1', 'A', '_', 'a-1', 'a', '0'];
      for (const shelf of names)
        await store.transact((transaction) => transaction.insertInto('shelf').values({ name: shelf }).execute());
      const rows = await store.read.selectFrom('shelf').select('name').where('name', '>', '0').orderBy('name').execute();
      assert.deepEqual(
        rows.map((row) => row.name),
        ['A', '_', 'a', 'a-1', 'a.1', 'b'],
      );
    });

    it('counts the rows that a change touched', async (test) => {
      const store = await start(test);
      for (const shelf of ['x', 'y', 'z']) {
        await store.transact((transaction) => transaction.insertInto('shelf').values({ name: shelf }).execute());
      }
      const result = await store.transact((transaction) =>
        transaction.deleteFrom('shelf').where('name', '>', 'x').executeTakeFirstOrThrow(),
      );
      assert.equal(Number(result.numDeletedRows), 2);
    });

    it('refuses to write on the reading side', async (test) => {
      const store = await start(test);
      await assert.rejects(store.read.insertInto('shelf').values({ name: 'no' }).execute());
      assert.deepEqual(await store.read.selectFrom('shelf').selectAll().execute(), []);
    });

    it('keeps everything over a restart, and runs each migration once', async (test) => {
      const place = await driver.createPlace(test);
      const first = await driver.open(place, contractMigrations);
      await first.transact((transaction) => transaction.insertInto('shelf').values({ name: 'kept' }).execute());
      await first.close();
      let runs = 0;
      const second = await driver.open(place, [
        ...contractMigrations,
        {
          name: '0002-more',
          async up(database) {
            runs += 1;
            await database.schema.createTable('more').addColumn('id', 'integer').execute();
          },
        },
      ]);
      assert.deepEqual(
        (await second.read.selectFrom('shelf').select('name').execute()).map((row) => row.name),
        ['kept'],
      );
      await second.close();
      assert.equal(runs, 1);
    });

    it('leaves nothing of a migration that fails, and runs it again', async (test) => {
      const place = await driver.createPlace(test);
      const broken: Migration = {
        name: '0002-broken',
        async up(database) {
          await database.schema.createTable('half').addColumn('id', 'integer').execute();
          throw new Error('stopped in the middle');
        },
      };
      await assert.rejects(driver.open(place, [...contractMigrations, broken]), /stopped in the middle/);
      const whole: Migration = {
        name: '0002-broken',
        async up(database) {
          await database.schema.createTable('half').addColumn('id', 'integer').execute();
        },
      };
      const store = await driver.open(place, [...contractMigrations, whole]);
      await store.close();
    });

    it('refuses a database that a newer release has made', async (test) => {
      const place = await driver.createPlace(test);
      const newer = await driver.open(place, [...contractMigrations, { name: '0009-later', async up() {} }]);
      await newer.close();
      await assert.rejects(driver.open(place, contractMigrations), /newer release.*0009-later/s);
    });
  });
}
