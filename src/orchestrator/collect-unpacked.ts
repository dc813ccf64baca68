import type { Digest } from '../core/digest.ts';
import type { OrchestratorContext } from './context.ts';
import type { CollectedImages } from './ports.ts';
import type { RevisionDocument } from './service-rows.ts';

/**
 * Has the runtime let go of unpacked images that no task has and no service runs or could go back to. With `purge` those go too
 * that are kept in case they are needed again. All zero where the runtime unpacks nothing.
 */
export type CollectUnpacked = (options: { purge: boolean; dryRun: boolean }) => Promise<CollectedImages>;

export function createCollectUnpacked(
  context: Pick<OrchestratorContext, 'meta' | 'runtime' | 'settings' | 'log'>,
): CollectUnpacked {
  const { runtime, settings, log } = context;
  return async ({ purge, dryRun }) => {
    if (runtime.collectImages === undefined) return { images: 0, layers: 0, bytes: 0 };
    const collected = await runtime.collectImages({
      needed: await digestsOfServices(context),
      keepFor: purge ? -1 : settings.unpackedKeepMs,
      mostBytes: purge ? 0 : settings.unpackedMostBytes,
      dryRun,
    });
    if (!dryRun && collected.layers > 0) log.info('unpacked layers that nothing needs were removed', { ...collected });
    return collected;
  };
}

/** Of revisions that run, and of the last ones of each service that have been completed: a roll-back leads there. */
async function digestsOfServices({ meta, settings }: Pick<OrchestratorContext, 'meta' | 'settings'>): Promise<Set<Digest>> {
  const rows = await meta.read
    .selectFrom('service_revision')
    .select(['service_id', 'role', 'completed_at', 'document'])
    .where((where) => where.or([where('role', '<>', 'GONE'), where('completed_at', 'is not', null)]))
    .orderBy('completed_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
  const needed = new Set<Digest>();
  const kept = new Map<number, number>();
  for (const { service_id, role, completed_at, document } of rows) {
    const before = kept.get(service_id) ?? 0;
    if (completed_at !== null) kept.set(service_id, before + 1);
    if (role === 'GONE' && before >= settings.keptRevisions) continue;
    for (const { digest } of (JSON.parse(document) as RevisionDocument).images) if (digest !== undefined) needed.add(digest);
  }
  return needed;
}
