import { digestsOf, isStrict } from './revision-images.ts';
import type { OrchestratorContext, OrchestratorTransaction } from './context.ts';
import { detailOf } from './decide-service.ts';
import { chooseHosts, fixedHostPorts, type Placement } from './place-tasks.ts';
import type { Step } from './plan/types.ts';
import { holdImages, releaseOldRevisions } from './revision-holds.ts';
import { addEvent, eventText, tellCondition, wasSaid } from './service-events.ts';
import {
  deploymentId,
  type Conditions,
  type DeploymentDocument,
  type RevisionRecord,
  type ServiceRecord,
} from './service-rows.ts';
import type { ServiceView, StopCause } from './service-view.ts';
import { goBackTo, rollbackTarget, updateDeployment } from './start-deployment.ts';
import { tagsOf } from './resource-tags.ts';
import { taskDefinitionById } from './task-definition-rows.ts';
import type { TaskRow } from './task-rows.ts';
import type { RuntimeHost } from './ports.ts';
import { taskNeeds, type Tasks } from './tasks.ts';
import { writeTally } from './write-settlement.ts';

/** What is done once the transaction has been committed. */
export interface Effects {
  launch: TaskRow[];
  /** True when there may be more to plan at once. */
  again: boolean;
  /** When to try again to place what found no host. */
  wakeAt?: number;
}

/** What the steps work on. */
interface Work {
  transaction: OrchestratorTransaction;
  context: OrchestratorContext;
  tasks: Tasks;
  view: ServiceView;
  hosts: RuntimeHost[];
  effects: Effects;
  conditions: Conditions;
}

type StepOf<K extends Step['kind']> = Extract<Step, { kind: K }>;

/** Each step's effect, inside one transaction. None of them chooses anything. */
const effectsOf: { [K in Step['kind']]: (work: Work, step: StepOf<K>) => Promise<void> } = {
  start,
  stop,
  'give-up-resolution': giveUpResolution,
  complete,
  fail: async (work, { revision, rollback }) =>
    failDeployment(work, revisionOf(work, revision), {
      rollback,
      event: 'tasks failed to start.',
      rolloutReason: 'ECS deployment circuit breaker: tasks failed to start.',
      back: (target) => `ECS deployment circuit breaker: rolling back to deploymentId ${deploymentId(target)}.`,
      statusReason: 'Service deployment rolled back because the circuit breaker threshold was exceeded.',
      stoppedReason: 'Service deployment stopped because the circuit breaker threshold was exceeded.',
    }),
  steady: (work) => say(work, 'steady', eventText.steady()),
  stuck: (work) => say(work, 'stuck', eventText.stuck()),
  impaired: (work) => say(work, 'impaired', eventText.impaired()),
  protected: (work, step) => say(work, 'protected', eventText.protected(step.revision, step.count), detailOf(step)),
};

/** Carries the steps out, in their order, and gives what is left to do after the commit. */
export async function carryOut(
  transaction: OrchestratorTransaction,
  context: OrchestratorContext,
  tasks: Tasks,
  view: ServiceView,
  steps: Step[],
  hosts: RuntimeHost[],
): Promise<Effects> {
  const effects: Effects = { launch: [], again: false };
  const work: Work = { transaction, context, tasks, view, hosts, effects, conditions: view.service.conditions };
  for (const step of steps) await (effectsOf[step.kind] as (work: Work, step: Step) => Promise<void>)(work, step);
  if (work.conditions !== view.service.conditions) {
    await transaction
      .updateTable('service')
      .set({ conditions: JSON.stringify(work.conditions) })
      .where('id', '=', view.service.id)
      .execute();
  }
  return effects;
}

async function start(work: Work, step: StepOf<'start'>): Promise<void> {
  const { transaction, context, view, tasks, effects } = work;
  const { service, cluster } = view;
  const revision = revisionOf(work, step.revision);
  const definition = await taskDefinitionById(transaction, revision.taskDefinitionId);
  const { networkConfiguration, platformVersion, capacityProviderStrategy } = revision.document;
  const capacityProviderName = capacityProviderStrategy?.[0]?.capacityProvider;
  const launchType = launchTypeOf(service.launchType, capacityProviderName);
  const { hosts, failure } = await chooseHosts(transaction, work.hosts, {
    cluster,
    count: step.count,
    launchType,
    ...taskNeeds(definition, {}),
    hostPorts: fixedHostPorts(definition.document),
    ...(service.document.placementConstraints.some(({ type }) => type === 'distinctInstance')
      ? { distinctGroup: `service:${service.name}` }
      : {}),
    ...(step.host === undefined ? {} : { hosts: [step.host] }),
  });
  if (failure !== undefined) await unplaced(work, revision, failure);
  if (hosts.length === 0) return;
  const tags = await tagsForTasks(work, definition.arn);
  // The pilot starts by what is written, and the digest that it finds is the revision's.
  const digests = revision.resolution === 'RESOLVED' ? digestsOf(revision.document.images) : new Map<string, never>();
  const started: TaskRow[] = [];
  for (const hostId of hosts) {
    const row = await tasks.createTaskRow(transaction, {
      cluster,
      definition,
      hostId,
      launchType,
      group: `service:${service.name}`,
      startedBy: deploymentId(revision.id),
      service: {
        id: service.id,
        name: service.name,
        revisionId: revision.id,
        ...(service.controller === 'EXTERNAL' ? { taskSetId: revision.id } : {}),
      },
      digests,
      tags,
      ...(capacityProviderName === undefined ? {} : { capacityProviderName }),
      ...(networkConfiguration === undefined ? {} : { networkConfiguration }),
      ...(platformVersion === undefined ? {} : { platformVersion }),
    });
    await transaction
      .insertInto('service_task')
      .values({
        task_id: row.id,
        service_id: service.id,
        revision_id: revision.id,
        pilot: step.pilot ? 1 : 0,
        why: null,
        healthy_at: null,
      })
      .execute();
    started.push(row);
  }
  effects.launch.push(...started);
  await addEvent(
    transaction,
    context,
    service,
    eventText.started(
      started.map(({ id }) => id),
      Math.min(step.replacing, started.length),
    ),
  );
  work.conditions = unsettled(work.conditions);
  await deploymentGoesOn(work);
}

async function stop(work: Work, { tasks, why, pending }: StepOf<'stop'>): Promise<void> {
  const { transaction, context, view } = work;
  await markStopping(transaction, tasks, why);
  if (why === 'unhealthy') for (const id of tasks) await addEvent(transaction, context, view.service, eventText.unhealthy(id));
  await addEvent(transaction, context, view.service, pending ? eventText.stoppedPending(tasks.length) : eventText.stopped(tasks));
  work.conditions = unsettled(work.conditions);
  work.effects.again = true;
}

/** The tasks themselves are stopped after the commit, and again after a crash, for as long as they run. */
export async function markStopping(transaction: OrchestratorTransaction, tasks: string[], why: StopCause): Promise<void> {
  await transaction.updateTable('service_task').set({ why }).where('task_id', 'in', tasks).where('why', 'is', null).execute();
}

async function giveUpResolution(work: Work, { revision: id }: StepOf<'give-up-resolution'>): Promise<void> {
  const { transaction, context, view, effects } = work;
  const revision = revisionOf(work, id);
  if (revision.resolveBy === 'registry' || isStrict(revision.document.images)) {
    // What a tag says by now is not what was deployed: better no deployment than that.
    await failDeployment(work, revision, {
      rollback: false,
      event: 'its image tags could not be resolved to digests.',
      rolloutReason: `ECS deployment ${deploymentId(id)} failed: its image tags could not be resolved to digests.`,
      back: (target) => `ECS deployment ${deploymentId(id)} failed: rolling back to deploymentId ${deploymentId(target)}.`,
      statusReason: 'Service deployment rolled back because image tags could not be resolved to digests.',
      stoppedReason: 'Service deployment stopped because image tags could not be resolved to digests.',
    });
    return;
  }
  await transaction
    .updateTable('service_revision')
    .set({ resolution: 'GAVE_UP', updated_at: context.clock.now() })
    .where('id', '=', id)
    .execute();
  await addEvent(transaction, context, view.service, eventText.byTag(id));
  effects.again = true;
}

async function complete(work: Work, { revision: id }: StepOf<'complete'>): Promise<void> {
  const { transaction, context, view, effects } = work;
  const { service, deployment } = view;
  const now = context.clock.now();
  const revision = revisionOf(work, id);
  // Once more: what was not there when the revision was made may have come since.
  const { held } = await holdImages(transaction, context, service, id, revision.document.images);
  await transaction
    .updateTable('service_revision')
    .set({
      rollout: 'COMPLETED',
      rollout_reason: `ECS deployment ${deploymentId(id)} completed.`,
      completed_at: now,
      updated_at: now,
      held: held > 0 ? 1 : 0,
    })
    .where('id', '=', id)
    .execute();
  if (deployment !== undefined) {
    const rolledBack = deployment.targetRevision !== id;
    await updateDeployment(
      transaction,
      deployment,
      now,
      {
        status: rolledBack ? 'ROLLBACK_SUCCESSFUL' : 'SUCCESSFUL',
        finished_at: now,
        stage: 'CLEAN_UP',
        started_at: deployment.startedAt ?? now,
      },
      endOfMonitoring(deployment.document, revision.tally.failures, rolledBack),
    );
  }
  await releaseOldRevisions(transaction, service, context.settings.keptRevisions);
  await addEvent(transaction, context, service, eventText.completed(id));
  const { impaired: _impaired, ...conditions } = unsettled(work.conditions);
  work.conditions = conditions;
  effects.again = true;
}

interface FailureWords {
  rollback: boolean;
  event: string;
  rolloutReason: string;
  back(target: string): string;
  statusReason: string;
  stoppedReason: string;
}

async function failDeployment(work: Work, revision: RevisionRecord, words: FailureWords): Promise<void> {
  const { transaction, context, view, effects } = work;
  const { service, deployment } = view;
  const now = context.clock.now();
  await transaction
    .updateTable('service_revision')
    .set({ rollout: 'FAILED', rollout_reason: words.rolloutReason, updated_at: now })
    .where('id', '=', revision.id)
    .execute();
  await addEvent(transaction, context, service, eventText.failed(revision.id, words.event));
  // A roll-back that fails is the end: going back and forth helps nobody.
  const isRollback = deployment !== undefined && deployment.targetRevision !== revision.id;
  const target = words.rollback && !isRollback ? await rollbackTarget(transaction, service.id, revision.id) : undefined;
  if (target !== undefined) await goBackTo(transaction, context, service, target, words.back(target.id));
  if (deployment !== undefined) {
    const document = {
      ...endOfMonitoring(deployment.document, revision.tally.failures, isRollback, true),
      ...(target === undefined ? {} : { rollback: { reason: words.statusReason, startedAt: now, revision: target.id } }),
    };
    const change =
      target !== undefined
        ? { status: 'ROLLBACK_IN_PROGRESS', status_reason: words.statusReason }
        : {
            status: isRollback ? 'ROLLBACK_FAILED' : 'STOPPED',
            status_reason: words.stoppedReason,
            finished_at: now,
            stopped_at: now,
          };
    await updateDeployment(transaction, deployment, now, { started_at: deployment.startedAt ?? now, ...change }, document);
  }
  const { impaired: _impaired, ...conditions } = unsettled(work.conditions);
  work.conditions = conditions;
  effects.again = true;
}

async function unplaced(work: Work, revision: RevisionRecord, failure: NonNullable<Placement['failure']>): Promise<void> {
  const { transaction, context, view, effects } = work;
  const { service } = view;
  const now = context.clock.now();
  const text = placementText(failure, service.schedulingStrategy);
  if (!(await wasSaid(transaction, service, text, now))) await addEvent(transaction, context, service, text);
  // The breaker counts a task that finds no place; learning digests waits for capacity.
  if (revision.rollout === 'IN_PROGRESS') {
    await writeTally(
      transaction,
      revision.id,
      { ...revision.tally, failures: revision.tally.failures + 1, lastFailureAt: now },
      now,
    );
  }
  effects.wakeAt = now + context.settings.throttleBaseMs;
}

function placementText(
  { reason, hostId }: NonNullable<Placement['failure']>,
  strategy: ServiceRecord['schedulingStrategy'],
): string {
  const what = {
    'RESOURCE:CPU': 'has insufficient CPU units available.',
    'RESOURCE:MEMORY': 'has insufficient memory available.',
    'RESOURCE:PORTS': 'is already using a port required by your task.',
    'LOCATION': 'already has a task of the service, and (distinctInstance) allows one.',
    'AGENT': 'encountered error "AGENT".',
  }[reason];
  const closest =
    hostId === undefined
      ? 'Reason: No Container Instances were found in your cluster.'
      : `The closest matching (container-instance ${hostId}) ${what}`;
  const why =
    strategy === 'DAEMON'
      ? 'because the container instance did not meet all of its requirements.'
      : 'because no container instance met all of its requirements.';
  return `was unable to place a task ${why} ${closest} For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.`;
}

async function tagsForTasks({ transaction, view: { service } }: Work, definitionArn: string): Promise<Record<string, string>> {
  const { propagateTags, enableECSManagedTags } = service.document;
  const from = propagateTags === 'SERVICE' ? service.arn : propagateTags === 'TASK_DEFINITION' ? definitionArn : undefined;
  const tags = from === undefined ? {} : ((await tagsOf(transaction, [from])).get(from) ?? {});
  return enableECSManagedTags
    ? { ...tags, 'aws:ecs:clusterName': service.clusterName, 'aws:ecs:serviceName': service.name }
    : tags;
}

async function deploymentGoesOn({ transaction, context, view: { deployment } }: Work): Promise<void> {
  if (deployment?.status !== 'PENDING') return;
  const now = context.clock.now();
  await updateDeployment(transaction, deployment, now, { status: 'IN_PROGRESS', stage: 'SCALE_UP', started_at: now });
}

async function say(work: Work, kind: keyof Conditions, text: string, detail?: string): Promise<void> {
  const told = tellCondition(work.conditions, kind, work.context.clock.now(), detail);
  if (told === undefined) return;
  // Being steady is the end of every trouble.
  work.conditions = kind === 'steady' ? { steady: told.steady ?? { at: 0 } } : told;
  await addEvent(work.transaction, work.context, work.view.service, text);
}

/** Something moves: the states that it ends will be told anew. */
function unsettled({ impaired }: Conditions): Conditions {
  return impaired === undefined ? {} : { impaired };
}

function endOfMonitoring(
  document: DeploymentDocument,
  failures: number,
  isRollback: boolean,
  triggered = false,
): DeploymentDocument {
  const { breaker } = document;
  if (breaker.status === 'DISABLED' || isRollback) return document;
  return {
    ...document,
    breaker: { ...breaker, status: triggered ? 'TRIGGERED' : 'MONITORING_COMPLETE', failureCount: failures },
  };
}

function revisionOf({ view }: Work, id: string): RevisionRecord {
  const found = view.revisions.find((revision) => revision.id === id);
  if (found === undefined) throw new Error(`Service ${view.service.arn} has no live revision ${id}`);
  return found;
}

/** Tasks of the built-in capacity providers are of FARGATE. */
function launchTypeOf(launchType: string, capacityProvider: string | undefined): string {
  return capacityProvider === 'FARGATE' || capacityProvider === 'FARGATE_SPOT' ? 'FARGATE' : launchType;
}
