import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createManualClock } from '../core/clock.ts';
import { isFault, type FaultKind } from '../core/fault.ts';
import { openSqliteMeta } from '../drivers/meta/sqlite.ts';
import { accessMigrations } from './migrations.ts';
import type { AccessTables } from './schema.ts';
import { createSecrets, MAX_SECRET_BYTES } from './secrets.ts';
import { createServerSecret } from './server-secret.ts';

const HERE = { account: '123456789012', region: 'us-east-1', principal: 'arn:aws:iam::123456789012:user/ann' };
const VALUE = '{"username":"robot","password":"open-sesame-4711"}';

async function open(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-secrets-'));
  const meta = await openSqliteMeta<AccessTables>({
    path: join(folder, 'meta.db'),
    migrations: accessMigrations,
    now: () => 0,
  });
  t.after(async () => {
    await meta.close();
    await rm(folder, { recursive: true });
  });
  const clock = createManualClock(1_000);
  const ids = { uuid: () => randomUUID(), bytes: (count: number) => randomBytes(count) };
  const audited: unknown[] = [];
  const another = () =>
    createSecrets({
      meta,
      clock,
      ids,
      readSecret: createServerSecret({ meta, ids }),
      audit: (_transaction, _caller, event) => Promise.resolve(void audited.push(event)),
    });
  return { folder, meta, clock, another, secrets: another(), audited };
}

const refused = (promise: Promise<unknown>, kind: FaultKind) => assert.rejects(promise, (error) => isFault(error, kind));

test('a value comes back as it was put in, for every server on the database, and is nowhere on the disk', async (t) => {
  const { folder, secrets, another, clock, audited } = await open(t);
  assert.deepEqual(await secrets.put(HERE, 'team/registry', 'old'), { name: 'team/registry', createdAt: 1000, updatedAt: 1000 });
  clock.advance(500);
  assert.deepEqual(await secrets.put(HERE, 'team/registry', VALUE), { name: 'team/registry', createdAt: 1000, updatedAt: 1500 });
  assert.equal(await another().read(HERE, 'team/registry'), VALUE);
  assert.equal(await secrets.read({ ...HERE, region: 'eu-west-1' }, 'team/registry'), undefined);
  const files = await readdir(folder);
  const bytes = Buffer.concat(await Promise.all(files.map((file) => readFile(join(folder, file)))));
  assert.ok(bytes.includes('team/registry'), 'the database was read');
  for (const form of ['utf8', 'base64', 'hex'] as const)
    assert.ok(!bytes.includes(Buffer.from('open-sesame-4711').toString(form)), form);
  assert.ok(!JSON.stringify(audited).includes('sesame'));
});

test('a value that was moved or altered in the database does not open', async (t) => {
  const { meta, secrets } = await open(t);
  await secrets.put(HERE, 'a', VALUE);
  await secrets.put(HERE, 'b', VALUE);
  const rows = await meta.read.selectFrom('secret').select('sealed').orderBy('name').execute();
  assert.notEqual(rows[0]?.sealed, rows[1]?.sealed);
  const set = (sealed: string) =>
    meta.transact((transaction) => transaction.updateTable('secret').set({ sealed }).where('name', '=', 'b').execute());
  await set(rows[0]?.sealed ?? '');
  await assert.rejects(secrets.read(HERE, 'b'), /authenticate/);
  await set('AAAA');
  await assert.rejects(secrets.read(HERE, 'b'), /not in a form/);
});

test('they are listed by name, page by page, and deleted', async (t) => {
  const { secrets } = await open(t);
  for (const name of ['c', 'a/b', 'b']) await secrets.put(HERE, name, VALUE);
  const first = await secrets.list(HERE, { limit: 2 });
  assert.deepEqual(first, {
    items: ['a/b', 'b'].map((name) => ({ name, createdAt: 1000, updatedAt: 1000 })),
    next: 'b',
  });
  assert.deepEqual(
    (await secrets.list(HERE, { limit: 2, next: 'b' })).items.map(({ name }) => name),
    ['c'],
  );
  await secrets.delete(HERE, 'c');
  assert.equal(await secrets.read(HERE, 'c'), undefined);
  await refused(secrets.delete(HERE, 'c'), 'secret-unknown');
});

test('names and values have bounds', async (t) => {
  const { secrets } = await open(t);
  for (const name of ['', 'a b', 'a:b', 'ä', 'x'.repeat(513)]) await refused(secrets.put(HERE, name, VALUE), 'parameter-invalid');
  for (const value of ['', 'ä'.repeat(MAX_SECRET_BYTES / 2 + 1)])
    await refused(secrets.put(HERE, 'a', value), 'parameter-invalid');
  const longest = 'x'.repeat(MAX_SECRET_BYTES);
  await secrets.put(HERE, 'x'.repeat(512), longest);
  assert.equal(await secrets.read(HERE, 'x'.repeat(512)), longest);
});
