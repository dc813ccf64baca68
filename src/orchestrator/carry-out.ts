import { providerOf } from './capacity-strategy.ts';
import { digestsOf } from './revision-images.ts';
import { isFargate } from './service-input.ts';
import type { OrchestratorContext, OrchestratorTransaction } from './context.ts';
import { detailOf } from './decide-service.ts';
import { chooseHosts, fixedHostPorts, type Placement } from './place-tasks.ts';
import type { Step } from './plan/types.ts';
import { complete, failDeployment, giveUpResolution } from './end-deployment.ts';
import { addEvent, eventText, tellCondition, wasSaid } from './service-events.ts';
import { deploymentId, type Conditions, type RevisionRecord, type ServiceRecord } from './service-rows.ts';
import type { ServiceView, StopCause } from './service-view.ts';
import { updateDeployment } from './start-deployment.ts';
import { revisionOf, unsettled, type Effects, type StepOf, type Work } from './step-work.ts';
import { tagsOf } from './resource-tags.ts';
import { taskDefinitionById } from './task-definition-rows.ts';
import type { TaskRow } from './task-rows.ts';
import type { RuntimeHost } from './ports.ts';
import { taskNeeds } from './create-task-row.ts';
import type { Tasks } from './tasks.ts';
import { writeTally } from './write-settlement.ts';

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
  const launchType = isFargate(capacityProviderStrategy) ? 'FARGATE' : service.launchType;
  const before = view.tasks.filter((task) => task.revision === revision.id && task.desiredStatus === 'RUNNING').length;
  const { hosts, failure } = await chooseHosts(
    transaction,
    work.hosts,
    {
      cluster,
      count: step.count,
      launchType,
      ...taskNeeds(definition, {}),
      hostPorts: fixedHostPorts(definition.document),
      ...(service.document.placementConstraints.some(({ type }) => type === 'distinctInstance')
        ? { distinctGroup: `service:${service.name}` }
        : {}),
      ...(step.host === undefined ? {} : { hosts: [step.host] }),
    },
    tasks.hostUse,
  );
  if (failure !== undefined) await unplaced(work, revision, failure);
  if (hosts.length === 0) return;
  const tags = await tagsForTasks(work, definition.arn);
  // The pilot starts by what is written, and the digest that it finds is the revision's.
  const digests = revision.resolution === 'RESOLVED' ? digestsOf(revision.document.images) : new Map<string, never>();
  const started: TaskRow[] = [];
  for (const [index, hostId] of hosts.entries()) {
    const capacityProviderName =
      capacityProviderStrategy === undefined ? undefined : providerOf(capacityProviderStrategy, before + index);
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
  effects.launch.push(...started.map((row) => ({ row, of: { cluster, definition, tags } })));
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
  effects.wakeIn = context.settings.throttleBaseMs;
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

/** Tasks of the built-in capacity providers are of FARGATE. */
