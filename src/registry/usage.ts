import type { Kysely } from 'kysely';
import type { Registry } from './registry.ts';
import type { RegistryTables } from './schema.ts';

/** Counts over all accounts and regions, from one moment. */
export async function readUsage(database: Kysely<RegistryTables>, now: number): ReturnType<Registry['usage']> {
  const row = await database
    .selectNoFrom((builder) => {
      const count = (table: 'repository' | 'manifest' | 'blob' | 'deleted_manifest') =>
        builder.selectFrom(table).select((inner) => inner.fn.countAll<number>().as('count'));
      return [
        count('repository').as('repositories'),
        count('manifest').as('images'),
        count('blob').as('blobs'),
        builder
          .selectFrom('blob')
          .select((inner) => inner.fn.sum<number>('bytes').as('sum'))
          .as('blobBytes'),
        count('deleted_manifest').as('deletedImages'),
        builder
          .selectFrom('hold')
          .select((inner) => inner.fn.countAll<number>().as('count'))
          .where((inner) => inner.or([inner('expires_at', 'is', null), inner('expires_at', '>', now)]))
          .as('holds'),
      ];
    })
    .executeTakeFirstOrThrow();
  return {
    repositories: Number(row.repositories),
    images: Number(row.images),
    blobs: Number(row.blobs),
    blobBytes: Number(row.blobBytes ?? 0),
    deletedImages: Number(row.deletedImages),
    holds: Number(row.holds),
  };
}
