import { sql, type Kysely } from 'kysely';
import type { MetaDialect, Migration } from '../core/meta-store.ts';

/** The schema of `schema-services.ts`, step by step; after `taskMigrations`. */
export const serviceMigrations: Migration[] = [{ name: '0003-services', up: createTables }];

async function createTables(database: Kysely<never>, dialect: MetaDialect): Promise<void> {
  const isSqlite = dialect.name === 'sqlite';
  const text = isSqlite ? sql`text` : sql`text collate "C"`;
  const numbered = (name: string, key: string) =>
    database.schema
      .createTable(name)
      .addColumn(key, isSqlite ? 'integer' : 'bigserial', (column) =>
        isSqlite ? column.primaryKey().autoIncrement() : column.primaryKey(),
      );
  const index = (name: string, on: string, columns: string[]) => database.schema.createIndex(name).on(on).columns(columns);

  await numbered('service', 'id')
    .addColumn('cluster_id', 'bigint', (column) => column.notNull().references('cluster.id').onDelete('restrict'))
    .addColumn('account', text, (column) => column.notNull())
    .addColumn('region', text, (column) => column.notNull())
    .addColumn('cluster_name', text, (column) => column.notNull())
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('status', text, (column) => column.notNull())
    .addColumn('desired_count', 'integer', (column) => column.notNull())
    .addColumn('launch_type', text, (column) => column.notNull())
    .addColumn('scheduling_strategy', text, (column) => column.notNull())
    .addColumn('controller', text, (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('created_by', text, (column) => column.notNull())
    .addColumn('fingerprint', text, (column) => column.notNull())
    .addColumn('document', text, (column) => column.notNull())
    .addColumn('conditions', text, (column) => column.notNull())
    // A deleted service's row goes when the next one of the name comes.
    .addUniqueConstraint('service_name', ['cluster_id', 'name'])
    .execute();
  await index('service_status', 'service', ['status', 'cluster_id']).execute();

  const ofService = (name: string, key: string) =>
    database.schema
      .createTable(name)
      .addColumn(key, text, (column) => column.primaryKey().notNull())
      .addColumn('service_id', 'bigint', (column) => column.notNull().references('service.id').onDelete('cascade'));

  await ofService('service_revision', 'id')
    .addColumn('task_definition_id', 'bigint', (column) => column.notNull().references('task_definition.id').onDelete('restrict'))
    .addColumn('role', text, (column) => column.notNull())
    .addColumn('rollout', text, (column) => column.notNull())
    .addColumn('rollout_reason', text, (column) => column.notNull())
    .addColumn('resolution', text, (column) => column.notNull())
    .addColumn('resolve_by', text, (column) => column.notNull())
    .addColumn('failures', 'integer', (column) => column.notNull())
    .addColumn('failed_starts', 'integer', (column) => column.notNull())
    .addColumn('resolve_attempts', 'integer', (column) => column.notNull())
    .addColumn('last_failure_at', 'bigint')
    .addColumn('completed_at', 'bigint')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addColumn('held', 'integer', (column) => column.notNull())
    .addColumn('document', text, (column) => column.notNull())
    .execute();
  await index('service_revision_role', 'service_revision', ['service_id', 'role']).execute();
  await index('service_revision_completed', 'service_revision', ['service_id', 'completed_at']).execute();
  await index('service_revision_definition', 'service_revision', ['task_definition_id', 'role']).execute();

  await ofService('service_deployment', 'id')
    .addColumn('target_revision', text, (column) => column.notNull())
    .addColumn('status', text, (column) => column.notNull())
    .addColumn('status_reason', text)
    .addColumn('stage', text)
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('started_at', 'bigint')
    .addColumn('finished_at', 'bigint')
    .addColumn('stopped_at', 'bigint')
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addColumn('document', text, (column) => column.notNull())
    .execute();
  await index('service_deployment_created', 'service_deployment', ['service_id', 'created_at']).execute();

  await numbered('service_event', 'seq')
    .addColumn('id', text, (column) => column.notNull())
    .addColumn('service_id', 'bigint', (column) => column.notNull().references('service.id').onDelete('cascade'))
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('message', text, (column) => column.notNull())
    .execute();
  await index('service_event_service', 'service_event', ['service_id', 'seq']).execute();

  await ofService('service_task', 'task_id')
    .addColumn('revision_id', text, (column) => column.notNull())
    .addColumn('pilot', 'integer', (column) => column.notNull())
    .addColumn('why', text)
    .addColumn('healthy_at', 'bigint')
    .execute();
  await index('service_task_service', 'service_task', ['service_id']).execute();

  await ofService('task_set', 'id')
    .addColumn('status', text, (column) => column.notNull())
    .addColumn('scale', 'double precision', (column) => column.notNull())
    .addColumn('stability', text, (column) => column.notNull())
    .addColumn('stability_at', 'bigint', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addColumn('document', text, (column) => column.notNull())
    .execute();
  await index('task_set_service', 'task_set', ['service_id']).execute();
}
