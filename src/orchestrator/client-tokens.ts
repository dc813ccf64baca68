import type { Kysely } from 'kysely';
import { digestOf } from '../core/digest.ts';
import type { OrchestratorContext, OrchestratorTables, OrchestratorTransaction } from './context.ts';

/** A client token is remembered for so long, or until its tasks are forgotten (API reference, "Ensuring idempotency"). */
const LIFETIME_MS = 24 * 60 * 60 * 1000;

export interface UsedToken {
  clusterId: number;
  operation: string;
  token: string;
  /** `fingerprintOf` the request. */
  fingerprint: string;
  /** ARNs of the tasks that were made. */
  resources: string[];
}

/**
 * What client tokens were used for. Their age goes by a scale that setting the machine's clock does not move, since a token
 * that is forgotten too early makes the tasks of a repeated request twice: it goes on from the last token that was written
 * down, and only while the server runs.
 */
export interface ClientTokens {
  find(
    database: Kysely<OrchestratorTables>,
    key: Pick<UsedToken, 'clusterId' | 'operation' | 'token'>,
  ): Promise<UsedToken | undefined>;
  /** Part of the transaction that makes what the token is for, and that has looked whether it was used. */
  put(transaction: OrchestratorTransaction, used: UsedToken): Promise<void>;
}

export function createClientTokens({
  meta,
  clock,
  settings,
}: Pick<OrchestratorContext, 'meta' | 'clock' | 'settings'>): ClientTokens {
  const began = { wall: clock.now(), monotonic: clock.monotonic() };
  let start: number | undefined;

  async function now(): Promise<number> {
    if (start === undefined) {
      const row = await meta.read
        .selectFrom('client_token')
        .select(({ fn }) => fn.max('expires_at').as('last'))
        .executeTakeFirst();
      const last = row?.last ?? undefined;
      start ??= last === undefined ? began.wall : Number(last) - LIFETIME_MS;
    }
    return start + clock.monotonic() - began.monotonic;
  }

  return {
    async find(database, { clusterId, operation, token }) {
      const row = await database
        .selectFrom('client_token')
        .selectAll()
        .where('cluster_id', '=', clusterId)
        .where('operation', '=', operation)
        .where('token', '=', token)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const resources = JSON.parse(row.resources) as string[];
      const age = (await now()) - (Number(row.expires_at) - LIFETIME_MS);
      if (age >= LIFETIME_MS) return undefined;
      if (age >= settings.stoppedRetentionMs && !(await isAnyThere(database, clusterId, resources))) return undefined;
      return { clusterId, operation, token, fingerprint: row.fingerprint, resources };
    },
    async put(transaction, { clusterId, operation, token, fingerprint, resources }) {
      const time = Math.round(await now());
      await transaction
        .deleteFrom('client_token')
        .where(({ or, and, eb }) =>
          or([
            eb('expires_at', '<=', time),
            and([eb('cluster_id', '=', clusterId), eb('operation', '=', operation), eb('token', '=', token)]),
          ]),
        )
        .execute();
      await transaction
        .insertInto('client_token')
        .values({
          cluster_id: clusterId,
          operation,
          token,
          fingerprint,
          resources: JSON.stringify(resources),
          expires_at: time + LIFETIME_MS,
        })
        .execute();
    },
  };
}

async function isAnyThere(database: Kysely<OrchestratorTables>, clusterId: number, resources: string[]): Promise<boolean> {
  const ids = resources.map((arn) => arn.slice(arn.lastIndexOf('/') + 1));
  const row = await database
    .selectFrom('task')
    .select('id')
    .where('cluster_id', '=', clusterId)
    .where('id', 'in', ids)
    .executeTakeFirst();
  return row !== undefined;
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
