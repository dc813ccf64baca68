import { randomBytes, randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { createManualClock } from '../core/clock.ts';
import { openMeta } from '../../test/support/meta.ts';
import type { IdSource } from '../core/ids.ts';
import { createAccess, type AccessOptions } from './access.ts';
import { accessMigrations } from './migrations.ts';
import type { AccessTables } from './schema.ts';

export const ACCOUNT = '123456789012';
export const START = Date.UTC(2026, 10, 21, 12, 0, 0);

/** A room on a database of its own, with a clock that stands still. `another()` is a second server on the same database. */
export async function openAccess(test: TestContext) {
  const meta = await openMeta<AccessTables>(test, accessMigrations, () => START);
  const clock = createManualClock(START);
  const ids: IdSource = { uuid: () => randomUUID(), bytes: (count) => randomBytes(count) };
  const another = (changes: Partial<AccessOptions> = {}) =>
    createAccess({ meta, clock, ids, account: ACCOUNT, regions: ['us-east-1'], ...changes });
  return { access: another(), another, meta, clock, ids };
}
