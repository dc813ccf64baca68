import type { Kysely } from 'kysely';
import type { MetaDialect, Migration } from '../../core/meta-store.ts';

interface MigrationTables {
  schema_migration: { name: string; applied_at: number };
}

/**
 * Brings the schema up to date: every migration that has not run yet, by name, each in a transaction of its own together
 * with the note that it has. A crash leaves whole migrations only.
 *
 * Raises an Error when the database has a migration that this release does not know.
 */
export async function migrate<Tables>(
  database: Kysely<Tables>,
  migrations: Migration[],
  dialect: MetaDialect,
  now: () => number,
): Promise<void> {
  const ordered = [...migrations].sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));
  const names = new Set(ordered.map((migration) => migration.name));
  if (names.size !== ordered.length) throw new Error('two migrations have the same name');

  const schema = database as unknown as Kysely<MigrationTables>;
  const applied = await schema.transaction().execute(async (transaction) => {
    await transaction.schema
      .createTable('schema_migration')
      .ifNotExists()
      .addColumn('name', 'text', (column) => column.primaryKey().notNull())
      .addColumn('applied_at', 'bigint', (column) => column.notNull())
      .execute();
    const rows = await transaction.selectFrom('schema_migration').select('name').execute();
    return new Set(rows.map((row) => row.name));
  });

  const unknown = [...applied].filter((name) => !names.has(name)).sort();
  if (unknown.length > 0) {
    throw new Error(
      `the metadata database was made by a newer release: it has ${unknown.join(', ')}, which this one does not know. ` +
        'Start the release that made it, or restore a backup from before the upgrade.',
    );
  }

  for (const migration of ordered) {
    if (applied.has(migration.name)) continue;
    await schema.transaction().execute(async (transaction) => {
      // Another process may have been quicker.
      const done = await transaction
        .selectFrom('schema_migration')
        .select('name')
        .where('name', '=', migration.name)
        .executeTakeFirst();
      if (done !== undefined) return;
      await migration.up(transaction as unknown as Kysely<never>, dialect);
      await transaction.insertInto('schema_migration').values({ name: migration.name, applied_at: now() }).execute();
    });
  }
}
