import type { Kysely } from 'kysely';
import { digestOf } from '../core/digest.ts';
import type { OrchestratorContext, OrchestratorTables } from './context.ts';

/** A client token is remembered for so long (API reference, "Ensuring idempotency"). */
const LIFETIME_MS = 24 * 60 * 60 * 1000;

export interface UsedToken {
  clusterId: number;
  operation: string;
  token: string;
  /** `fingerprintOf` the request. */
  fingerprint: string;
  /** ARNs of what was made. */
  resources: string[];
}

/** A digest of everything that a request asks for but its token. */
export function fingerprintOf(input: { clientToken?: string }): string {
  const { clientToken: _, ...rest } = input;
  return digestOf(
    JSON.stringify(rest, (_key, value: unknown) =>
      isPlain(value) ? Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))) : value,
    ),
  );
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export async function findClientToken(
  database: Kysely<OrchestratorTables>,
  { clock }: Pick<OrchestratorContext, 'clock'>,
  { clusterId, operation, token }: Pick<UsedToken, 'clusterId' | 'operation' | 'token'>,
): Promise<UsedToken | undefined> {
  const row = await database
    .selectFrom('client_token')
    .selectAll()
    .where('cluster_id', '=', clusterId)
    .where('operation', '=', operation)
    .where('token', '=', token)
    .where('expires_at', '>', clock.now())
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return { clusterId, operation, token, fingerprint: row.fingerprint, resources: JSON.parse(row.resources) as string[] };
}

/** Part of the transaction that makes what the token is for, and that has looked whether it was used. */
export async function putClientToken(
  database: Kysely<OrchestratorTables>,
  { clock }: Pick<OrchestratorContext, 'clock'>,
  used: UsedToken,
): Promise<void> {
  const now = clock.now();
  await database.deleteFrom('client_token').where('expires_at', '<=', now).execute();
  await database
    .insertInto('client_token')
    .values({
      cluster_id: used.clusterId,
      operation: used.operation,
      token: used.token,
      fingerprint: used.fingerprint,
      resources: JSON.stringify(used.resources),
      expires_at: now + LIFETIME_MS,
    })
    .execute();
}
