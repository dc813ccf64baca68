import type { IdSource } from '../core/ids.ts';
import type { MetaStore } from '../core/meta-store.ts';
import type { AccessTables } from './schema.ts';

/** Gives the secret that seals tokens: 32 bytes, made once and then the same for every server on this database. */
export type ReadServerSecret = () => Promise<Buffer>;

const NAME = 'seal';

export function createServerSecret({ meta, ids }: { meta: MetaStore<AccessTables>; ids: IdSource }): ReadServerSecret {
  let known: Promise<Buffer> | undefined;
  const load = async (): Promise<Buffer> => {
    const candidate = Buffer.from(ids.bytes(32)).toString('hex');
    const value = await meta.transact(async (transaction) => {
      const written = transaction.insertInto('server_secret').values({ name: NAME, value: candidate });
      await written.onConflict((conflict) => conflict.column('name').doNothing()).execute();
      const row = await transaction
        .selectFrom('server_secret')
        .select('value')
        .where('name', '=', NAME)
        .executeTakeFirstOrThrow();
      return row.value;
    });
    return Buffer.from(value, 'hex');
  };
  return () => {
    known ??= load().catch((error: unknown) => {
      // The next caller tries again.
      known = undefined;
      throw error;
    });
    return known;
  };
}
