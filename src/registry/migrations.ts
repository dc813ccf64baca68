import { sql, type CreateTableBuilder, type Kysely } from 'kysely';
import type { MetaDialect, Migration } from '../core/meta-store.ts';

/** The schema of `schema.ts`, step by step. */
export const registryMigrations: Migration[] = [
  { name: '0001-registry', up: createTables },
  { name: '0002-registry-public-pull', up: indexPublicRepositories },
  { name: '0003-registry-blob-bytes', up: keepBytesBesideEdges },
];

async function createTables(database: Kysely<never>, dialect: MetaDialect): Promise<void> {
  const isSqlite = dialect.name === 'sqlite';
  // Tags, names and digests sort by their bytes, whatever the language of the database.
  const text = isSqlite ? sql`text` : sql`text collate "C"`;
  const bytes = dialect.bytes;
  /** Numbers are never given twice: a row that was looked up must not turn into another one. */
  const table = (name: string): CreateTableBuilder<string, never> =>
    database.schema
      .createTable(name)
      .addColumn('id', isSqlite ? 'integer' : 'bigserial', (column) =>
        isSqlite ? column.primaryKey().autoIncrement() : column.primaryKey(),
      );
  const index = (name: string, on: string, columns: string[]) => database.schema.createIndex(name).on(on).columns(columns);

  await table('repository')
    .addColumn('account', text, (column) => column.notNull())
    .addColumn('region', text, (column) => column.notNull())
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('tag_mutability', text, (column) => column.notNull())
    .addColumn('exclusion_filters', text, (column) => column.notNull())
    .addColumn('scan_on_push', 'integer', (column) => column.notNull())
    .addColumn('encryption_type', text, (column) => column.notNull())
    .addColumn('kms_key', text)
    .addColumn('policy_text', text)
    .addColumn('public_pull', 'integer', (column) => column.notNull().defaultTo(0))
    .addUniqueConstraint('repository_name', ['account', 'region', 'name'])
    .execute();

  await database.schema
    .createTable('repository_resource_tag')
    .addColumn('repository_id', 'bigint', (column) => column.notNull().references('repository.id').onDelete('cascade'))
    .addColumn('key', text, (column) => column.notNull())
    .addColumn('value', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('repository_resource_tag_key', ['repository_id', 'key'])
    .execute();

  await database.schema
    .createTable('blob')
    .addColumn('digest', text, (column) => column.primaryKey().notNull())
    .addColumn('bytes', 'bigint', (column) => column.notNull())
    .addColumn('stamp', text, (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('corrupt_at', 'bigint')
    .addColumn('verified_at', 'bigint', (column) => column.notNull())
    .execute();

  // A blob's row cannot go while a repository, an image or a deleted image still names it, whoever asks.
  await database.schema
    .createTable('repository_blob')
    .addColumn('repository_id', 'bigint', (column) => column.notNull().references('repository.id').onDelete('cascade'))
    .addColumn('digest', text, (column) => column.notNull().references('blob.digest').onDelete('restrict'))
    .addColumn('lease_until', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('repository_blob_key', ['repository_id', 'digest'])
    .execute();
  await index('repository_blob_digest', 'repository_blob', ['digest']).execute();
  await index('repository_blob_lease', 'repository_blob', ['lease_until']).execute();

  await table('manifest')
    .addColumn('repository_id', 'bigint', (column) => column.notNull().references('repository.id').onDelete('restrict'))
    .addColumn('digest', text, (column) => column.notNull())
    .addColumn('media_type', text, (column) => column.notNull())
    .addColumn('artifact_type', text)
    .addColumn('config_media_type', text)
    .addColumn('subject', text)
    .addColumn('annotations', text)
    .addColumn('size', 'bigint', (column) => column.notNull())
    .addColumn('image_size', 'bigint', (column) => column.notNull())
    .addColumn('pushed_at', 'bigint', (column) => column.notNull())
    .addColumn('pushed_by', text, (column) => column.notNull())
    .addColumn('pulled_at', 'bigint')
    .addColumn('storage_class', text, (column) => column.notNull().defaultTo('standard'))
    .addColumn('archived_at', 'bigint')
    .addColumn('activated_at', 'bigint')
    // Last, so that reading any other column of a row does not go through it.
    .addColumn('body', bytes, (column) => column.notNull())
    .addUniqueConstraint('manifest_digest', ['repository_id', 'digest'])
    .execute();
  await index('manifest_pushed', 'manifest', ['repository_id', 'pushed_at', 'id']).execute();
  await index('manifest_subject', 'manifest', ['repository_id', 'subject', 'digest']).execute();

  await database.schema
    .createTable('manifest_blob')
    .addColumn('manifest_id', 'bigint', (column) => column.notNull().references('manifest.id').onDelete('cascade'))
    .addColumn('digest', text, (column) => column.notNull().references('blob.digest').onDelete('restrict'))
    .addPrimaryKeyConstraint('manifest_blob_key', ['manifest_id', 'digest'])
    .execute();
  await index('manifest_blob_digest', 'manifest_blob', ['digest']).execute();

  await database.schema
    .createTable('manifest_child')
    .addColumn('manifest_id', 'bigint', (column) => column.notNull().references('manifest.id').onDelete('cascade'))
    .addColumn('digest', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('manifest_child_key', ['manifest_id', 'digest'])
    .execute();
  await index('manifest_child_digest', 'manifest_child', ['digest']).execute();

  // Tags go one by one, with a row of history each; so nothing cascades into them.
  await database.schema
    .createTable('tag')
    .addColumn('repository_id', 'bigint', (column) => column.notNull().references('repository.id').onDelete('restrict'))
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('manifest_id', 'bigint', (column) => column.notNull().references('manifest.id').onDelete('restrict'))
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('tag_key', ['repository_id', 'name'])
    .execute();
  await index('tag_manifest', 'tag', ['manifest_id', 'name']).execute();

  await table('tag_event')
    .addColumn('account', text, (column) => column.notNull())
    .addColumn('region', text, (column) => column.notNull())
    .addColumn('repository', text, (column) => column.notNull())
    .addColumn('tag', text, (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('old_digest', text)
    .addColumn('new_digest', text)
    .addColumn('principal', text, (column) => column.notNull())
    .addColumn('cause', text, (column) => column.notNull())
    .execute();
  await index('tag_event_tag', 'tag_event', ['account', 'region', 'repository', 'tag', 'at', 'id']).execute();
  await index('tag_event_repository', 'tag_event', ['account', 'region', 'repository', 'at', 'id']).execute();

  await database.schema
    .createTable('upload')
    .addColumn('id', text, (column) => column.primaryKey().notNull())
    .addColumn('repository_id', 'bigint', (column) => column.notNull().references('repository.id').onDelete('cascade'))
    .addColumn('algorithm', text, (column) => column.notNull())
    .addColumn('offset', 'bigint', (column) => column.notNull())
    .addColumn('started_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addColumn('principal', text, (column) => column.notNull())
    .execute();
  await index('upload_repository', 'upload', ['repository_id']).execute();

  // The database itself refuses to delete an image that is held.
  await database.schema
    .createTable('hold')
    .addColumn('id', text, (column) => column.primaryKey().notNull())
    .addColumn('repository_id', 'bigint', (column) => column.notNull())
    .addColumn('digest', text, (column) => column.notNull())
    .addColumn('kind', text, (column) => column.notNull())
    .addColumn('holder', text, (column) => column.notNull())
    .addColumn('note', text)
    .addColumn('since', 'bigint', (column) => column.notNull())
    .addColumn('expires_at', 'bigint')
    .addColumn('principal', text, (column) => column.notNull())
    .addUniqueConstraint('hold_holder', ['repository_id', 'digest', 'kind', 'holder'])
    .addForeignKeyConstraint('hold_image', ['repository_id', 'digest'], 'manifest', ['repository_id', 'digest'], (key) =>
      key.onDelete('restrict'),
    )
    .execute();
  await index('hold_digest', 'hold', ['digest']).execute();
  await index('hold_by_holder', 'hold', ['kind', 'holder']).execute();
  await index('hold_since', 'hold', ['since', 'id']).execute();
  await index('hold_expiry', 'hold', ['expires_at']).execute();

  await table('deleted_manifest')
    .addColumn('account', text, (column) => column.notNull())
    .addColumn('region', text, (column) => column.notNull())
    .addColumn('repository', text, (column) => column.notNull())
    .addColumn('digest', text, (column) => column.notNull())
    .addColumn('media_type', text, (column) => column.notNull())
    .addColumn('tags', text, (column) => column.notNull())
    .addColumn('pushed_at', 'bigint', (column) => column.notNull())
    .addColumn('pushed_by', text, (column) => column.notNull())
    .addColumn('pulled_at', 'bigint')
    .addColumn('storage_class', text, (column) => column.notNull())
    .addColumn('archived_at', 'bigint')
    .addColumn('activated_at', 'bigint')
    .addColumn('deleted_at', 'bigint', (column) => column.notNull())
    .addColumn('purge_at', 'bigint', (column) => column.notNull())
    .addColumn('principal', text, (column) => column.notNull())
    .addColumn('cause', text, (column) => column.notNull())
    .addColumn('run', text)
    .addColumn('body', bytes, (column) => column.notNull())
    .addUniqueConstraint('deleted_manifest_digest', ['account', 'region', 'repository', 'digest'])
    .execute();
  await index('deleted_manifest_latest', 'deleted_manifest', ['account', 'region', 'repository', 'deleted_at', 'id']).execute();
  await index('deleted_manifest_purge', 'deleted_manifest', ['purge_at']).execute();
  await index('deleted_manifest_run', 'deleted_manifest', ['run']).execute();

  await database.schema
    .createTable('deleted_blob')
    .addColumn('deleted_manifest_id', 'bigint', (column) =>
      column.notNull().references('deleted_manifest.id').onDelete('cascade'),
    )
    .addColumn('digest', text, (column) => column.notNull().references('blob.digest').onDelete('restrict'))
    .addPrimaryKeyConstraint('deleted_blob_key', ['deleted_manifest_id', 'digest'])
    .execute();
  await index('deleted_blob_digest', 'deleted_blob', ['digest']).execute();

  await database.schema
    .createTable('repository_template')
    .addColumn('account', text, (column) => column.notNull())
    .addColumn('region', text, (column) => column.notNull())
    .addColumn('prefix', text, (column) => column.notNull())
    .addColumn('document', text, (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('repository_template_key', ['account', 'region', 'prefix'])
    .execute();

  await database.schema
    .createTable('registry_setting')
    .addColumn('account', text, (column) => column.notNull())
    .addColumn('region', text, (column) => column.notNull())
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('value', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('registry_setting_key', ['account', 'region', 'name'])
    .execute();

  await table('audit')
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('account', text, (column) => column.notNull())
    .addColumn('region', text, (column) => column.notNull())
    .addColumn('principal', text, (column) => column.notNull())
    .addColumn('action', text, (column) => column.notNull())
    .addColumn('repository', text)
    .addColumn('detail', text, (column) => column.notNull())
    .execute();
  await index('audit_place', 'audit', ['account', 'region', 'id']).execute();
  await index('audit_repository', 'audit', ['account', 'region', 'repository', 'id']).execute();
}

/** Every stranger asks whether there is a public repository. */
async function indexPublicRepositories(database: Kysely<never>): Promise<void> {
  await sql`create index repository_public_pull on repository (id) where public_pull = 1`.execute(database);
}

/**
 * What comes free with an image: the bytes of its blobs that no other image has. Both are written beside the edge, since
 * the blobs' own rows, and the edges of other images, lie far apart.
 */
async function keepBytesBesideEdges(database: Kysely<never>): Promise<void> {
  await sql`alter table manifest_blob add column bytes bigint not null default 0`.execute(database);
  await sql`alter table manifest_blob add column is_shared integer not null default 0`.execute(database);
  await sql`update manifest_blob set bytes = (select bytes from blob where blob.digest = manifest_blob.digest),
    is_shared = case when digest in (select digest from manifest_blob group by digest having count(*) > 1) then 1 else 0 end`.execute(
    database,
  );
  await sql`drop index manifest_blob_digest`.execute(database);
  await sql`create index manifest_blob_digest on manifest_blob (digest, is_shared)`.execute(database);
}
