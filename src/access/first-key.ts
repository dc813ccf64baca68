import type { Clock } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import type { IdSource } from '../core/ids.ts';
import type { MetaStore } from '../core/meta-store.ts';
import { makeAccessKeyId, makeSecret, parseAccessKeyId, parseSecret } from './key-material.ts';
import { newKeyRow } from './keys.ts';
import type { AccessTables } from './schema.ts';

const FIRST_USER = 'admin';

export interface FirstKey {
  accessKeyId: string;
  secretAccessKey: string;
  /** True when this call made it or changed it. */
  changed: boolean;
}

/**
 * The key that a server comes up with, of the user `admin`, who may do everything.
 *
 * Nothing given: the first key of an earlier start, or a new one on the very first. It stays revoked when somebody has
 * revoked it (`undefined`), for that was their wish. A key given: that one is the first key from now on, with that
 * secret; another first key is revoked, and tokens of an earlier secret are refused.
 *
 * Raises `parameter-invalid` when only one half is given, or one that is not a key.
 */
export async function ensureFirstKey(
  world: { meta: MetaStore<AccessTables>; clock: Clock; ids: IdSource; account: string },
  given: { accessKeyId?: string | undefined; secretAccessKey?: string | undefined },
): Promise<{ first: FirstKey | undefined; touched: string[] }> {
  const { meta, clock, ids, account } = world;
  const wanted = readGiven(given);
  const made = { accessKeyId: makeAccessKeyId(ids), secret: makeSecret(ids) };
  const now = clock.now();
  const marker = `first-key/${account}`;
  return meta.transact(async (transaction) => {
    const marked = await transaction.selectFrom('server_secret').select('value').where('name', '=', marker).executeTakeFirst();
    const findRow = (accessKeyId: string) =>
      transaction.selectFrom('access_key').selectAll().where('access_key_id', '=', accessKeyId).executeTakeFirst();
    const insert = (key: { accessKeyId: string; secret: string }) =>
      transaction
        .insertInto('access_key')
        .values(newKeyRow({ ...key, account, userName: FIRST_USER, allow: ['full'], now }))
        .execute();
    const mark = async (value: string): Promise<void> => {
      if (marked === undefined) await transaction.insertInto('server_secret').values({ name: marker, value }).execute();
      else await transaction.updateTable('server_secret').set({ value }).where('name', '=', marker).execute();
    };

    if (wanted === undefined) {
      if (marked === undefined) {
        await insert(made);
        await mark(made.accessKeyId);
        return { first: { accessKeyId: made.accessKeyId, secretAccessKey: made.secret, changed: true }, touched: [] };
      }
      const row = await findRow(marked.value);
      const isActive = row !== undefined && row.revoked_at === null;
      return {
        first: isActive ? { accessKeyId: row.access_key_id, secretAccessKey: row.secret, changed: false } : undefined,
        touched: [],
      };
    }

    const row = await findRow(wanted.accessKeyId);
    const full = newKeyRow({ ...wanted, account, userName: FIRST_USER, allow: ['full'], now });
    const isSame =
      marked?.value === wanted.accessKeyId &&
      row?.secret === wanted.secret &&
      row.revoked_at === null &&
      row.account === account &&
      row.policy === full.policy;
    if (isSame)
      return { first: { accessKeyId: wanted.accessKeyId, secretAccessKey: wanted.secret, changed: false }, touched: [] };
    if (row === undefined) await insert(wanted);
    else {
      const { secret, user_name, policy, allow } = full;
      const change = { secret, account, user_name, policy, allow, revoked_at: null, epoch: row.epoch + 1 };
      await transaction.updateTable('access_key').set(change).where('access_key_id', '=', wanted.accessKeyId).execute();
    }
    if (marked !== undefined && marked.value !== wanted.accessKeyId) {
      const earlier = transaction.updateTable('access_key').set({ revoked_at: now }).where('access_key_id', '=', marked.value);
      await earlier.where('revoked_at', 'is', null).execute();
    }
    await mark(wanted.accessKeyId);
    return {
      first: { accessKeyId: wanted.accessKeyId, secretAccessKey: wanted.secret, changed: true },
      touched: [wanted.accessKeyId, ...(marked === undefined ? [] : [marked.value])],
    };
  });
}

function readGiven(given: {
  accessKeyId?: string | undefined;
  secretAccessKey?: string | undefined;
}): { accessKeyId: string; secret: string } | undefined {
  const { accessKeyId, secretAccessKey } = given;
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId === undefined)
    throw new Fault('parameter-invalid', { member: 'accessKeyId', constraint: 'must be given together with a secretAccessKey' });
  if (secretAccessKey === undefined)
    throw new Fault('parameter-invalid', { member: 'secretAccessKey', constraint: 'must be given together with an accessKeyId' });
  return { accessKeyId: parseAccessKeyId(accessKeyId), secret: parseSecret(secretAccessKey) };
}
