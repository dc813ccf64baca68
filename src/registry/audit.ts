import type { Caller } from '../core/place.ts';
import type { RegistryContext, RegistryTransaction } from './context.ts';
import { decodeCursor, pageOf } from './cursor.ts';
import type { AuditEvent, AuditLog } from './registry.ts';

/**
 * Writes the one row that belongs to each acknowledged change, in the change's own transaction. `detail` holds digests,
 * tags and counts; never a secret.
 */
export async function recordAudit(
  transaction: RegistryTransaction,
  caller: Caller,
  event: { at: number; action: string; repository?: string; detail?: Record<string, unknown> },
): Promise<void> {
  await recordAudits(transaction, caller, [event]);
}

/** Rows of as many changes of one transaction, in their order. */
export async function recordAudits(
  transaction: RegistryTransaction,
  caller: Caller,
  events: { at: number; action: string; repository?: string; detail?: Record<string, unknown> }[],
): Promise<void> {
  if (events.length === 0) return;
  await transaction
    .insertInto('audit')
    .values(
      events.map((event) => ({
        at: event.at,
        account: caller.account,
        region: caller.region,
        principal: caller.principal,
        action: event.action,
        repository: event.repository ?? null,
        detail: JSON.stringify(event.detail ?? {}),
      })),
    )
    .execute();
}

export function createAuditLog({ meta }: RegistryContext): AuditLog {
  return {
    async list(place, { limit, next, repository, action }) {
      let query = meta.read
        .selectFrom('audit')
        .select(['id', 'at', 'principal', 'action', 'repository', 'detail'])
        .where('account', '=', place.account)
        .where('region', '=', place.region)
        .orderBy('id', 'desc')
        .limit(limit + 1);
      if (repository !== undefined) query = query.where('repository', '=', repository);
      if (action !== undefined) query = query.where('action', '=', action);
      if (next !== undefined) query = query.where('id', '<', decodeCursor(next, ['number'])[0]);
      return pageOf(await query.execute(), limit, (row) => [row.id], toEvent);
    },
  };
}

function toEvent(row: { at: number; principal: string; action: string; repository: string | null; detail: string }): AuditEvent {
  return {
    at: row.at,
    principal: row.principal,
    action: row.action,
    ...(row.repository !== null ? { repository: row.repository } : {}),
    detail: JSON.parse(row.detail) as Record<string, unknown>,
  };
}
