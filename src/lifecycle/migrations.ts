import { sql, type Kysely } from 'kysely';
import type { MetaDialect, Migration } from '../core/meta-store.ts';

/** The schema of `schema.ts`; the registry's goes before it. */
export const lifecycleMigrations: Migration[] = [
  { name: '0002-lifecycle', up: createTables },
  { name: '0003-lifecycle-archived', up: listArchived },
];

async function createTables(database: Kysely<never>, dialect: MetaDialect): Promise<void> {
  const text = dialect.name === 'sqlite' ? sql`text` : sql`text collate "C"`;

  await database.schema
    .createTable('lifecycle_policy')
    .addColumn('repository_id', 'bigint', (column) => column.primaryKey().references('repository.id').onDelete('cascade'))
    .addColumn('text', text, (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_by', text, (column) => column.notNull())
    .addColumn('last_evaluated_at', 'bigint')
    .addColumn('is_off', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();

  await database.schema
    .createTable('lifecycle_preview')
    .addColumn('repository_id', 'bigint', (column) => column.primaryKey().references('repository.id').onDelete('cascade'))
    .addColumn('id', text, (column) => column.notNull())
    .addColumn('policy_text', text, (column) => column.notNull())
    .addColumn('status', text, (column) => column.notNull())
    .addColumn('started_at', 'bigint', (column) => column.notNull())
    .addColumn('expiring', 'integer', (column) => column.notNull())
    .addColumn('archiving', 'integer', (column) => column.notNull())
    .execute();
  await database.schema
    .createTable('lifecycle_preview_image')
    .addColumn('repository_id', 'bigint', (column) =>
      column.notNull().references('lifecycle_preview.repository_id').onDelete('cascade'),
    )
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('digest', text, (column) => column.notNull())
    .addColumn('tags', text, (column) => column.notNull())
    .addColumn('pushed_at', 'bigint', (column) => column.notNull())
    .addColumn('action', text, (column) => column.notNull())
    .addColumn('rule', 'bigint', (column) => column.notNull())
    .addColumn('storage_class', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('lifecycle_preview_image_key', ['repository_id', 'position'])
    .execute();

  await database.schema
    .createTable('lifecycle_run')
    .addColumn('id', text, (column) => column.primaryKey().notNull())
    .addColumn('account', text, (column) => column.notNull())
    .addColumn('region', text, (column) => column.notNull())
    .addColumn('repository', text, (column) => column.notNull())
    .addColumn('policy_text', text, (column) => column.notNull())
    .addColumn('started_at', 'bigint', (column) => column.notNull())
    .addColumn('finished_at', 'bigint', (column) => column.notNull())
    .addColumn('status', text, (column) => column.notNull())
    .addColumn('principal', text, (column) => column.notNull())
    .addColumn('images', 'integer', (column) => column.notNull())
    .addColumn('expired', 'integer', (column) => column.notNull())
    .addColumn('archived', 'integer', (column) => column.notNull())
    .addColumn('held', 'integer', (column) => column.notNull())
    .addColumn('detail', text, (column) => column.notNull())
    .execute();
  await database.schema
    .createIndex('lifecycle_run_repository')
    .on('lifecycle_run')
    .columns(['account', 'region', 'repository', 'started_at', 'id'])
    .execute();
}

/** A row for each: a list in the run's own row would be written anew with every hundred images. */
async function listArchived(database: Kysely<never>, dialect: MetaDialect): Promise<void> {
  const text = dialect.name === 'sqlite' ? sql`text` : sql`text collate "C"`;
  await database.schema
    .createTable('lifecycle_run_archived')
    .addColumn('run', text, (column) => column.notNull().references('lifecycle_run.id').onDelete('cascade'))
    .addColumn('digest', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('lifecycle_run_archived_key', ['run', 'digest'])
    .execute();
}
