import { sql, type Kysely } from 'kysely';
import type { Digest } from '../core/digest.ts';
import { Fault } from '../core/fault.ts';
import type { Caller } from '../core/place.ts';
import type { RepositoryName } from '../core/repository-name.ts';
import { recordAudit } from './audit.ts';
import type { RegistryContext, RegistryTransaction } from './context.ts';
import { decodeCursor, pageOf } from './cursor.ts';
import { chunksOf, findImage, imageUnknown } from './image-rows.ts';
import type { Hold, HoldRequest, Holds, Repository } from './registry.ts';
import { readRepository } from './repository-rows.ts';
import type { RegistryTables } from './schema.ts';

const LONGEST_KIND = 64;
const LONGEST_HOLDER = 512;

/**
 * Takes a hold, or renews the one of the same digest, kind and holder, inside the caller's own transaction: whoever
 * writes down that a digest is going to run writes its hold with it, so that neither is ever there alone. Writes no audit
 * row: the caller's change has one.
 *
 * Raises `image-unknown` (an archived image counts as that), `repository-unknown`, `parameter-invalid`.
 */
export async function takeHold(
  transaction: RegistryTransaction,
  context: Pick<RegistryContext, 'clock' | 'ids'>,
  caller: Caller,
  repository: Repository,
  request: HoldRequest,
): Promise<Hold> {
  checkRequest(request);
  const image = await findImage(transaction, repository.id, request.digest);
  if (image === undefined || image.isArchived) {
    await readRepository(transaction, repository);
    throw imageUnknown(repository, { digest: request.digest });
  }
  const now = context.clock.now();
  const existing = await transaction
    .selectFrom('hold')
    .select(['id', 'since', 'expires_at'])
    .where('repository_id', '=', repository.id)
    .where('digest', '=', request.digest)
    .where('kind', '=', request.kind)
    .where('holder', '=', request.holder)
    .executeTakeFirst();
  const isRenewal = existing !== undefined && (existing.expires_at === null || existing.expires_at > now);
  const hold = {
    id: existing?.id ?? context.ids.uuid(),
    repository_id: repository.id,
    digest: request.digest,
    kind: request.kind,
    holder: request.holder,
    note: request.note ?? null,
    since: isRenewal ? existing.since : now,
    expires_at: request.timeToLive === undefined ? null : now + request.timeToLive,
    principal: caller.principal,
  };
  if (existing === undefined) await transaction.insertInto('hold').values(hold).execute();
  else await transaction.updateTable('hold').set(hold).where('id', '=', hold.id).execute();
  return toHold({ ...hold, repository: repository.name });
}

/**
 * Releases every hold of one holder, or its holds on the given digests only, inside the caller's own transaction; gives
 * how many there were. Writes no audit row. `repository` absent: in whichever repository.
 */
export async function releaseHolds(
  transaction: RegistryTransaction,
  which: { kind: string; holder: string; repository?: Pick<Repository, 'id'>; digests?: Digest[] },
): Promise<number> {
  let released = 0;
  for (const digests of which.digests === undefined ? [undefined] : chunksOf(which.digests)) {
    let query = transaction.deleteFrom('hold').where('kind', '=', which.kind).where('holder', '=', which.holder);
    if (which.repository !== undefined) query = query.where('repository_id', '=', which.repository.id);
    if (digests !== undefined) query = query.where('digest', 'in', digests);
    released += Number((await query.executeTakeFirstOrThrow()).numDeletedRows);
  }
  return released;
}

/** Live holds on any of the digests, oldest first. */
export async function readLiveHolds(
  database: Kysely<RegistryTables>,
  repository: Repository,
  digests: Digest[] | 'all',
  now: number,
): Promise<Hold[]> {
  const holds: Hold[] = [];
  for (const chunk of digests === 'all' ? [undefined] : chunksOf(digests)) {
    let query = database
      .selectFrom('hold')
      .selectAll()
      .where('repository_id', '=', repository.id)
      .where((builder) => builder.or([builder('expires_at', 'is', null), builder('expires_at', '>', now)]));
    if (chunk !== undefined) query = query.where('digest', 'in', chunk);
    for (const row of await query.execute()) holds.push(toHold({ ...row, repository: repository.name }));
  }
  return holds.sort((one, other) => one.since - other.since || (one.id < other.id ? -1 : 1));
}

/** The indexes of the repository that an image is part of, directly or through others. */
export async function readAncestors(database: Kysely<RegistryTables>, repositoryId: number, digest: Digest): Promise<Digest[]> {
  // One query, however deep they lie in each other.
  const { rows } = await sql<{ digest: Digest }>`
    with recursive above(digest) as (
      select manifest.digest from manifest_child cross join manifest
      where manifest_child.digest = ${digest} and manifest.id = manifest_child.manifest_id and manifest.repository_id = ${repositoryId}
      union
      select manifest.digest from above cross join manifest_child cross join manifest
      where manifest_child.digest = above.digest and manifest.id = manifest_child.manifest_id
        and manifest.repository_id = ${repositoryId})
    select digest from above`.execute(database);
  return rows.map((row) => row.digest).filter((above) => above !== digest);
}

/**
 * The indexes of the repository that list any of the digests, by digest. As everywhere where edges lead to images, a cross join:
 * SQLite keeps its order, and would otherwise begin with all images of the repository.
 */
export async function readParents(database: Kysely<RegistryTables>, repositoryId: number, digests: Digest[]): Promise<Digest[]> {
  const rows = await database
    .selectFrom('manifest_child')
    .crossJoin('manifest')
    .whereRef('manifest.id', '=', 'manifest_child.manifest_id')
    .select('manifest.digest')
    .distinct()
    .where('manifest_child.digest', 'in', digests)
    .where('manifest.repository_id', '=', repositoryId)
    .orderBy('manifest.digest')
    .execute();
  return rows.map((row) => row.digest as Digest);
}

export function createHolds(context: RegistryContext): Holds {
  const { meta, clock } = context;
  return {
    take: (caller, repository, request) =>
      meta.transact(async (transaction) => {
        const hold = await takeHold(transaction, context, caller, repository, request);
        await recordAudit(transaction, caller, {
          at: clock.now(),
          action: 'hold.take',
          repository: repository.name,
          detail: { id: hold.id, digest: hold.digest, kind: hold.kind, holder: hold.holder, expiresAt: hold.expiresAt },
        });
        return hold;
      }),

    release: (caller, id) =>
      meta.transact(async (transaction) => {
        const hold = await transaction
          .selectFrom('hold')
          .innerJoin('repository', 'repository.id', 'hold.repository_id')
          .select(['hold.digest', 'hold.kind', 'hold.holder', 'hold.expires_at', 'repository.name'])
          .where('hold.id', '=', id)
          .where('repository.account', '=', caller.account)
          .where('repository.region', '=', caller.region)
          .executeTakeFirst();
        if (hold === undefined || (hold.expires_at !== null && hold.expires_at <= clock.now()))
          throw new Fault('hold-unknown', { id });
        await transaction.deleteFrom('hold').where('id', '=', id).execute();
        await recordAudit(transaction, caller, {
          at: clock.now(),
          action: 'hold.release',
          repository: hold.name,
          detail: { id, digest: hold.digest, kind: hold.kind, holder: hold.holder },
        });
      }),

    async list(place, { limit, next, repository, digest, kind, holder }) {
      let query = meta.read
        .selectFrom('hold')
        .innerJoin('repository', 'repository.id', 'hold.repository_id')
        .selectAll('hold')
        .select('repository.name as repository')
        .where('repository.account', '=', place.account)
        .where('repository.region', '=', place.region)
        .where((builder) => builder.or([builder('hold.expires_at', 'is', null), builder('hold.expires_at', '>', clock.now())]))
        .orderBy('hold.since')
        .orderBy('hold.id')
        .limit(limit + 1);
      if (repository !== undefined) query = query.where('repository.name', '=', repository);
      if (digest !== undefined) query = query.where('hold.digest', '=', digest);
      if (kind !== undefined) query = query.where('hold.kind', '=', kind);
      if (holder !== undefined) query = query.where('hold.holder', '=', holder);
      if (next !== undefined) {
        const [since, id] = decodeCursor(next, ['number', 'string']);
        query = query.where((builder) =>
          builder.or([
            builder('hold.since', '>', since),
            builder.and([builder('hold.since', '=', since), builder('hold.id', '>', id)]),
          ]),
        );
      }
      return pageOf(await query.execute(), limit, (row) => [row.since, row.id], toHold);
    },

    async on(repository, digest) {
      const ancestors = await readAncestors(meta.read, repository.id, digest);
      return readLiveHolds(meta.read, repository, [digest, ...ancestors], clock.now());
    },
  };
}

function checkRequest({ kind, holder, note, timeToLive }: HoldRequest): void {
  const refuse = (member: string, constraint: string): never => {
    throw new Fault('parameter-invalid', { member, constraint });
  };
  if (kind.length > LONGEST_KIND || !/^[a-z][a-z0-9-]*$/.test(kind))
    refuse('kind', `Must be a lower-case word of at most ${LONGEST_KIND} characters`);
  if (holder === '' || holder.length > LONGEST_HOLDER) refuse('holder', `Must have 1 to ${LONGEST_HOLDER} characters`);
  if (note !== undefined && note.length > LONGEST_HOLDER) refuse('note', `Must have at most ${LONGEST_HOLDER} characters`);
  if (timeToLive !== undefined && !(Number.isSafeInteger(timeToLive) && timeToLive > 0 && timeToLive < 2 ** 52)) {
    refuse('timeToLive', 'Must be a positive number of milliseconds');
  }
}

function toHold(row: {
  id: string;
  repository: string;
  digest: string;
  kind: string;
  holder: string;
  note: string | null;
  since: number;
  expires_at: number | null;
  principal: string;
}): Hold {
  return {
    id: row.id,
    repository: row.repository as RepositoryName,
    digest: row.digest as Digest,
    kind: row.kind,
    holder: row.holder,
    since: row.since,
    principal: row.principal,
    ...(row.note !== null ? { note: row.note } : {}),
    ...(row.expires_at !== null ? { expiresAt: row.expires_at } : {}),
  };
}
