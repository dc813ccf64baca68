import type { Kysely, Selectable } from 'kysely';
import { Fault } from '../core/fault.ts';
import type { Place } from '../core/place.ts';
import type { RepositoryName } from '../core/repository-name.ts';
import { recordAudit } from './audit.ts';
import type { RegistryContext } from './context.ts';
import { decodeCursor, pageOf } from './cursor.ts';
import type { RepositoryTemplate, RepositoryTemplates } from './registry.ts';
import type { RegistryTables } from './schema.ts';

/** The template that applies where no prefix does. */
export const ROOT_TEMPLATE = 'ROOT';

export function createTemplates({ meta, clock }: RegistryContext): RepositoryTemplates {
  return {
    async list(place, { limit, next, prefixes }) {
      let query = meta.read
        .selectFrom('repository_template')
        .selectAll()
        .where('account', '=', place.account)
        .where('region', '=', place.region)
        .orderBy('prefix')
        .limit(limit + 1);
      if (prefixes !== undefined) {
        if (prefixes.length === 0) return { items: [] };
        query = query.where('prefix', 'in', prefixes);
      }
      if (next !== undefined) query = query.where('prefix', '>', decodeCursor(next, ['string'])[0]);
      return pageOf(await query.execute(), limit, (row) => [row.prefix], toTemplate);
    },

    create: (caller, prefix, document) =>
      meta.transact(async (transaction) => {
        const now = clock.now();
        const { account, region } = caller;
        const row = { account, region, prefix, document: JSON.stringify(document), created_at: now, updated_at: now };
        const result = await transaction
          .insertInto('repository_template')
          .values(row)
          .onConflict((conflict) => conflict.columns(['account', 'region', 'prefix']).doNothing())
          .executeTakeFirstOrThrow();
        if (Number(result.numInsertedOrUpdatedRows) === 0) throw new Fault('template-exists', { prefix });
        await recordAudit(transaction, caller, { at: now, action: 'template.create', detail: { prefix } });
        return toTemplate(row);
      }),

    update: (caller, prefix, document) =>
      meta.transact(async (transaction) => {
        const now = clock.now();
        const row = await transaction
          .updateTable('repository_template')
          .set({ document: JSON.stringify(document), updated_at: now })
          .where('account', '=', caller.account)
          .where('region', '=', caller.region)
          .where('prefix', '=', prefix)
          .returningAll()
          .executeTakeFirst();
        if (row === undefined) throw new Fault('template-unknown', { prefix });
        await recordAudit(transaction, caller, { at: now, action: 'template.update', detail: { prefix } });
        return toTemplate(row);
      }),

    delete: (caller, prefix) =>
      meta.transact(async (transaction) => {
        const row = await transaction
          .deleteFrom('repository_template')
          .where('account', '=', caller.account)
          .where('region', '=', caller.region)
          .where('prefix', '=', prefix)
          .returningAll()
          .executeTakeFirst();
        if (row === undefined) throw new Fault('template-unknown', { prefix });
        await recordAudit(transaction, caller, { at: clock.now(), action: 'template.delete', detail: { prefix } });
        return toTemplate(row);
      }),
  };
}

/** The template with the longest prefix of the name that is meant for create-on-push, else the root template if that is. */
export async function findTemplateForPush(
  database: Kysely<RegistryTables>,
  place: Place,
  name: RepositoryName,
): Promise<RepositoryTemplate | undefined> {
  const parts = name.split('/');
  const prefixes = [ROOT_TEMPLATE, ...parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'))];
  const rows = await database
    .selectFrom('repository_template')
    .selectAll()
    .where('account', '=', place.account)
    .where('region', '=', place.region)
    .where('prefix', 'in', prefixes)
    .execute();
  const templates = rows
    .map(toTemplate)
    .filter(({ document }) => Array.isArray(document.appliedFor) && document.appliedFor.includes('CREATE_ON_PUSH'));
  return templates.sort((one, other) => prefixes.indexOf(other.prefix) - prefixes.indexOf(one.prefix))[0];
}

function toTemplate(row: Selectable<RegistryTables['repository_template']>): RepositoryTemplate {
  return {
    prefix: row.prefix,
    document: JSON.parse(row.document) as Record<string, unknown>,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
