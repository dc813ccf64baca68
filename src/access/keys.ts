import { timingSafeEqual } from 'node:crypto';
import type { Insertable, Selectable, Transaction } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import { parsePolicy } from '../core/iam-policy.ts';
import type { IdSource } from '../core/ids.ts';
import { createLruCache } from '../core/lru-cache.ts';
import type { MetaStore } from '../core/meta-store.ts';
import type { Page, PageRequest } from '../core/page.ts';
import type { Caller } from '../core/place.ts';
import { compileAllow } from './allow.ts';
import { makeAccessKeyId, makeSecret, parseUserName } from './key-material.ts';
import { userArn, type Principal } from './principal.ts';
import type { AccessTables } from './schema.ts';

/** A key that may be used now. */
export interface AccessKey {
  readonly principal: Principal;
  readonly secret: string;
  readonly epoch: number;
}

/** A key as it is shown: everything but the secret. Times are milliseconds since the epoch. */
export interface AccessKeySummary {
  accessKeyId: string;
  userName: string;
  arn: string;
  allow: string[];
  createdAt: number;
  revokedAt?: number;
  lastUsedAt?: number;
}

export interface NewAccessKey extends AccessKeySummary {
  /** Shown once; 40 characters. */
  secretAccessKey: string;
}

export interface Keys {
  /** `allow` is the grammar of `compileAllow`; `by`: who asks for it. Raises `parameter-invalid`, `limit-exceeded`. */
  create(options: { allow: string[]; userName?: string; by?: Caller }): Promise<NewAccessKey>;
  /** Oldest first, revoked ones included. Raises `parameter-invalid` for a `next` that no page gave. */
  list(page: PageRequest): Promise<Page<AccessKeySummary>>;
  /** For ever; signatures and tokens of the key are refused from now on. Raises `access-key-unknown`. */
  revoke(accessKeyId: string, by?: Caller): Promise<AccessKeySummary>;
  /** `undefined` for a key that never was, or was revoked. */
  find(accessKeyId: string): Promise<AccessKey | undefined>;
  /** What `find` would give, when that is known without asking the database. */
  peek(accessKeyId: string): AccessKey | undefined;
  /** Remembers that the key was used now, until `flushUse`. */
  noteUse(accessKeyId: string): void;
  /** Writes down when keys were last used; for a background loop and the shutdown, so that no request waits for it. */
  flushUse(): Promise<void>;
}

/** Writes down, in the change's own transaction, what somebody did to a key or a secret. `detail` holds no value of one. */
export type AuditKeys = (
  transaction: Transaction<AccessTables>,
  caller: Caller,
  event: { at: number; action: 'key.create' | 'key.revoke' | 'secret.put' | 'secret.delete'; detail: Record<string, unknown> },
) => Promise<void>;

/** Another server on the same database may have revoked a key: what is remembered of it is good for this long. */
const CACHE_LIFETIME = 5_000;
const CACHED_KEYS = 10_000;
const MAX_ACTIVE_KEYS = 10_000;

export function createKeys(options: {
  meta: MetaStore<AccessTables>;
  clock: Clock;
  ids: IdSource;
  account: string;
  audit?: AuditKeys;
}): Keys & { forget(accessKeyId: string): void } {
  const { meta, clock, ids, account, audit } = options;
  const cache = createLruCache<string, { key: AccessKey; until: number }>(CACHED_KEYS);
  const used = new Map<string, number>();
  let changes = 0;

  const forget = (accessKeyId: string): void => {
    changes++;
    cache.delete(accessKeyId);
  };
  const peek = (accessKeyId: string): AccessKey | undefined => {
    const entry = cache.get(accessKeyId);
    return entry !== undefined && entry.until > clock.monotonic() ? entry.key : undefined;
  };
  const summarise = (row: Selectable<AccessTables['access_key']>): AccessKeySummary => {
    const lastUsedAt = used.get(row.access_key_id) ?? row.last_used_at;
    return {
      accessKeyId: row.access_key_id,
      userName: row.user_name,
      arn: userArn(row.account, row.user_name),
      allow: JSON.parse(row.allow) as string[],
      createdAt: row.created_at,
      ...(row.revoked_at === null ? {} : { revokedAt: row.revoked_at }),
      ...(lastUsedAt === null ? {} : { lastUsedAt }),
    };
  };

  return {
    peek,
    forget,

    async create({ allow, userName, by }) {
      const accessKeyId = makeAccessKeyId(ids);
      const row = newKeyRow({
        accessKeyId,
        secret: makeSecret(ids),
        account,
        userName: userName === undefined ? `key-${accessKeyId.slice(-8).toLowerCase()}` : parseUserName(userName),
        allow,
        now: clock.now(),
      });
      await meta.transact(async (transaction) => {
        const active = transaction.selectFrom('access_key').where('account', '=', account).where('revoked_at', 'is', null);
        const { count } = await active.select((select) => select.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
        if (Number(count) >= MAX_ACTIVE_KEYS) throw new Fault('limit-exceeded', { what: 'access keys', limit: MAX_ACTIVE_KEYS });
        await transaction.insertInto('access_key').values(row).execute();
        if (by !== undefined) {
          const detail = { accessKeyId, userName: row.user_name, allow };
          await audit?.(transaction, by, { at: row.created_at, action: 'key.create', detail });
        }
      });
      return { ...summarise(row), secretAccessKey: row.secret };
    },

    async list({ limit, next }) {
      let query = meta.read.selectFrom('access_key').selectAll().where('account', '=', account);
      if (next !== undefined) {
        const [createdAt, accessKeyId] = parseCursor(next);
        query = query.where((where) =>
          where.or([
            where('created_at', '>', createdAt),
            where.and([where('created_at', '=', createdAt), where('access_key_id', '>', accessKeyId)]),
          ]),
        );
      }
      const rows = await query
        .orderBy('created_at')
        .orderBy('access_key_id')
        .limit(limit + 1)
        .execute();
      const items = rows.slice(0, limit);
      const last = items.at(-1);
      return {
        items: items.map(summarise),
        ...(rows.length > limit && last !== undefined ? { next: `${last.created_at}.${last.access_key_id}` } : {}),
      };
    },

    async revoke(accessKeyId, by) {
      const now = clock.now();
      const row = await meta.transact(async (transaction) => {
        const mine = transaction
          .selectFrom('access_key')
          .selectAll()
          .where('access_key_id', '=', accessKeyId)
          .where('account', '=', account);
        const found = await mine.executeTakeFirst();
        if (found === undefined) throw new Fault('access-key-unknown', { accessKeyId: accessKeyId.slice(0, 100) });
        if (found.revoked_at !== null) return found;
        await transaction.updateTable('access_key').set({ revoked_at: now }).where('access_key_id', '=', accessKeyId).execute();
        if (by !== undefined) {
          const detail = { accessKeyId, userName: found.user_name };
          await audit?.(transaction, by, { at: now, action: 'key.revoke', detail });
        }
        return { ...found, revoked_at: now };
      });
      forget(accessKeyId);
      return summarise(row);
    },

    async find(accessKeyId) {
      const known = peek(accessKeyId);
      if (known !== undefined) return known;
      const before = changes;
      const until = clock.monotonic() + CACHE_LIFETIME;
      const query = meta.read.selectFrom('access_key').selectAll().where('access_key_id', '=', accessKeyId);
      const row = await query.where('account', '=', account).where('revoked_at', 'is', null).executeTakeFirst();
      if (row === undefined) return undefined;
      const key: AccessKey = {
        principal: {
          account: row.account,
          arn: userArn(row.account, row.user_name),
          accessKeyId: row.access_key_id,
          userName: row.user_name,
          policies: [parsePolicy(row.policy, 'identity')],
        },
        secret: row.secret,
        epoch: row.epoch,
      };
      // What was read before a change may be what the change took away.
      if (before === changes) cache.set(accessKeyId, { key, until });
      return key;
    },

    noteUse(accessKeyId) {
      used.set(accessKeyId, clock.now());
    },

    async flushUse() {
      const pending = [...used];
      if (pending.length === 0) return;
      await meta.transact(async (transaction) => {
        for (const [accessKeyId, at] of pending) {
          await transaction
            .updateTable('access_key')
            .set({ last_used_at: at })
            .where('access_key_id', '=', accessKeyId)
            .execute();
        }
      });
      for (const [accessKeyId, at] of pending) if (used.get(accessKeyId) === at) used.delete(accessKeyId);
    },
  };
}

/** Raises `parameter-invalid` for an `allow` that does not compile. */
export function newKeyRow(key: {
  accessKeyId: string;
  secret: string;
  account: string;
  userName: string;
  allow: string[];
  now: number;
}) {
  return {
    access_key_id: key.accessKeyId,
    secret: key.secret,
    account: key.account,
    user_name: key.userName,
    policy: compileAllow(key.allow, key.account),
    allow: JSON.stringify(key.allow),
    epoch: 1,
    created_at: key.now,
    revoked_at: null,
    last_used_at: null,
  } satisfies Insertable<AccessTables['access_key']>;
}

/** In a time that does not depend on where they differ. */
export function sameSecret(given: string, expected: string): boolean {
  const [one, other] = [Buffer.alloc(256), Buffer.alloc(256)];
  one.write(given, 'utf8');
  other.write(expected, 'utf8');
  return timingSafeEqual(one, other) && given.length === expected.length;
}

function parseCursor(next: string): [createdAt: number, accessKeyId: string] {
  const [, createdAt, accessKeyId] = /^(\d{1,15})\.([\w-]{1,128})$/.exec(next) ?? [];
  if (createdAt === undefined || accessKeyId === undefined)
    throw new Fault('parameter-invalid', { member: 'next', constraint: 'is not what an earlier page gave' });
  return [Number(createdAt), accessKeyId];
}
