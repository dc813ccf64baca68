import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { fault } from '../../../test/support/faults.ts';
import { createCleanup } from '../../../test/support/cleanup.ts';
import { NO_POSTGRES, startPostgres, type PostgresServer } from '../../../test/support/postgres.ts';
import { requireAbility } from '../../../test/support/tools.ts';
import { contractMigrations, metaStoreContract, type ContractStore, type ContractTables } from './meta-store.contract.ts';
import { openPostgresMeta } from './postgres.ts';

const cleanup = createCleanup();
let started: PostgresServer | undefined;
before(async () => {
  started = await startPostgres(cleanup);
});
after(() => cleanup.run());

/** Where PostgreSQL is not installed the test is skipped, and `undefined` comes back. */
function server(test: TestContext): PostgresServer | undefined {
  return requireAbility(test, started !== undefined, NO_POSTGRES) ? started : undefined;
}

metaStoreContract('PostgreSQL', {
  async createPlace(test) {
    return (await server(test)?.createDatabase()) ?? '';
  },
  open: (url, migrations) => openPostgresMeta<ContractTables>({ url, migrations, now: () => 1 }),
});

const open = (url: string, onFatal?: (reason: string) => void): Promise<ContractStore> =>
  openPostgresMeta<ContractTables>({
    url,
    migrations: contractMigrations,
    now: () => 1,
    lockWaitMs: 500,
    ...(onFatal ? { onFatal } : {}),
  });

const addShelf = (store: ContractStore, name: string) =>
  store.transact((transaction) => transaction.insertInto('shelf').values({ name }).execute());

const shelves = async (store: ContractStore): Promise<string[]> =>
  (await store.read.selectFrom('shelf').select('name').orderBy('name').execute()).map(({ name }) => name);

describe('a PostgreSQL database', () => {
  it('is for one server at a time, and says which has it', async (test) => {
    const postgres = server(test);
    if (postgres === undefined) return;
    const url = await postgres.createDatabase();
    const first = await open(url);
    await assert.rejects(
      open(url),
      /^Error: HOLDFAST_DATABASE_URL: another Holdfast server uses this database \(from 127\.0\.0\.1/,
    );
    await first.close();
    const second = await open(url);
    await second.close();
  });

  it('is reconnected to after its connections were cut, and nothing acknowledged is lost', async (test) => {
    const postgres = server(test);
    if (postgres === undefined) return;
    const url = await postgres.createDatabase();
    const store = await open(url, (reason) => assert.fail(reason));
    test.after(() => store.close());
    await addShelf(store, 'a');
    const cut = `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'holdfast' and datname = current_database()`;
    await postgres.query(url, cut);
    // The first to find the connection gone may be told so; whoever comes then is served.
    await shelves(store).catch(fault('storage-unreachable'));
    await addShelf(store, 'b').catch(fault('storage-unreachable'));
    await addShelf(store, 'c');
    const found = await shelves(store);
    assert.ok(found.includes('a') && found.includes('c'), found.join());
  });

  it('is not written to any more by a server that was cut off while another one had it', async (test) => {
    const postgres = server(test);
    if (postgres === undefined) return;
    const url = await postgres.createDatabase();
    const reasons: string[] = [];
    const store = await open(url, (reason) => void reasons.push(reason));
    test.after(() => store.close());
    await postgres.query(url, 'update server_epoch set epoch = epoch + 1');
    await postgres.query(url, `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'`);
    await addShelf(store, 'a').catch(() => undefined);
    await assert.rejects(addShelf(store, 'b'), /another server has written/);
    assert.match(reasons.join(), /another server has written to it/);
  });

  it('is said to be away while it is, and comes back by itself', async (test) => {
    const own = createCleanup();
    test.after(() => own.run());
    const postgres = server(test) && (await startPostgres(own));
    if (postgres === undefined) return;
    const url = await postgres.createDatabase();
    const store = await open(url, (reason) => assert.fail(reason));
    own.after(() => store.close());
    await addShelf(store, 'a');
    await postgres.stop('immediate');
    await assert.rejects(addShelf(store, 'b'), fault('storage-unreachable'));
    await assert.rejects(shelves(store), fault('storage-unreachable'));
    await postgres.start();
    await addShelf(store, 'c');
    assert.deepEqual(await shelves(store), ['a', 'c']);
  });

  it('is refused with what to do, and never with the password', async (test) => {
    const postgres = server(test);
    if (postgres === undefined) return;
    const url = new URL(await postgres.createDatabase());
    const refusal = async (change: (url: URL) => void): Promise<string> => {
      const changed = new URL(url);
      change(changed);
      const error = await open(changed.href).then(
        () => assert.fail('opened'),
        (caught: Error) => caught,
      );
      assert.ok(!`${error.message}${error.stack}${String(error.cause)}`.includes(changed.password), error.message);
      return error.message;
    };
    assert.match(await refusal((one) => (one.password = 'wrong-one')), /password authentication failed for user "holdfast"/);
    assert.match(await refusal((one) => (one.pathname = '/nowhere')), /database "nowhere" does not exist/);
    assert.match(await refusal((one) => (one.port = '1')), /ECONNREFUSED/);
    const latin = await postgres.createDatabase({ encoding: 'LATIN1' });
    await assert.rejects(open(latin), /has the encoding LATIN1; make one with: createdb/);
  });
});
