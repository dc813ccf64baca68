import type { Kysely } from 'kysely';
import type { Repository } from '../registry/registry.ts';
import { recordAudit } from '../registry/audit.ts';
import type { RegistryTransaction } from '../registry/context.ts';
import { readRepository } from '../registry/repository-rows.ts';
import { policyUnknown, type LifecycleContext, type LifecycleTransaction } from './context.ts';
import type { Lifecycle, StoredPolicy } from './lifecycle.ts';
import { parseLifecyclePolicy } from './parse-policy.ts';
import { readRepositoryImages } from './read-images.ts';
import type { LifecycleTables } from './schema.ts';
import { byTheWay } from './steps.ts';
import { warnInSteps, type PolicyWarning } from './warn-policy.ts';

export interface PolicyRow {
  text: string;
  updated_at: number;
  updated_by: string;
  last_evaluated_at: number | null;
  is_off: number;
}

export async function findPolicy(database: Kysely<LifecycleTables>, repository: Repository): Promise<PolicyRow | undefined> {
  return database
    .selectFrom('lifecycle_policy')
    .select(['text', 'updated_at', 'updated_by', 'last_evaluated_at', 'is_off'])
    .where('repository_id', '=', repository.id)
    .executeTakeFirst();
}

/** Raises `lifecycle-policy-unknown`. */
export async function getPolicy(database: Kysely<LifecycleTables>, repository: Repository): Promise<PolicyRow> {
  const row = await findPolicy(database, repository);
  if (row === undefined) throw policyUnknown(repository);
  return row;
}

/** Keeping policies. `put` does not run them. */
export function createPolicies(context: LifecycleContext): Pick<Lifecycle, 'get' | 'put' | 'delete' | 'setOff' | 'warn'> {
  const { meta, clock, log, work } = context;

  const show = (repository: Repository, row: PolicyRow): StoredPolicy => ({
    repository: repository.name,
    text: row.text,
    updatedAt: row.updated_at,
    updatedBy: row.updated_by,
    isOff: row.is_off === 1,
    ...(row.last_evaluated_at === null ? {} : { lastEvaluatedAt: row.last_evaluated_at }),
  });
  const warn = (repository: Repository, text: string): Promise<PolicyWarning[]> =>
    meta.snapshot(async (database) => {
      const { images } = await readRepositoryImages(database, repository, clock.now());
      return byTheWay(warnInSteps(parseLifecyclePolicy(text), images));
    });

  return {
    warn,
    get: async (repository) => show(repository, await getPolicy(meta.read, repository)),

    async put(caller, known, text) {
      parseLifecyclePolicy(text);
      const row: PolicyRow = {
        text,
        updated_at: clock.now(),
        updated_by: caller.principal,
        last_evaluated_at: null,
        is_off: 0,
      };
      await meta.transact(async (transaction) => {
        const repository = await readRepository(asRegistry(transaction), known);
        await transaction
          .insertInto('lifecycle_policy')
          .values({ repository_id: repository.id, ...row })
          .onConflict((conflict) => conflict.column('repository_id').doUpdateSet(row))
          .execute();
        await recordAudit(asRegistry(transaction), caller, {
          at: row.updated_at,
          action: 'lifecycle.put',
          repository: repository.name,
        });
      });
      work.start('warning of a lifecycle policy', async () => {
        for (const { kind, rule, message } of await warn(known, text))
          log.warn('a lifecycle policy is probably not meant so', { repository: known.name, rule, kind, message });
      });
      return show(known, row);
    },

    async delete(caller, repository) {
      const row = await meta.transact(async (transaction) => {
        const before = await getPolicy(transaction, repository);
        await transaction.deleteFrom('lifecycle_policy').where('repository_id', '=', repository.id).execute();
        await recordAudit(asRegistry(transaction), caller, {
          at: clock.now(),
          action: 'lifecycle.delete',
          repository: repository.name,
        });
        return before;
      });
      return show(repository, row);
    },

    async setOff(caller, repository, isOff) {
      const row = await meta.transact(async (transaction) => switchPolicy(transaction, context, caller, repository, isOff));
      if (row === undefined) throw policyUnknown(repository);
      return show(repository, row);
    },
  };
}

/** Inside the caller's transaction; `undefined` when there is no policy. Writes an audit row where it changes something. */
export async function switchPolicy(
  transaction: LifecycleTransaction,
  { clock }: Pick<LifecycleContext, 'clock'>,
  caller: Parameters<Lifecycle['put']>[0],
  repository: Repository,
  isOff: boolean,
): Promise<PolicyRow | undefined> {
  const row = await findPolicy(transaction, repository);
  if (row === undefined || (row.is_off === 1) === isOff) return row;
  await transaction
    .updateTable('lifecycle_policy')
    .set({ is_off: isOff ? 1 : 0 })
    .where('repository_id', '=', repository.id)
    .execute();
  await recordAudit(asRegistry(transaction), caller, {
    at: clock.now(),
    action: isOff ? 'lifecycle.off' : 'lifecycle.on',
    repository: repository.name,
  });
  return { ...row, is_off: isOff ? 1 : 0 };
}

/** The registry's functions see the registry's tables of the same database. */
export function asRegistry(transaction: LifecycleTransaction): RegistryTransaction {
  return transaction as unknown as RegistryTransaction;
}
