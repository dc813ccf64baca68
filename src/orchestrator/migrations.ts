import { sql, type CreateTableBuilder, type Kysely } from 'kysely';
import type { MetaDialect, Migration } from '../core/meta-store.ts';

/** The schema of `schema.ts`, step by step. */
export const taskMigrations: Migration[] = [{ name: '0002-orchestrator', up: createTables }];

async function createTables(database: Kysely<never>, dialect: MetaDialect): Promise<void> {
  const isSqlite = dialect.name === 'sqlite';
  // Names sort by their bytes, whatever the language of the database.
  const text = isSqlite ? sql`text` : sql`text collate "C"`;
  const numbered = (name: string): CreateTableBuilder<string, never> =>
    database.schema
      .createTable(name)
      .addColumn('id', isSqlite ? 'integer' : 'bigserial', (column) =>
        isSqlite ? column.primaryKey().autoIncrement() : column.primaryKey(),
      );
  const placed = <Columns extends string>(table: CreateTableBuilder<string, Columns>) =>
    table.addColumn('account', text, (column) => column.notNull()).addColumn('region', text, (column) => column.notNull());
  const index = (name: string, on: string, columns: string[]) => database.schema.createIndex(name).on(on).columns(columns);

  await placed(numbered('cluster'))
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('status', text, (column) => column.notNull())
    .addColumn('document', text, (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addUniqueConstraint('cluster_name', ['account', 'region', 'name'])
    .execute();

  await placed(database.schema.createTable('task_definition_family'))
    .addColumn('family', text, (column) => column.notNull())
    .addColumn('last_revision', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('task_definition_family_key', ['account', 'region', 'family'])
    .execute();

  await placed(numbered('task_definition'))
    .addColumn('family', text, (column) => column.notNull())
    .addColumn('revision', 'integer', (column) => column.notNull())
    .addColumn('status', text, (column) => column.notNull())
    .addColumn('registered_at', 'bigint', (column) => column.notNull())
    .addColumn('registered_by', text, (column) => column.notNull())
    .addColumn('deregistered_at', 'bigint')
    .addColumn('delete_requested_at', 'bigint')
    // Last, so that reading any other column of a row does not go through it.
    .addColumn('document', text, (column) => column.notNull())
    .addUniqueConstraint('task_definition_revision', ['account', 'region', 'family', 'revision'])
    .execute();

  await database.schema
    .createTable('task')
    .addColumn('id', text, (column) => column.primaryKey().notNull())
    .addColumn('cluster_id', 'bigint', (column) => column.notNull().references('cluster.id').onDelete('restrict'))
    .addColumn('task_definition_id', 'bigint', (column) => column.notNull().references('task_definition.id').onDelete('restrict'))
    .addColumn('family', text, (column) => column.notNull())
    .addColumn('service_id', 'bigint')
    .addColumn('revision_id', text)
    .addColumn('task_set_id', text)
    .addColumn('host_id', text)
    .addColumn('launch_type', text, (column) => column.notNull())
    .addColumn('group_name', text, (column) => column.notNull())
    .addColumn('started_by', text)
    .addColumn('desired_status', text, (column) => column.notNull())
    .addColumn('last_status', text, (column) => column.notNull())
    .addColumn('health', text, (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('pull_started_at', 'bigint')
    .addColumn('pull_stopped_at', 'bigint')
    .addColumn('started_at', 'bigint')
    .addColumn('stopping_at', 'bigint')
    .addColumn('execution_stopped_at', 'bigint')
    .addColumn('stopped_at', 'bigint')
    .addColumn('stop_code', text)
    .addColumn('stopped_reason', text)
    .addColumn('protected_until', 'bigint')
    .addColumn('cpu', 'integer', (column) => column.notNull())
    .addColumn('memory', 'integer', (column) => column.notNull())
    .addColumn('host_ports', text, (column) => column.notNull())
    .addColumn('document', text, (column) => column.notNull())
    .addColumn('sight', text, (column) => column.notNull())
    .execute();
  await index('task_cluster', 'task', ['cluster_id', 'desired_status', 'last_status', 'launch_type', 'id']).execute();
  await index('task_service', 'task', ['service_id', 'revision_id', 'last_status']).execute();
  await index('task_definition_task', 'task', ['task_definition_id', 'last_status']).execute();
  // With what is summed up, so that placing need not read the rows.
  await index('task_host', 'task', ['host_id', 'last_status', 'launch_type', 'cpu', 'memory']).execute();
  await index('task_stopped', 'task', ['stopped_at']).execute();

  await database.schema
    .createTable('container_instance')
    .addColumn('cluster_id', 'bigint', (column) => column.notNull().references('cluster.id').onDelete('cascade'))
    .addColumn('host_id', text, (column) => column.notNull())
    .addColumn('status', text, (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('container_instance_key', ['cluster_id', 'host_id'])
    .execute();

  await database.schema
    .createTable('attribute')
    .addColumn('cluster_id', 'bigint', (column) => column.notNull().references('cluster.id').onDelete('cascade'))
    .addColumn('host_id', text, (column) => column.notNull())
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('value', text)
    .addPrimaryKeyConstraint('attribute_key', ['cluster_id', 'host_id', 'name'])
    .execute();

  await placed(database.schema.createTable('capacity_provider'))
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('status', text, (column) => column.notNull())
    .addColumn('document', text, (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('capacity_provider_key', ['account', 'region', 'name'])
    .execute();

  await placed(database.schema.createTable('ecs_account_setting'))
    .addColumn('principal', text, (column) => column.notNull())
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('value', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('ecs_account_setting_key', ['account', 'region', 'principal', 'name'])
    .execute();

  await placed(database.schema.createTable('resource_tag'))
    .addColumn('arn', text, (column) => column.notNull())
    .addColumn('key', text, (column) => column.notNull())
    .addColumn('value', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('resource_tag_key', ['arn', 'key'])
    .execute();

  await database.schema
    .createTable('client_token')
    .addColumn('cluster_id', 'bigint', (column) => column.notNull().references('cluster.id').onDelete('cascade'))
    .addColumn('operation', text, (column) => column.notNull())
    .addColumn('token', text, (column) => column.notNull())
    .addColumn('fingerprint', text, (column) => column.notNull())
    .addColumn('resources', text, (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('client_token_key', ['cluster_id', 'operation', 'token'])
    .execute();
  await index('client_token_expiry', 'client_token', ['expires_at']).execute();
}
