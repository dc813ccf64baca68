import type { OrchestratorContext, OrchestratorTransaction } from './context.ts';
import { beginMonitoring, endMonitoring } from './breaker-monitor.ts';
import { addEvent, eventText } from './service-events.ts';
import { holdImages } from './revision-holds.ts';
import { imagesOf, unresolved } from './revision-images.ts';
import { emptyTally } from './plan/tally.ts';
import { tagsOf } from './resource-tags.ts';
import {
  currentDeployment,
  deploymentId,
  liveRevisions,
  revisionById,
  toRevision,
  type DeploymentDocument,
  type DeploymentRecord,
  type RevisionDocument,
  type RevisionRecord,
  type ServiceDocument,
  type ServiceRecord,
} from './service-rows.ts';
import type { TaskDefinitionRecord } from './task-definition-rows.ts';

/** On a service: `registry` or `first-task`; goes before the server's setting. */
export const RESOLVE_TAG = 'holdfast:resolve';
const HISTORY_MS = 90 * 24 * 60 * 60 * 1000;

export interface DeploymentOptions {
  definition: TaskDefinitionRecord;
  /** The cluster's setting `versionConsistency` is `disabled`. */
  consistencyOff: boolean;
  /** The id of a task set, which is the revision's, too. */
  id?: string;
}

/**
 * Makes a new service revision PRIMARY, with a service deployment that brings it about, inside the caller's transaction.
 * `service` is as its row is from now on. What is under way ends; what runs is replaced by the reconcile loop.
 */
export async function startDeployment(
  transaction: OrchestratorTransaction,
  context: OrchestratorContext,
  service: ServiceRecord,
  { definition, consistencyOff }: DeploymentOptions,
): Promise<string> {
  const now = context.clock.now();
  const sources = await liveRevisions(transaction, service.id);
  await stopCurrent(transaction, service, now, 'Service deployment stopped because a newer service deployment was started.');
  await transaction
    .updateTable('service_revision')
    .set({ role: 'ACTIVE', updated_at: now })
    .where('service_id', '=', service.id)
    .where('role', '=', 'PRIMARY')
    .execute();
  const id = await insertRevision(transaction, context, service, { definition, consistencyOff });
  await insertDeployment(
    transaction,
    context,
    service,
    id,
    sources.map((source) => source.id),
  );
  await forgetHistory(transaction, service, now);
  return id;
}

/** Writes a revision down, its digests held where they are known. `PRIMARY` of its service or task set. */
export async function insertRevision(
  transaction: OrchestratorTransaction,
  context: OrchestratorContext,
  service: ServiceRecord,
  { definition, consistencyOff, id: given }: DeploymentOptions,
  settings: Omit<RevisionDocument, 'images' | 'taskDefinition'> = settingsOf(service.document),
): Promise<string> {
  const now = context.clock.now();
  const id = given ?? (await nextRevisionId(transaction, context));
  const tags = (await tagsOf(transaction, [service.arn])).get(service.arn) ?? {};
  const wanted = tags[RESOLVE_TAG];
  const resolveBy = wanted === 'registry' || wanted === 'first-task' ? wanted : context.settings.resolve;
  const images = imagesOf(definition.document);
  const nothingToLearn = unresolved(images).length === 0;
  const noTaskToLearnFrom = resolveBy === 'first-task' && service.schedulingStrategy === 'REPLICA' && service.desiredCount === 0;
  const skipped = service.controller !== 'ECS' || consistencyOff || nothingToLearn || noTaskToLearnFrom;
  // What is written with its digest can be held before it runs; if it is not there, its tasks will say so.
  const { held } = await holdImages(transaction, context, service, { id, createdAt: now }, images);
  const document: RevisionDocument = { ...settings, taskDefinition: definition.arn, images };
  await transaction
    .insertInto('service_revision')
    .values({
      id,
      service_id: service.id,
      task_definition_id: definition.id,
      role: service.controller === 'EXTERNAL' ? 'ACTIVE' : 'PRIMARY',
      rollout: service.controller === 'EXTERNAL' ? 'COMPLETED' : 'IN_PROGRESS',
      rollout_reason: `ECS deployment ${deploymentId(id)} in progress.`,
      resolution: skipped ? 'SKIPPED' : 'PENDING',
      resolve_by: resolveBy,
      failures: 0,
      failed_starts: 0,
      resolve_attempts: 0,
      last_failure_at: null,
      completed_at: null,
      created_at: now,
      updated_at: now,
      held: held > 0 ? 1 : 0,
      document: JSON.stringify(document),
    })
    .execute();
  return id;
}

/** Nineteen digits that grow: the time, and six that tell revisions of the same millisecond apart. */
export async function nextRevisionId(transaction: OrchestratorTransaction, { clock, ids }: OrchestratorContext): Promise<string> {
  const [high = 0, middle = 0, low = 0] = ids.bytes(3);
  const drawn = `${String(clock.now()).padStart(13, '0')}${String((high * 65_536 + middle * 256 + low) % 1_000_000).padStart(6, '0')}`;
  const last = await transaction
    .selectFrom('service_revision')
    .select(({ fn }) => fn.max('id').as('id'))
    .executeTakeFirst();
  const newest = last?.id ?? '';
  // Two in a millisecond, or a clock that was set back.
  return drawn > newest ? drawn : String(BigInt(newest) + 1n).padStart(19, '0');
}

export async function insertDeployment(
  transaction: OrchestratorTransaction,
  { clock, ids }: OrchestratorContext,
  service: ServiceRecord,
  targetRevision: string,
  sources: string[],
): Promise<void> {
  const now = clock.now();
  const document: DeploymentDocument = {
    sources,
    deploymentConfiguration: service.document.deploymentConfiguration,
    breaker: beginMonitoring(service),
  };
  await transaction
    .insertInto('service_deployment')
    .values({
      id: Buffer.from(ids.bytes(16)).toString('base64url').slice(0, 21),
      service_id: service.id,
      target_revision: targetRevision,
      status: 'PENDING',
      status_reason: null,
      stage: null,
      created_at: now,
      started_at: null,
      finished_at: null,
      stopped_at: null,
      updated_at: now,
      document: JSON.stringify(document),
    })
    .execute();
}

/**
 * Goes back to a revision that was successful, with its old digests: it is PRIMARY again under its old id, and its tasks
 * are counted anew. The service's settings are again what they were then.
 */
export async function goBackTo(
  transaction: OrchestratorTransaction,
  context: OrchestratorContext,
  service: ServiceRecord,
  target: RevisionRecord,
  rolloutReason: string,
): Promise<void> {
  const now = context.clock.now();
  await transaction
    .updateTable('service_revision')
    .set({ role: 'ACTIVE', updated_at: now })
    .where('service_id', '=', service.id)
    .where('role', '=', 'PRIMARY')
    .execute();
  const { failures, failedStarts, resolveAttempts } = emptyTally;
  await transaction
    .updateTable('service_revision')
    .set({
      role: 'PRIMARY',
      rollout: 'IN_PROGRESS',
      rollout_reason: rolloutReason,
      failures,
      failed_starts: failedStarts,
      resolve_attempts: resolveAttempts,
      last_failure_at: null,
      updated_at: now,
    })
    .where('id', '=', target.id)
    .execute();
  const { images: _images, ...settings } = target.document;
  const document: ServiceDocument = { ...withoutSettings(service.document), ...settings };
  await transaction
    .updateTable('service')
    .set({ document: JSON.stringify(document) })
    .where('id', '=', service.id)
    .execute();
  await addEvent(transaction, context, service, eventText.rollingBack(target.id));
}

/** The newest revision that was successful, other than the one given. */
export async function rollbackTarget(
  transaction: OrchestratorTransaction,
  serviceId: number,
  notThis: string,
): Promise<RevisionRecord | undefined> {
  const row = await transaction
    .selectFrom('service_revision')
    .selectAll()
    .where('service_id', '=', serviceId)
    .where('id', '!=', notThis)
    .where('completed_at', 'is not', null)
    .orderBy('completed_at', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : toRevision(row);
}

/** Ends the deployment that is under way, if any: a newer one takes its place, or the service goes. */
export async function stopCurrent(
  transaction: OrchestratorTransaction,
  service: ServiceRecord,
  now: number,
  reason: string,
): Promise<void> {
  const current = await currentDeployment(transaction, service.id);
  if (current === undefined) return;
  const rollingBack = current.status === 'ROLLBACK_IN_PROGRESS' || current.status === 'ROLLBACK_REQUESTED';
  const change = {
    status: rollingBack ? 'ROLLBACK_FAILED' : 'STOPPED',
    status_reason: reason,
    finished_at: now,
    stopped_at: now,
  };
  const { tally } = await revisionById(transaction, current.targetRevision);
  await updateDeployment(transaction, current, now, change, endMonitoring(service, current.document, tally.failures));
}

export async function updateDeployment(
  transaction: OrchestratorTransaction,
  deployment: DeploymentRecord,
  now: number,
  change: {
    status?: string;
    status_reason?: string;
    stage?: string;
    started_at?: number;
    finished_at?: number;
    stopped_at?: number;
  },
  document?: DeploymentDocument,
): Promise<void> {
  await transaction
    .updateTable('service_deployment')
    .set({ ...change, updated_at: now, ...(document === undefined ? {} : { document: JSON.stringify(document) }) })
    .where('id', '=', deployment.id)
    .execute();
}

/** As AWS does, deployments are history for ninety days; revisions go with them unless they can be gone back to. */
async function forgetHistory(transaction: OrchestratorTransaction, service: ServiceRecord, now: number): Promise<void> {
  const before = now - HISTORY_MS;
  await transaction
    .deleteFrom('service_deployment')
    .where('service_id', '=', service.id)
    .where('finished_at', '<', before)
    .execute();
  await transaction
    .deleteFrom('service_revision')
    .where('service_id', '=', service.id)
    .where('role', '=', 'GONE')
    .where('held', '=', 0)
    .where('updated_at', '<', before)
    .execute();
}

/** What a revision fixes, out of what the service is set to. */
function settingsOf({
  capacityProviderStrategy,
  platformVersion,
  networkConfiguration,
  volumeConfigurations,
}: ServiceDocument): Omit<RevisionDocument, 'images' | 'taskDefinition'> {
  return {
    ...(capacityProviderStrategy === undefined ? {} : { capacityProviderStrategy }),
    ...(platformVersion === undefined ? {} : { platformVersion }),
    ...(networkConfiguration === undefined ? {} : { networkConfiguration }),
    ...(volumeConfigurations === undefined ? {} : { volumeConfigurations }),
  };
}

function withoutSettings(document: ServiceDocument): ServiceDocument {
  const rest = { ...document };
  delete rest.capacityProviderStrategy;
  delete rest.platformVersion;
  delete rest.networkConfiguration;
  delete rest.volumeConfigurations;
  return rest;
}
