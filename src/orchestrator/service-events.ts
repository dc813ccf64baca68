import type { ServiceEvent } from '@aws-sdk/client-ecs';
import type { Kysely } from 'kysely';
import type { OrchestratorContext, OrchestratorTables, OrchestratorTransaction } from './context.ts';
import { deploymentId, type Conditions, type ServiceRecord } from './service-rows.ts';

/** DescribeServices shows so many. */
const KEPT = 100;
const SAID_AGAIN_MS = 6 * 60 * 60 * 1000;
const SEE = 'For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.';

/** The sentences of service events, as ECS writes them: what tools look for. The service's name goes before each. */
export const eventText = {
  started: (tasks: string[], replacing: number) =>
    `has started ${tasks.length} tasks: ${listed(tasks)}.${replacing > 0 ? ` Amazon ECS replaced ${replacing} tasks due to an unhealthy status.` : ''}`,
  stopped: (tasks: string[]) => `has stopped ${tasks.length} running tasks: ${listed(tasks)}.`,
  stoppedPending: (count: number) => `stopped ${count} pending tasks.`,
  unhealthy: (task: string) => `(task ${task}) failed container health checks.`,
  completed: (revision: string) => `(deployment ${deploymentId(revision)}) deployment completed.`,
  failed: (revision: string, why: string) => `(deployment ${deploymentId(revision)}) deployment failed: ${why}`,
  rollingBack: (revision: string) => `rolling back to deployment ${deploymentId(revision)}.`,
  steady: () => 'has reached a steady state.',
  stuck: () =>
    'was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.',
  impaired: () => `is unable to consistently start tasks successfully. ${SEE}`,
  protected: (revision: string, count: number) =>
    `was unable to reach steady state because (taskSet ${deploymentId(revision)}) was unable to scale in due to (reason ${count} tasks under protection)`,
  unplaced: (reason: string) => `was unable to place a task. Reason: ${reason}`,
  unresolved: (revision: string, reason: string) =>
    `(deployment ${deploymentId(revision)}) could not resolve an image to its digest: ${reason}`,
  byTag: (revision: string) =>
    `(deployment ${deploymentId(revision)}) goes on with image tags, because three attempts at resolving them to digests have failed.`,
} as const;

function listed(tasks: string[]): string {
  return tasks.map((task) => `(task ${task})`).join(' ');
}

/** Writes an event down inside the caller's transaction; the oldest go beyond a hundred. */
export async function addEvent(
  transaction: OrchestratorTransaction,
  { clock, ids }: Pick<OrchestratorContext, 'clock' | 'ids'>,
  service: Pick<ServiceRecord, 'id' | 'name'>,
  text: string,
): Promise<void> {
  await transaction
    .insertInto('service_event')
    .values({
      id: ids.uuid(),
      service_id: service.id,
      created_at: clock.now(),
      message: `(service ${service.name}) ${text}`.slice(0, 2_000),
    })
    .execute();
  const oldest = await transaction
    .selectFrom('service_event')
    .select('seq')
    .where('service_id', '=', service.id)
    .orderBy('seq', 'desc')
    .offset(KEPT - 1)
    .limit(1)
    .executeTakeFirst();
  if (oldest === undefined) return;
  await transaction.deleteFrom('service_event').where('service_id', '=', service.id).where('seq', '<', oldest.seq).execute();
}

/** True when an event of the same text was written less than six hours ago: its cause is known. */
export async function wasSaid(
  database: Kysely<OrchestratorTables>,
  service: Pick<ServiceRecord, 'id' | 'name'>,
  text: string,
  now: number,
): Promise<boolean> {
  const row = await database
    .selectFrom('service_event')
    .select('seq')
    .where('service_id', '=', service.id)
    .where('message', '=', `(service ${service.name}) ${text}`.slice(0, 2_000))
    .where('created_at', '>', now - SAID_AGAIN_MS)
    .executeTakeFirst();
  return row !== undefined;
}

/** Newest first, of each of the services. */
export async function eventsOf(database: Kysely<OrchestratorTables>, serviceId: number): Promise<ServiceEvent[]> {
  const rows = await database
    .selectFrom('service_event')
    .select(['id', 'created_at', 'message'])
    .where('service_id', '=', serviceId)
    .orderBy('seq', 'desc')
    .limit(KEPT)
    .execute();
  return rows.map(({ id, created_at, message }) => ({ id, createdAt: new Date(created_at), message }));
}

/**
 * The conditions once `kind` holds, or undefined when that was told less than six hours ago and nothing has changed:
 * then it is not told again.
 */
export function tellCondition(
  conditions: Conditions,
  kind: keyof Conditions,
  now: number,
  detail?: string,
): Conditions | undefined {
  const told = conditions[kind];
  if (told !== undefined && told.detail === detail && now - told.at < SAID_AGAIN_MS) return undefined;
  return { ...conditions, [kind]: { at: now, ...(detail === undefined ? {} : { detail }) } };
}

/** When the steady state is told again. */
export function steadyAgainAt(conditions: Conditions): number | undefined {
  return conditions.steady === undefined ? undefined : conditions.steady.at + SAID_AGAIN_MS;
}
