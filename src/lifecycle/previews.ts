import { sql } from 'kysely';
import type { Digest } from '../core/digest.ts';
import { Fault } from '../core/fault.ts';
import type { Repository } from '../registry/registry.ts';
import { decodeCursor, pageOf } from '../registry/cursor.ts';
import { chunksOf } from '../registry/image-rows.ts';
import { readRepository } from '../registry/repository-rows.ts';
import type { LifecycleContext, LifecycleTransaction } from './context.ts';
import type { ImageVerdict } from './evaluate.ts';
import { evaluateRepository } from './explain.ts';
import type { Lifecycle, PreviewedImage, PreviewRequest, StoredPreview } from './lifecycle.ts';
import { parseLifecyclePolicy } from './parse-policy.ts';
import { asRegistry, getPolicy } from './policies.ts';
import type { StoredLifecycleImage } from './read-images.ts';

/** How long a preview can be asked for; then its status is EXPIRED. */
export const PREVIEW_LIFETIME = 24 * 60 * 60 * 1000;

/** Previews as the ECR API has them: started, then asked for in pages; the latest of each repository is kept. */
export function createPreviews(context: LifecycleContext): Pick<Lifecycle, 'startPreview' | 'getPreview'> {
  const { meta, clock, ids, log, work } = context;
  /** Ids of the previews that this server is making. */
  const running = new Set<string>();

  const make = async (repository: Repository, id: string, text: string): Promise<void> => {
    let results: PreviewedImage[] | undefined;
    try {
      const { images, verdicts } = await evaluateRepository(context, repository, parseLifecyclePolicy(text));
      results = actedOn(images, verdicts);
    } catch (error) {
      log.error('a lifecycle policy preview failed', { repository: repository.name, error: String(error) });
    }
    await meta.transact(async (transaction) => {
      await finish(transaction, repository.id, id, results);
    });
  };

  return {
    async startPreview(known, given) {
      const id = ids.uuid();
      const policyText = await meta.transact(async (transaction) => {
        const repository = await readRepository(asRegistry(transaction), known);
        const text = given ?? (await getPolicy(transaction, repository)).text;
        parseLifecyclePolicy(text);
        const before = await transaction
          .selectFrom('lifecycle_preview')
          .select('id')
          .where('repository_id', '=', repository.id)
          .executeTakeFirst();
        if (before !== undefined && running.has(before.id))
          throw new Fault('lifecycle-preview-running', { repository: repository.name, registryId: repository.account });
        await transaction.deleteFrom('lifecycle_preview').where('repository_id', '=', repository.id).execute();
        await transaction
          .insertInto('lifecycle_preview')
          .values({
            repository_id: repository.id,
            id,
            policy_text: text,
            status: 'IN_PROGRESS',
            started_at: clock.now(),
            expiring: 0,
            archiving: 0,
          })
          .execute();
        return text;
      });
      running.add(id);
      work.start('a lifecycle policy preview', () => make(known, id, policyText).finally(() => running.delete(id)));
      return { policyText };
    },

    async getPreview(repository, request) {
      const row = await meta.read
        .selectFrom('lifecycle_preview')
        .select(['id', 'policy_text', 'status', 'started_at', 'expiring', 'archiving'])
        .where('repository_id', '=', repository.id)
        .executeTakeFirst();
      if (row === undefined)
        throw new Fault('lifecycle-preview-unknown', { repository: repository.name, registryId: repository.account });
      const status = statusNow(row, running, clock.now());
      const counts = { expiring: row.expiring, archiving: row.archiving };
      if (status !== 'COMPLETE')
        return {
          policyText: row.policy_text,
          status,
          images: [],
          ...(status === 'EXPIRED' ? { expiring: 0, archiving: 0 } : counts),
        };
      const page = await readResults(context, repository.id, request);
      return {
        policyText: row.policy_text,
        status,
        images: page.items,
        ...counts,
        ...(page.next === undefined ? {} : { next: page.next }),
      };
    },
  };
}

/** What a policy acts on, oldest first. */
function actedOn(images: readonly StoredLifecycleImage[], verdicts: readonly ImageVerdict[]): PreviewedImage[] {
  const byDigest = new Map(images.map((image) => [image.digest, image]));
  return verdicts.flatMap(({ digest, verdict, rule }): PreviewedImage[] => {
    const image = byDigest.get(digest);
    if (image === undefined || rule === undefined || (verdict !== 'expire' && verdict !== 'archive')) return [];
    return [{ digest, tags: [...image.tags], pushedAt: image.pushedAt, action: verdict, rule, storageClass: image.storageClass }];
  });
}

async function finish(
  transaction: LifecycleTransaction,
  repositoryId: number,
  id: string,
  results: PreviewedImage[] | undefined,
): Promise<void> {
  const { numUpdatedRows } = await transaction
    .updateTable('lifecycle_preview')
    .set({
      status: results === undefined ? 'FAILED' : 'COMPLETE',
      expiring: results?.filter(({ action }) => action === 'expire').length ?? 0,
      archiving: results?.filter(({ action }) => action === 'archive').length ?? 0,
    })
    .where('repository_id', '=', repositoryId)
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  // The repository has gone, or a later preview has taken its place.
  if (Number(numUpdatedRows) === 0) return;
  let position = 0;
  for (const chunk of chunksOf(results ?? [])) {
    await transaction
      .insertInto('lifecycle_preview_image')
      .values(
        chunk.map(({ digest, tags, pushedAt, action, rule, storageClass }) => ({
          repository_id: repositoryId,
          position: position++,
          digest,
          tags: JSON.stringify(tags),
          pushed_at: pushedAt,
          action,
          rule,
          storage_class: storageClass,
        })),
      )
      .execute();
  }
}

function statusNow(
  row: { id: string; status: string; started_at: number },
  running: ReadonlySet<string>,
  now: number,
): StoredPreview['status'] {
  // Who was making it has ended in the middle.
  if (row.status === 'IN_PROGRESS') return running.has(row.id) ? 'IN_PROGRESS' : 'FAILED';
  if (row.status === 'COMPLETE') return now - row.started_at > PREVIEW_LIFETIME ? 'EXPIRED' : 'COMPLETE';
  return 'FAILED';
}

async function readResults(
  { meta }: LifecycleContext,
  repositoryId: number,
  { limit, next, tagStatus, only }: PreviewRequest,
): Promise<{ items: PreviewedImage[]; next?: string }> {
  let query = meta.read
    .selectFrom('lifecycle_preview_image')
    .select(['position', 'digest', 'tags', 'pushed_at', 'action', 'rule', 'storage_class'])
    .where('repository_id', '=', repositoryId)
    .orderBy('position');
  if (tagStatus === 'TAGGED') query = query.where('tags', '!=', '[]');
  if (tagStatus === 'UNTAGGED') query = query.where('tags', '=', '[]');
  if (next !== undefined) query = query.where('position', '>', decodeCursor(next, ['number'])[0]);
  if (only === undefined) query = query.limit(limit + 1);
  else {
    query = query.where((builder) =>
      builder.or(
        only.map(({ digest, tag }) =>
          builder.and([
            ...(digest === undefined ? [] : [builder('digest', '=', digest)]),
            // Tags need no escape in JSON, and a quoted one is never a part of another.
            ...(tag === undefined ? [] : [sql<boolean>`tags like ${`%"${tag.replaceAll(/[%_\\]/g, '\\$&')}"%`} escape '\\'`]),
          ]),
        ),
      ),
    );
  }
  const rows = await query.execute();
  return pageOf(
    rows,
    only === undefined ? limit : rows.length,
    (row) => [row.position],
    (row): PreviewedImage => ({
      digest: row.digest as Digest,
      tags: JSON.parse(row.tags) as string[],
      pushedAt: row.pushed_at,
      action: row.action === 'archive' ? 'archive' : 'expire',
      rule: row.rule,
      storageClass: row.storage_class === 'archive' ? 'archive' : 'standard',
    }),
  );
}
