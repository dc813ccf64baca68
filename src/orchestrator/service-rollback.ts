import type { Caller } from '../core/place.ts';
import { getCluster } from './cluster-rows.ts';
import type { OrchestratorContext, OrchestratorTransaction } from './context.ts';
import { ecsFault, invalidParameter, unsupported } from './ecs-faults.ts';
import type { Reconciler } from './reconcile.ts';
import { deploymentId, getService, liveRevisions, toRevision, type RevisionRecord, type ServiceRecord } from './service-rows.ts';
import { goBackTo, insertDeployment, stopCurrent } from './start-deployment.ts';

export interface RollbackRequest {
  cluster?: string;
  service: string;
  /** The id of a revision, `ecs-svc/…`, or its ARN; absent: the successful one before the one that is PRIMARY. */
  revision?: string;
}

/**
 * Deploys an earlier revision of a service again as it was: its task definition, its settings, and its digests, whatever
 * its tags point at by now. ECS can only stop a deployment that is under way; this goes back from a finished one, too.
 *
 * Raises `ecs`: no such service or revision, one that was never successful, or one whose images are no longer held.
 */
export type RollBack = (
  caller: Caller,
  request: RollbackRequest,
) => Promise<{ revision: string; deploymentId: string; taskDefinition: string }>;

export function createRollBack(context: OrchestratorContext, reconciler: Pick<Reconciler, 'touch'>): RollBack {
  const { meta, clock, settings } = context;
  return async (caller, request) => {
    const cluster = await getCluster(meta.read, caller, request.cluster);
    const { service, target } = await meta.transact(async (transaction) => {
      const found = await getService(transaction, cluster, request.service);
      if (found.status !== 'ACTIVE') throw ecsFault('ServiceNotActiveException', 'Service was not ACTIVE.');
      if (found.controller !== 'ECS')
        throw unsupported(
          `The deployments of ${found.name} are made by its ${found.controller} deployment controller. Roll back there.`,
        );
      const chosen = await choose(transaction, found, request.revision, settings.keptRevisions);
      const sources = await liveRevisions(transaction, found.id);
      await stopCurrent(transaction, found, clock.now(), 'Service deployment stopped because a roll-back was asked for.');
      await goBackTo(transaction, context, found, chosen, `ECS deployment ${deploymentId(chosen.id)} in progress.`);
      await insertDeployment(
        transaction,
        context,
        found,
        chosen.id,
        sources.map(({ id }) => id).filter((id) => id !== chosen.id),
      );
      return { service: found, target: chosen };
    });
    reconciler.touch(service.id);
    return { revision: target.id, deploymentId: deploymentId(target.id), taskDefinition: target.document.taskDefinition };
  };
}

async function choose(
  transaction: OrchestratorTransaction,
  service: ServiceRecord,
  wanted: string | undefined,
  keptRevisions: number,
): Promise<RevisionRecord> {
  const rows = await transaction
    .selectFrom('service_revision')
    .selectAll()
    .where('service_id', '=', service.id)
    .where('completed_at', 'is not', null)
    .orderBy('completed_at', 'desc')
    .orderBy('id', 'desc')
    .limit(keptRevisions)
    .execute();
  const kept = rows.map(toRevision);
  const others = kept.filter(({ role }) => role !== 'PRIMARY');
  const choice = others.length === 0 ? 'There is none.' : `There are: ${others.map(({ id }) => id).join(', ')}.`;
  const target = wanted === undefined ? others[0] : kept.find(({ id }) => id === wanted.slice(wanted.lastIndexOf('/') + 1));
  if (target === undefined) {
    const what =
      wanted === undefined
        ? 'No service revision can be rolled back to'
        : `The service revision '${wanted.slice(0, 300)}' cannot be rolled back to`;
    throw invalidParameter(`${what}: it must be one of the last ${keptRevisions} successful ones of ${service.name}. ${choice}`);
  }
  if (target.role === 'PRIMARY' && target.rollout === 'COMPLETED')
    throw invalidParameter(`The service revision ${target.id} is the one that is deployed. ${choice}`);
  return target;
}
