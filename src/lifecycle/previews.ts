import { sql } from 'kysely';
import type { Digest } from '../core/digest.ts';
import { Fault } from '../core/fault.ts';
import type { Repository } from '../registry/registry.ts';
import { decodeCursor, pageOf } from '../registry/cursor.ts';
import { breathe } from '../registry/collection-pass.ts';
import { readRepository } from '../registry/repository-rows.ts';
import type { LifecycleContext } from './context.ts';
import type { JudgedImage } from './evaluate.ts';
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
    let counts: { expiring: number; archiving: number } | undefined;
    try {
      const { judged } = await evaluateRepository(context, repository, parseLifecyclePolicy(text));
      counts = await writeResults(context, repository.id, id, judged);
    } catch (error) {
      log.error('a lifecycle policy preview failed', { repository: repository.name, error: String(error) });
    }
    await meta.transact(async (transaction) => {
      await transaction
        .updateTable('lifecycle_preview')
        .set(counts === undefined ? { status: 'FAILED' } : { status: 'COMPLETE', ...counts })
        .where('repository_id', '=', repository.id)
        .where('id', '=', id)
        .execute();
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
        const row = { id, policy_text: text, status: 'IN_PROGRESS', started_at: clock.now(), expiring: 0, archiving: 0 };
        await transaction
          .insertInto('lifecycle_preview')
          .values({ repository_id: repository.id, ...row })
          .onConflict((conflict) => conflict.column('repository_id').doUpdateSet(row))
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

/** Rows that are written in one transaction: pushes get their turn in between. */
const BATCH = 500;

/**
 * Keeps what a policy acts on, oldest first, in the place of what an earlier preview has left. Nobody reads it before the
 * preview is complete. `undefined` when the repository has gone meanwhile, or a later preview has taken this one's place.
 */
async function writeResults(
  { meta }: LifecycleContext,
  repositoryId: number,
  id: string,
  judged: JudgedImage<StoredLifecycleImage>[],
): Promise<{ expiring: number; archiving: number } | undefined> {
  const results = judged.flatMap(({ image, verdict: { verdict, rule } }) =>
    rule === undefined || (verdict !== 'expire' && verdict !== 'archive') ? [] : [{ image, action: verdict, rule }],
  );
  const expiring = results.filter(({ action }) => action === 'expire').length;
  for (let from = 0; ; from += BATCH) {
    const batch = results.slice(from, from + BATCH);
    const rows = batch.map(({ image, action, rule }, index) => ({
      repository_id: repositoryId,
      position: from + index,
      digest: image.digest,
      tags: JSON.stringify(image.tags),
      pushed_at: image.pushedAt,
      action,
      rule,
      storage_class: image.storageClass,
    }));
    const isMine = await meta.transact(async (transaction) => {
      const preview = await transaction
        .selectFrom('lifecycle_preview')
        .select('id')
        .where('repository_id', '=', repositoryId)
        .executeTakeFirst();
      if (preview?.id !== id) return false;
      // The last batch takes away what is left behind it.
      let old = transaction
        .deleteFrom('lifecycle_preview_image')
        .where('repository_id', '=', repositoryId)
        .where('position', '>=', from);
      if (batch.length === BATCH) old = old.where('position', '<', from + BATCH);
      await old.execute();
      if (rows.length > 0) await transaction.insertInto('lifecycle_preview_image').values(rows).execute();
      return true;
    });
    if (!isMine) return undefined;
    if (batch.length < BATCH) return { expiring, archiving: results.length - expiring };
    await breathe();
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
