import type { Selectable } from 'kysely';
import { Fault } from '../core/fault.ts';
import type { Place } from '../core/place.ts';
import type { RepositoryName } from '../core/repository-name.ts';
import type { RegistryTransaction } from './context.ts';
import type { ExclusionFilter, Repository, RepositorySettings, TagMutability } from './registry.ts';
import type { RegistryTables } from './schema.ts';

export function toRepository(row: Selectable<RegistryTables['repository']>): Repository {
  return {
    id: row.id,
    account: row.account,
    region: row.region,
    name: row.name as RepositoryName,
    createdAt: row.created_at,
    tagMutability: row.tag_mutability as TagMutability,
    exclusionFilters: JSON.parse(row.exclusion_filters) as ExclusionFilter[],
    scanOnPush: row.scan_on_push === 1,
    encryptionType: row.encryption_type as RepositorySettings['encryptionType'],
    publicPull: row.public_pull === 1,
    ...(row.kms_key !== null ? { kmsKey: row.kms_key } : {}),
    ...(row.policy_text !== null ? { policyText: row.policy_text } : {}),
  };
}

/** The repository as it is now, seen from inside the transaction that is going to change something in it. Raises `repository-unknown`. */
export async function readRepository(transaction: RegistryTransaction, repository: Repository): Promise<Repository> {
  const row = await transaction.selectFrom('repository').selectAll().where('id', '=', repository.id).executeTakeFirst();
  if (row === undefined) throw repositoryUnknown(repository, repository.name);
  return toRepository(row);
}

export function repositoryUnknown(place: Place, name: string): Fault<'repository-unknown'> {
  return new Fault('repository-unknown', { repository: name, registryId: place.account });
}
