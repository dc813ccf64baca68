import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import type { IdSource } from '../core/ids.ts';
import type { MetaStore } from '../core/meta-store.ts';
import type { Page, PageRequest } from '../core/page.ts';
import type { Caller, Place } from '../core/place.ts';
import type { AuditKeys } from './keys.ts';
import type { AccessTables } from './schema.ts';
import type { ReadServerSecret } from './server-secret.ts';

/** A secret as it is shown: everything but its value. Times are milliseconds since the epoch. */
export interface SecretSummary {
  name: string;
  createdAt: number;
  updatedAt: number;
}

/** Values that services need and nobody is shown again, by name, in each region its own. */
export interface Secrets {
  /** Makes it, or gives it another value. Raises `parameter-invalid`, `limit-exceeded`. */
  put(caller: Caller, name: string, value: string): Promise<SecretSummary>;
  /** The value; `undefined` for a name that is not there. Raises an Error for one that was altered in the database. */
  read(place: Place, name: string): Promise<string | undefined>;
  /** By name. */
  list(place: Place, page: PageRequest): Promise<Page<SecretSummary>>;
  /** Raises `secret-unknown`. */
  delete(caller: Caller, name: string): Promise<void>;
}

/** UTF-8 bytes; well below what one request to the API may have. */
export const MAX_SECRET_BYTES = 32 * 1024;
const NAME = /^[A-Za-z0-9/_+=.@-]{1,512}$/;
const MAX_SECRETS = 10_000;

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export function createSecrets(options: {
  meta: MetaStore<AccessTables>;
  clock: Clock;
  ids: IdSource;
  readSecret: ReadServerSecret;
  audit?: AuditKeys;
}): Secrets {
  const { meta, clock, ids, audit } = options;
  let key: Promise<Buffer> | undefined;
  const readKey = (): Promise<Buffer> =>
    (key ??= options.readSecret().then(
      (secret) => Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), 'holdfast secrets', 32)),
      (error: unknown) => {
        key = undefined;
        throw error;
      },
    ));

  return {
    async put(caller, name, value) {
      if (!NAME.test(name)) invalid('name', 'must have 1 to 512 letters, digits and characters of / _ + = . @ -');
      const bytes = Buffer.from(value, 'utf8');
      if (bytes.length === 0 || bytes.length > MAX_SECRET_BYTES) invalid('value', `must have 1 to ${MAX_SECRET_BYTES} bytes`);
      const { account, region } = caller;
      const now = clock.now();
      const sealed = encrypt(await readKey(), ids.bytes(NONCE_BYTES), bindingOf(caller, name), bytes);
      return meta.transact(async (transaction) => {
        const all = transaction.selectFrom('secret').where('account', '=', account).where('region', '=', region);
        const before = await all.select('created_at').where('name', '=', name).executeTakeFirst();
        if (before === undefined) {
          const { count } = await all.select((select) => select.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
          if (Number(count) >= MAX_SECRETS) throw new Fault('limit-exceeded', { what: 'secrets', limit: MAX_SECRETS });
        }
        await transaction
          .insertInto('secret')
          .values({ account, region, name, sealed, created_at: now, updated_at: now })
          .onConflict((conflict) => conflict.columns(['account', 'region', 'name']).doUpdateSet({ sealed, updated_at: now }))
          .execute();
        await audit?.(transaction, caller, { at: now, action: 'secret.put', detail: { name } });
        return { name, createdAt: before?.created_at ?? now, updatedAt: now };
      });
    },

    async read(place, name) {
      const query = meta.read.selectFrom('secret').select('sealed').where('account', '=', place.account);
      const row = await query.where('region', '=', place.region).where('name', '=', name).executeTakeFirst();
      if (row === undefined) return undefined;
      return decrypt(await readKey(), bindingOf(place, name), row.sealed).toString('utf8');
    },

    async list({ account, region }, { limit, next }) {
      let query = meta.read.selectFrom('secret').select(['name', 'created_at', 'updated_at']).where('account', '=', account);
      query = query.where('region', '=', region);
      // The name itself, where the page before ended, is all that a cursor has to say.
      if (next !== undefined) query = query.where('name', '>', next);
      const rows = await query
        .orderBy('name')
        .limit(limit + 1)
        .execute();
      const items = rows
        .slice(0, limit)
        .map(({ name, created_at, updated_at }) => ({ name, createdAt: created_at, updatedAt: updated_at }));
      const last = items.at(-1);
      return { items, ...(rows.length > limit && last !== undefined ? { next: last.name } : {}) };
    },

    async delete(caller, name) {
      await meta.transact(async (transaction) => {
        const mine = transaction.deleteFrom('secret').where('account', '=', caller.account);
        const gone = await mine.where('region', '=', caller.region).where('name', '=', name).returning('name').executeTakeFirst();
        if (gone === undefined) throw new Fault('secret-unknown', { name: name.slice(0, 512) });
        await audit?.(transaction, caller, { at: clock.now(), action: 'secret.delete', detail: { name } });
      });
    },
  };
}

/** A value that was moved to another name or region in the database does not open there. */
function bindingOf({ account, region }: Place, name: string): Buffer {
  return Buffer.from(JSON.stringify([account, region, name]));
}

/** AES-256-GCM (NIST SP 800-38D): version, nonce, what is kept secret, tag; in base64. */
function encrypt(key: Buffer, nonce: Uint8Array, binding: Buffer, value: Buffer): string {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(binding);
  const hidden = Buffer.concat([cipher.update(value), cipher.final()]);
  return Buffer.concat([Buffer.of(VERSION), nonce, hidden, cipher.getAuthTag()]).toString('base64');
}

function decrypt(key: Buffer, binding: Buffer, sealed: string): Buffer {
  const bytes = Buffer.from(sealed, 'base64');
  if (bytes[0] !== VERSION || bytes.length <= 1 + NONCE_BYTES + TAG_BYTES)
    throw new Error('a secret in the database is not in a form that this version reads');
  const nonce = bytes.subarray(1, 1 + NONCE_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(binding);
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(1 + NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
}

function invalid(member: string, constraint: string): never {
  throw new Fault('parameter-invalid', { member, constraint });
}
