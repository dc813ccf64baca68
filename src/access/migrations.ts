import { sql, type Kysely } from 'kysely';
import type { MetaDialect, Migration } from '../core/meta-store.ts';

/** The schema of `schema.ts`, step by step. */
export const accessMigrations: Migration[] = [
  { name: '0001-access', up: createTables },
  { name: '0005-secrets', up: createSecrets },
];

async function createTables(database: Kysely<never>, dialect: MetaDialect): Promise<void> {
  // Identifiers sort by their bytes, whatever the language of the database.
  const text = dialect.name === 'sqlite' ? sql`text` : sql`text collate "C"`;
  await database.schema
    .createTable('access_key')
    .addColumn('access_key_id', text, (column) => column.primaryKey().notNull())
    .addColumn('secret', 'text', (column) => column.notNull())
    .addColumn('account', text, (column) => column.notNull())
    .addColumn('user_name', 'text', (column) => column.notNull())
    .addColumn('policy', 'text', (column) => column.notNull())
    .addColumn('allow', 'text', (column) => column.notNull())
    .addColumn('epoch', 'bigint', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('revoked_at', 'bigint')
    .addColumn('last_used_at', 'bigint')
    .execute();
  await database.schema
    .createIndex('access_key_order')
    .on('access_key')
    .columns(['account', 'created_at', 'access_key_id'])
    .execute();
  await database.schema
    .createTable('server_secret')
    .addColumn('name', text, (column) => column.primaryKey().notNull())
    .addColumn('value', 'text', (column) => column.notNull())
    .execute();
}

async function createSecrets(database: Kysely<never>, dialect: MetaDialect): Promise<void> {
  const text = dialect.name === 'sqlite' ? sql`text` : sql`text collate "C"`;
  await database.schema
    .createTable('secret')
    .addColumn('account', text, (column) => column.notNull())
    .addColumn('region', text, (column) => column.notNull())
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('sealed', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('secret_key', ['account', 'region', 'name'])
    .execute();
}
