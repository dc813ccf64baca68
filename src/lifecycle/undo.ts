import type { Digest } from '../core/digest.ts';
import { Fault, isFault } from '../core/fault.ts';
import { breathe } from '../registry/collection-pass.ts';
import type { LifecycleContext } from './context.ts';
import type { Lifecycle, UndoneRun } from './lifecycle.ts';
import { switchPolicy } from './policies.ts';
import { findRun } from './run-rows.ts';

/** Brings a run's images back. Its own work can be asked for again: what is back already is not lost. */
export function createUndo(context: LifecycleContext): Lifecycle['undo'] {
  const { meta, registry } = context;
  return async (caller, repository, runId) => {
    const run = await findRun(meta.read, repository, runId);
    if (run === undefined || run.status === 'waiting')
      throw new Fault('lifecycle-run-unknown', { repository: repository.name, run: runId.slice(0, 100) });
    // First of all, so that no hourly run takes away what comes back.
    const policy = await meta.transact((transaction) => switchPolicy(transaction, context, caller, repository, true));

    const undone: UndoneRun = {
      run: runId,
      restored: [],
      activated: [],
      tagsTaken: [],
      lost: [],
      policyOff: policy !== undefined,
    };
    const expired = await meta.read
      .selectFrom('deleted_manifest')
      .select('digest')
      .where('run', '=', runId)
      .where('account', '=', repository.account)
      .where('region', '=', repository.region)
      .where('repository', '=', repository.name)
      // The last one that left comes back first, so that an index finds what it lists.
      .orderBy('id', 'desc')
      .execute();
    for (const { digest } of expired) {
      await breathe();
      try {
        const { tagsTaken } = await registry.images.restore(caller, repository, digest as Digest);
        undone.restored.push(digest as Digest);
        undone.tagsTaken.push(...tagsTaken);
      } catch (error) {
        if (isFault(error, 'deleted-image-unknown')) undone.lost.push(lost(digest, 'its grace period has ended'));
        else if (isFault(error, 'children-unknown')) undone.lost.push(lost(digest, 'what it lists is gone'));
        else throw error;
      }
    }
    const archived = await meta.read.selectFrom('lifecycle_run_archived').select('digest').where('run', '=', runId).execute();
    for (const row of archived) {
      await breathe();
      const digest = row.digest as Digest;
      try {
        const { storageClass } = await registry.images.resolve(repository, { digest });
        if (storageClass !== 'archive') continue;
        await registry.images.setStorageClass(caller, repository, digest, 'standard');
        undone.activated.push(digest);
      } catch (error) {
        if (isFault(error, 'image-unknown')) undone.lost.push(lost(digest, 'it was deleted since'));
        else if (isFault(error, 'storage-class-unsupported')) undone.lost.push(lost(digest, error.facts.reason));
        else throw error;
      }
    }
    await meta.transact(async (transaction) => {
      await transaction.updateTable('lifecycle_run').set({ status: 'undone' }).where('id', '=', runId).execute();
    });
    return undone;
  };
}

function lost(digest: string, reason: string): { digest: Digest; reason: string } {
  return { digest: digest as Digest, reason };
}
