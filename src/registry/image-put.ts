import { digestAlgorithm, type Digest } from '../core/digest.ts';
import { Fault } from '../core/fault.ts';
import { declaredImageSize, parseManifest, requiredBlobs, type Manifest } from '../core/manifest.ts';
import type { Caller } from '../core/place.ts';
import { recordAudit } from './audit.ts';
import type { RegistryContext, RegistryTransaction } from './context.ts';
import { chunksOf, findImage, readTargets } from './image-rows.ts';
import type { ImageQuota } from './image-quota.ts';
import type { Images, PutImageRequest, PutImageResult, Repository } from './registry.ts';
import { readRepository } from './repository-rows.ts';
import { checkTagLimit, moveTags, refuseProtectedMoves, repositoryTime } from './tag-moves.ts';

/**
 * The one way for a manifest to come in. Everything that it refers to is checked, and then referred to, in one
 * transaction: the collector, which looks for references in a transaction as well, finds them or the push finds nothing.
 */
export function createPut(context: RegistryContext, quota: ImageQuota): Images['put'] {
  return (caller, repository, request) =>
    context.meta.transact((transaction) => put(transaction, context, quota, caller, repository, request));
}

async function put(
  transaction: RegistryTransaction,
  context: RegistryContext,
  quota: ImageQuota,
  caller: Caller,
  known: Repository,
  request: PutImageRequest,
): Promise<PutImageResult> {
  const { options, clock } = context;
  const repository = await readRepository(transaction, known);
  const manifest = parseManifest(request.body, request.mediaType, request.digest && digestAlgorithm(request.digest));
  const { digest } = manifest;
  if (request.digest !== undefined && request.digest !== digest) {
    throw new Fault('image-digest-mismatch', {
      repository: repository.name,
      registryId: repository.account,
      given: request.digest,
      computed: digest,
    });
  }

  const tags = [...new Set(request.tags)];
  const targets = await readTargets(transaction, repository.id, tags);
  const moved = tags.filter((tag) => targets.get(tag)?.digest !== digest);
  const stored = await findImage(transaction, repository.id, digest);
  const created = stored === undefined || stored.isArchived;
  const mediaType = stored?.mediaType ?? manifest.mediaType;
  const result = { digest, mediaType, created, moved, ...(manifest.subject ? { subject: manifest.subject.digest } : {}) };
  if (!created && moved.length === 0) return result;

  refuseProtectedMoves(repository, moved, targets, options);
  const blobs = await checkBlobs(transaction, repository, manifest);
  const largestChild = await checkChildren(transaction, repository, manifest);
  await checkTagLimit(transaction, stored?.id, moved.length, options.limits.tagsPerImage);
  if (created) await quota.take(transaction, repository.id);

  const at = await repositoryTime(transaction, repository, clock.now());
  let id = stored?.id;
  if (id === undefined) {
    const imageSize = manifest.shape === 'index' ? largestChild : declaredImageSize(manifest);
    id = await insertManifest(transaction, repository, manifest, request.body, imageSize, {
      pushed_at: at,
      pushed_by: caller.principal,
    });
    await insertEdges(transaction, id, manifest, blobs);
    await forgetDeleted(transaction, repository, digest);
  } else if (created) {
    await transaction.updateTable('manifest').set({ storage_class: 'standard', activated_at: at }).where('id', '=', id).execute();
  }
  await moveTags(transaction, caller, repository, { id, digest }, moved, {
    at,
    cause: stored === undefined ? 'push' : 'retag',
    targets,
  });
  await recordAudit(transaction, caller, {
    at,
    action: 'image.push',
    repository: repository.name,
    detail: { digest, tags: moved, created: stored === undefined },
  });
  return result;
}

/**
 * The blobs to keep for the image: all that it needs (raises `layers-unknown` if one is no member of the repository or
 * is corrupt), and of those that may live elsewhere the ones that are here.
 */
async function checkBlobs(transaction: RegistryTransaction, repository: Repository, manifest: Manifest): Promise<Digest[]> {
  const required = requiredBlobs(manifest);
  const named = [...new Set([...required, ...manifest.layers.map((layer) => layer.digest)])];
  const present = new Set<string>();
  for (const digests of chunksOf(named)) {
    const rows = await transaction
      .selectFrom('repository_blob')
      .innerJoin('blob', 'blob.digest', 'repository_blob.digest')
      .select('repository_blob.digest')
      .where('repository_blob.repository_id', '=', repository.id)
      .where('repository_blob.digest', 'in', digests)
      .where('blob.corrupt_at', 'is', null)
      .execute();
    for (const row of rows) present.add(row.digest);
  }
  const missing = required.filter((digest) => !present.has(digest));
  if (missing.length > 0) {
    throw new Fault('layers-unknown', { repository: repository.name, registryId: repository.account, digests: missing });
  }
  return named.filter((digest) => present.has(digest));
}

/**
 * The size of an index's largest child. Raises `children-unknown` for those that are not in the repository; an archived
 * one counts as that, for nobody could pull it, unless the index is archived itself (`archivedToo`).
 */
export async function checkChildren(
  transaction: RegistryTransaction,
  repository: Repository,
  manifest: Manifest,
  { archivedToo = false }: { archivedToo?: boolean } = {},
): Promise<number> {
  const children = manifest.children.map((child) => child.digest);
  const sizes = new Map<string, number>();
  for (const digests of chunksOf(children)) {
    let query = transaction
      .selectFrom('manifest')
      .select(['digest', 'image_size'])
      .where('repository_id', '=', repository.id)
      .where('digest', 'in', digests);
    if (!archivedToo) query = query.where('storage_class', '=', 'standard');
    for (const row of await query.execute()) sizes.set(row.digest, row.image_size);
  }
  const missing = [...new Set(children)].filter((digest) => !sizes.has(digest));
  if (missing.length > 0) {
    throw new Fault('children-unknown', { repository: repository.name, registryId: repository.account, digests: missing });
  }
  return [...sizes.values()].reduce((largest, size) => Math.max(largest, size), 0);
}

/** Writes a manifest's row and gives its number. */
export async function insertManifest(
  transaction: RegistryTransaction,
  repository: Repository,
  manifest: Manifest,
  body: Uint8Array,
  imageSize: number,
  life: {
    pushed_at: number;
    pushed_by: string;
    pulled_at?: number | null;
    storage_class?: string;
    archived_at?: number | null;
    activated_at?: number | null;
  },
): Promise<number> {
  const row = await transaction
    .insertInto('manifest')
    .values({
      repository_id: repository.id,
      digest: manifest.digest,
      media_type: manifest.mediaType,
      artifact_type: manifest.artifactType ?? null,
      config_media_type: manifest.config?.mediaType ?? null,
      subject: manifest.subject?.digest ?? null,
      annotations: manifest.annotations ? JSON.stringify(manifest.annotations) : null,
      size: manifest.size,
      image_size: imageSize,
      body,
      ...life,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return row.id;
}

/** Writes what keeps the manifest's content alive. */
export async function insertEdges(
  transaction: RegistryTransaction,
  manifestId: number,
  manifest: Manifest,
  blobs: Digest[],
): Promise<void> {
  for (const digests of chunksOf(blobs)) {
    // Who has had a blob alone shares it from now on.
    await transaction
      .updateTable('manifest_blob')
      .set({ is_shared: 1 })
      .where('digest', 'in', digests)
      .where('is_shared', '=', 0)
      .execute();
    await transaction
      .insertInto('manifest_blob')
      .columns(['manifest_id', 'digest', 'bytes', 'is_shared'])
      .expression((builder) =>
        builder
          .selectFrom('blob')
          .select((blob) => [
            blob.val(manifestId).as('manifest_id'),
            'blob.digest',
            'blob.bytes',
            blob
              .case()
              .when(
                blob.exists(
                  blob.selectFrom('manifest_blob as other').select('other.digest').whereRef('other.digest', '=', 'blob.digest'),
                ),
              )
              .then(1)
              .else(0)
              .end()
              .as('is_shared'),
          ])
          .where('blob.digest', 'in', digests),
      )
      .execute();
  }
  const children = [...new Set(manifest.children.map((child) => child.digest))];
  for (const digests of chunksOf(children)) {
    await transaction
      .insertInto('manifest_child')
      .values(digests.map((digest) => ({ manifest_id: manifestId, digest })))
      .execute();
  }
}

/** Drops the deleted image of this digest, if there is one: it is here again. */
export async function forgetDeleted(transaction: RegistryTransaction, repository: Repository, digest: Digest): Promise<void> {
  await transaction
    .deleteFrom('deleted_manifest')
    .where('account', '=', repository.account)
    .where('region', '=', repository.region)
    .where('repository', '=', repository.name)
    .where('digest', '=', digest)
    .execute();
}
