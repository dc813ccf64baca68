import type { Digest } from '../core/digest.ts';
import { Fault } from '../core/fault.ts';
import type { Caller } from '../core/place.ts';
import { recordAudit } from './audit.ts';
import type { RegistryContext, RegistryTransaction } from './context.ts';
import { readAncestors, readLiveHolds } from './holds.ts';
import { imageHeld } from './image-delete.ts';
import type { ImageQuota } from './image-quota.ts';
import { detailColumns, getImage, readTags, toImageDetail } from './image-rows.ts';
import type { Images, Repository } from './registry.ts';
import { readRepository } from './repository-rows.ts';

/**
 * Archiving hides an image from every pull. So it is refused for what is held, and an index and what it lists stay
 * together: children go into the archive after their indexes and come back before them.
 */
export function createSetStorageClass({ meta, clock }: RegistryContext, quota: ImageQuota): Images['setStorageClass'] {
  return (caller, known, digest, storageClass) =>
    meta.transact(async (transaction) => {
      const repository = await readRepository(transaction, known);
      const image = await getImage(transaction, repository, digest);
      const now = clock.now();
      if (image.isArchived !== (storageClass === 'archive')) {
        if (storageClass === 'archive') await archiveImage(transaction, caller, repository, image, now);
        else {
          await quota.take(transaction, repository.id);
          await activateImage(transaction, caller, repository, image, now);
        }
      }
      const row = await transaction
        .selectFrom('manifest')
        .select(detailColumns)
        .where('id', '=', image.id)
        .executeTakeFirstOrThrow();
      return toImageDetail(row, (await readTags(transaction, [image.id])).get(image.id) ?? []);
    });
}

/**
 * Archives one image that is not archived, inside the caller's transaction, with its audit row; `detail` says more than
 * the digest. Raises `image-held`, and `storage-class-unsupported` for an entry of an index that is not archived.
 */
export async function archiveImage(
  transaction: RegistryTransaction,
  caller: Caller,
  repository: Repository,
  { id, digest }: { id: number; digest: Digest },
  now: number,
  detail: Record<string, unknown> = {},
): Promise<void> {
  const ancestors = await readAncestors(transaction, repository.id, digest);
  const holds = await readLiveHolds(transaction, repository, [digest, ...ancestors], now);
  if (holds.length > 0) throw imageHeld(repository, digest, holds);
  const parent = await transaction
    .selectFrom('manifest_child')
    .crossJoin('manifest')
    .whereRef('manifest.id', '=', 'manifest_child.manifest_id')
    .select('manifest.digest')
    .where('manifest_child.digest', '=', digest)
    .where('manifest.repository_id', '=', repository.id)
    .where('manifest.storage_class', '=', 'standard')
    .limit(1)
    .executeTakeFirst();
  if (parent !== undefined) refuse(`${parent.digest} lists it and is not archived: archive that one first`);
  await transaction.updateTable('manifest').set({ storage_class: 'archive', archived_at: now }).where('id', '=', id).execute();
  await recordAudit(transaction, caller, {
    at: now,
    action: 'image.archive',
    repository: repository.name,
    detail: { digest, ...detail },
  });
}

/**
 * Brings an archived image back, inside the caller's transaction, with its audit row; nobody asks whether there is room for
 * it. Raises `storage-class-unsupported` for an index that lists an archived image.
 */
export async function activateImage(
  transaction: RegistryTransaction,
  caller: Caller,
  repository: Repository,
  { id, digest }: { id: number; digest: Digest },
  now: number,
): Promise<void> {
  const child = await transaction
    .selectFrom('manifest_child')
    .innerJoin('manifest', 'manifest.digest', 'manifest_child.digest')
    .select('manifest.digest')
    .where('manifest_child.manifest_id', '=', id)
    .where('manifest.repository_id', '=', repository.id)
    .where('manifest.storage_class', '=', 'archive')
    .limit(1)
    .executeTakeFirst();
  if (child !== undefined) refuse(`it lists ${child.digest}, which is archived: restore that one first`);
  await transaction.updateTable('manifest').set({ storage_class: 'standard', activated_at: now }).where('id', '=', id).execute();
  await recordAudit(transaction, caller, {
    at: now,
    action: 'image.activate',
    repository: repository.name,
    detail: { digest },
  });
}

function refuse(reason: string): never {
  throw new Fault('storage-class-unsupported', { reason });
}
