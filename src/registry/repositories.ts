import { sql } from 'kysely';
import { Fault, isFault } from '../core/fault.ts';
import type { Caller, Place } from '../core/place.ts';
import type { RepositoryName } from '../core/repository-name.ts';
import { recordAudit } from './audit.ts';
import { prepareQuery, rememberQuery } from './compiled.ts';
import type { RegistryContext, RegistryTransaction } from './context.ts';
import { decodeCursor, pageOf } from './cursor.ts';
import { readLiveHolds } from './holds.ts';
import { imageHeld, moveToDeleted } from './image-delete.ts';
import type { Repositories, Repository, RepositoryTemplate } from './registry.ts';
import { readRepository, repositoryUnknown, toRepository } from './repository-rows.ts';
import { readTemplateSettings } from './template-settings.ts';
import { findTemplateForPush } from './templates.ts';

type NewRepository = NonNullable<Parameters<Repositories['create']>[2]>;

/**
 * What another room does with a template when a repository is made from it, in the same transaction (a lifecycle policy
 * belongs to the room of lifecycles).
 */
export type ApplyTemplate = (
  transaction: RegistryTransaction,
  repository: Repository,
  template: RepositoryTemplate,
) => Promise<void>;

export function createRepositories(context: RegistryContext, applyTemplate?: ApplyTemplate): Repositories {
  const { meta, clock, options } = context;
  const named = meta.read
    .selectFrom('repository')
    .selectAll()
    .where('account', '=', '')
    .where('region', '=', '')
    .where('name', '=', '');
  const byName = prepareQuery(named);

  const remembered = rememberQuery(meta, named, toRepository);

  const find = async (place: Place, name: RepositoryName): Promise<Repository | undefined> =>
    remembered.find([place.account, place.region, name]);

  const create = async (
    transaction: RegistryTransaction,
    caller: Caller,
    name: RepositoryName,
    wanted: NewRepository,
    detail: object,
  ): Promise<Repository> => {
    const { account, region } = caller;
    const [existing] = await byName.run(transaction, [account, region, name]);
    if (existing !== undefined) throw new Fault('repository-exists', { repository: name, registryId: account });
    const { repositories: limit, resourceTags: tagLimit } = options.limits;
    const { count } = await transaction
      .selectFrom('repository')
      .select((builder) => builder.fn.countAll<number>().as('count'))
      .where('account', '=', account)
      .where('region', '=', region)
      .executeTakeFirstOrThrow();
    if (Number(count) >= limit) throw new Fault('limit-exceeded', { what: 'repositories', limit });
    const resourceTags = Object.entries(wanted.resourceTags ?? {});
    if (resourceTags.length > tagLimit) throw new Fault('too-many-resource-tags', { limit: tagLimit });
    const now = clock.now();
    const row = await transaction
      .insertInto('repository')
      .values({
        account,
        region,
        name,
        created_at: now,
        tag_mutability: wanted.tagMutability ?? 'MUTABLE',
        exclusion_filters: JSON.stringify(wanted.exclusionFilters ?? []),
        scan_on_push: wanted.scanOnPush === true ? 1 : 0,
        encryption_type: wanted.encryptionType ?? 'AES256',
        kms_key: wanted.kmsKey ?? null,
        policy_text: wanted.policyText ?? null,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    if (resourceTags.length > 0) {
      await transaction
        .insertInto('repository_resource_tag')
        .values(resourceTags.map(([key, value]) => ({ repository_id: row.id, key, value })))
        .execute();
    }
    await recordAudit(transaction, caller, { at: now, action: 'repository.create', repository: name, detail: { ...detail } });
    return toRepository(row);
  };

  /** Changes columns of a repository that must still be there. */
  const update = (
    caller: Caller,
    repository: Repository,
    action: string,
    columns: {
      tag_mutability?: string;
      exclusion_filters?: string;
      scan_on_push?: number;
      public_pull?: number;
      policy_text?: string | null;
    },
    detail: Record<string, unknown> = {},
  ): Promise<Repository> =>
    meta.transact(async (transaction) => {
      const before = await readRepository(transaction, repository);
      if (columns.policy_text === null && before.policyText === undefined) {
        throw new Fault('repository-policy-unknown', { repository: repository.name, registryId: repository.account });
      }
      const row = await transaction
        .updateTable('repository')
        .set(columns)
        .where('id', '=', repository.id)
        .returningAll()
        .executeTakeFirstOrThrow();
      await recordAudit(transaction, caller, { at: clock.now(), action, repository: repository.name, detail });
      return toRepository(row);
    });

  return {
    find,

    async get(place, name) {
      const repository = await find(place, name);
      if (repository === undefined) throw repositoryUnknown(place, name);
      return repository;
    },

    async list(place, { limit, next, prefix }) {
      let query = meta.read
        .selectFrom('repository')
        .selectAll()
        .where('account', '=', place.account)
        .where('region', '=', place.region)
        .orderBy('name')
        .limit(limit + 1);
      // No character of a name sorts behind a tilde.
      if (prefix !== undefined && prefix !== '') query = query.where('name', '>=', prefix).where('name', '<', `${prefix}~`);
      if (next !== undefined) query = query.where('name', '>', decodeCursor(next, ['string'])[0]);
      return pageOf(await query.execute(), limit, (row) => [row.name], toRepository);
    },

    async holding(place, digest, limit) {
      const rows = await meta.read
        .selectFrom('repository_blob')
        .innerJoin('repository', 'repository.id', 'repository_blob.repository_id')
        .selectAll('repository')
        .where('repository_blob.digest', '=', digest)
        .where('repository.account', '=', place.account)
        .where('repository.region', '=', place.region)
        .orderBy('repository.id')
        .limit(limit)
        .execute();
      return rows.map(toRepository);
    },

    create: (caller, name, settings = {}) => meta.transact((transaction) => create(transaction, caller, name, settings, {})),

    async getForPush(caller, name, mayCreate) {
      const existing = await find(caller, name);
      if (existing !== undefined) return existing;
      const template = await findTemplateForPush(meta.read, caller, name);
      if (template === undefined) throw repositoryUnknown(caller, name);
      await mayCreate();
      try {
        return await meta.transact(async (transaction) => {
          const repository = await create(transaction, caller, name, readTemplateSettings(template), {
            template: template.prefix,
          });
          await applyTemplate?.(transaction, repository, template);
          return repository;
        });
      } catch (error) {
        // The other layers of the same push are on their way, too: one of them has made it.
        const made = isFault(error, 'repository-exists') ? await find(caller, name) : undefined;
        if (made === undefined) throw error;
        return made;
      }
    },

    delete: (caller, known, { force }) =>
      meta.transact(async (transaction) => {
        const repository = await readRepository(transaction, known);
        const any = await transaction
          .selectFrom('manifest')
          .select('id')
          .where('repository_id', '=', repository.id)
          .limit(1)
          .executeTakeFirst();
        if (any !== undefined && !force) {
          throw new Fault('repository-not-empty', { repository: repository.name, registryId: repository.account });
        }
        const now = clock.now();
        const holds = await readLiveHolds(transaction, repository, 'all', now);
        const first = holds[0];
        if (first !== undefined) throw imageHeld(repository, first.digest, holds);
        if (any !== undefined) await moveToDeleted(transaction, context, caller, repository, { cause: 'delete', now });
        await transaction.deleteFrom('repository').where('id', '=', repository.id).execute();
        await recordAudit(transaction, caller, {
          at: clock.now(),
          action: 'repository.delete',
          repository: repository.name,
          detail: { force },
        });
      }),

    setTagMutability: (caller, repository, mutability, filters) =>
      update(
        caller,
        repository,
        'repository.set-tag-mutability',
        { tag_mutability: mutability, exclusion_filters: JSON.stringify(filters) },
        { mutability, filters: filters.map(({ filter }) => filter) },
      ),

    setScanOnPush: (caller, repository, scanOnPush) =>
      update(caller, repository, 'repository.set-scan-on-push', { scan_on_push: scanOnPush ? 1 : 0 }, { scanOnPush }),

    setPolicy: (caller, repository, policyText) =>
      update(caller, repository, policyText === undefined ? 'repository.remove-policy' : 'repository.set-policy', {
        policy_text: policyText ?? null,
      }),

    setPublicPull: (caller, repository, publicPull) =>
      update(caller, repository, 'repository.set-public-pull', { public_pull: publicPull ? 1 : 0 }, { publicPull }),

    async hasPublic() {
      // The literal lets the database use the index of public repositories only.
      const one = meta.read
        .selectFrom('repository')
        .select('id')
        .where(sql<boolean>`public_pull = 1`)
        .limit(1);
      return (await one.executeTakeFirst()) !== undefined;
    },

    async resourceTags(repository) {
      const rows = await meta.read
        .selectFrom('repository_resource_tag')
        .select(['key', 'value'])
        .where('repository_id', '=', repository.id)
        .orderBy('key')
        .execute();
      return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
    },

    addResourceTags: (caller, repository, tags) =>
      meta.transact(async (transaction) => {
        await readRepository(transaction, repository);
        for (const [key, value] of Object.entries(tags)) {
          await transaction
            .insertInto('repository_resource_tag')
            .values({ repository_id: repository.id, key, value })
            .onConflict((conflict) => conflict.columns(['repository_id', 'key']).doUpdateSet({ value }))
            .execute();
        }
        const { count } = await transaction
          .selectFrom('repository_resource_tag')
          .select((builder) => builder.fn.countAll<number>().as('count'))
          .where('repository_id', '=', repository.id)
          .executeTakeFirstOrThrow();
        const limit = options.limits.resourceTags;
        if (Number(count) > limit) throw new Fault('too-many-resource-tags', { limit });
        await recordAudit(transaction, caller, {
          at: clock.now(),
          action: 'repository.tag',
          repository: repository.name,
          detail: { keys: Object.keys(tags) },
        });
      }),

    removeResourceTags: (caller, repository, keys) =>
      meta.transact(async (transaction) => {
        await readRepository(transaction, repository);
        if (keys.length === 0) return;
        await transaction
          .deleteFrom('repository_resource_tag')
          .where('repository_id', '=', repository.id)
          .where('key', 'in', keys)
          .execute();
        await recordAudit(transaction, caller, {
          at: clock.now(),
          action: 'repository.untag',
          repository: repository.name,
          detail: { keys },
        });
      }),
  };
}
