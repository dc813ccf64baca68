import type { OrchestratorSettings } from './context.ts';
import { captureDigests, unresolved } from './revision-images.ts';
import { planService } from './plan/plan-service.ts';
import { isHealthy } from './plan/task-health.ts';
import { tallyHealthy, tallySettled, tallyStop } from './plan/tally.ts';
import type { Plan, PlanSettings, RevisionFacts, ServiceFacts, Step, TaskFacts } from './plan/types.ts';
import { steadyAgainAt, tellCondition } from './service-events.ts';
import type { RevisionImage, RevisionRecord } from './service-rows.ts';
import type { ServiceTask, ServiceView } from './service-view.ts';
import { breakerOf } from './breaker-monitor.ts';

/**
 * What has come about since the last time, and is to be written down before anything is planned. Pure, as all of this
 * file.
 */
export interface Settlement {
  /** Tasks that stopped, now counted. */
  ended: ServiceTask[];
  /** Tasks that are healthy for the first time. */
  healthy: string[];
  /** Tallies that have changed, by revision. */
  tallies: Map<string, RevisionRecord['tally']>;
  /** A pilot has told all the digests of its revision. */
  captured?: { revision: string; pilot: string; images: RevisionImage[] };
  /** ACTIVE revisions without tasks: they are no longer deployments. */
  gone: string[];
  /** DRAINING, and nothing left: the service is INACTIVE. Or a task set is. */
  isEmpty: boolean;
  emptyTaskSets: string[];
  /** Task sets that became steady, or are no longer. */
  turned: { id: string; stability: 'STEADY_STATE' | 'STABILIZING' }[];
}

export function planSettings(settings: OrchestratorSettings, view: ServiceView): PlanSettings {
  return {
    settleMs: settings.settleMs,
    graceMs: (view.service.document.healthCheckGracePeriodSeconds ?? 0) * 1000,
    throttleBaseMs: settings.throttleBaseMs,
  };
}

export function settle(view: ServiceView, settings: PlanSettings, now: number): Settlement {
  const { service, revisions, tasks } = view;
  const captured = findCapture(revisions, tasks);
  const ended = tasks
    .filter(({ lastStatus }) => lastStatus === 'STOPPED')
    .sort((a, b) => (a.stoppedAt ?? 0) - (b.stoppedAt ?? 0));
  const healthy: string[] = [];
  const tallies = new Map<string, RevisionRecord['tally']>();
  for (const revision of revisions) {
    let { tally } = revision;
    for (const task of ended) {
      if (task.revision !== revision.id) continue;
      tally = tallyStop(
        tally,
        {
          asked: task.why === 'scaling' || task.stopCode === 'UserInitiated',
          unhealthy: task.why === 'unhealthy',
          ...runningSince(task, view, settings, task.stoppedAt ?? now),
          stoppedAt: task.stoppedAt ?? now,
          unresolved: revision.resolution === 'PENDING' && captured?.revision !== revision.id,
          noCapacity: false,
        },
        settings,
      );
    }
    for (const task of tasks) {
      if (task.revision !== revision.id) continue;
      const facts = toFacts(task, view, settings, now);
      const { startedAt = Infinity } = task;
      if (facts.state === 'running' && now - startedAt >= settings.settleMs) tally = tallySettled(tally, startedAt);
      if (task.healthyAt !== undefined || !isHealthy(facts, settings, now)) continue;
      healthy.push(task.id);
      tally = tallyHealthy(tally, breakerOf(service));
    }
    if (tally !== revision.tally) tallies.set(revision.id, tally);
  }
  const left = tasks.filter(({ lastStatus }) => lastStatus !== 'STOPPED');
  const inUse = new Set(left.map(({ revision }) => revision));
  return {
    ended,
    healthy,
    tallies,
    gone:
      service.controller === 'EXTERNAL'
        ? []
        : revisions.filter(({ id, role }) => role === 'ACTIVE' && !inUse.has(id)).map(({ id }) => id),
    isEmpty: service.status === 'DRAINING' && left.length === 0,
    emptyTaskSets: view.taskSets.filter(({ id, status }) => status === 'DRAINING' && !inUse.has(id)).map(({ id }) => id),
    turned: view.taskSets.flatMap(({ id, scale, status, stability }) => {
      const own = left.filter(({ revision }) => revision === id);
      const wanted = status === 'DRAINING' ? 0 : computedCount(service.desiredCount, scale);
      const isSteady = own.length === wanted && own.every((task) => isHealthy(toFacts(task, view, settings, now), settings, now));
      const is = isSteady ? 'STEADY_STATE' : 'STABILIZING';
      return is === stability ? [] : [{ id, stability: is }];
    }),
    ...(captured === undefined ? {} : { captured }),
  };
}

export function isSettled(
  { ended, healthy, tallies, captured, gone, isEmpty, emptyTaskSets, turned }: Settlement,
  { forgotten }: ServiceView,
): boolean {
  return (
    ended.length === 0 &&
    healthy.length === 0 &&
    tallies.size === 0 &&
    captured === undefined &&
    gone.length === 0 &&
    emptyTaskSets.length === 0 &&
    turned.length === 0 &&
    forgotten.length === 0 &&
    !isEmpty
  );
}

function findCapture(revisions: RevisionRecord[], tasks: ServiceTask[]): Settlement['captured'] {
  for (const { id, resolution, resolveBy, document } of revisions) {
    if (resolution !== 'PENDING' || resolveBy !== 'first-task') continue;
    for (const task of tasks) {
      if (task.revision !== id || !task.isPilot || task.sight === undefined || task.why === 'unheld') continue;
      const images = captureDigests(document.images, task.sight.containers);
      if (images !== undefined) return { revision: id, pilot: task.id, images };
    }
  }
  return undefined;
}

/** The view as it is once the settlement is written. */
export function afterSettlement(
  view: ServiceView,
  { ended, tallies, captured, gone, emptyTaskSets, healthy, turned }: Settlement,
  now: number,
): ServiceView {
  const endedIds = new Set(ended.map(({ id }) => id));
  const goneIds = new Set([...gone, ...emptyTaskSets]);
  return {
    ...view,
    forgotten: [],
    tasks: view.tasks
      .filter(({ id }) => !endedIds.has(id))
      .map((task) => (healthy.includes(task.id) ? { ...task, healthyAt: now } : task)),
    taskSets: view.taskSets
      .filter(({ id }) => !goneIds.has(id))
      .map((set) => ({ ...set, stability: turned.find(({ id }) => id === set.id)?.stability ?? set.stability })),
    revisions: view.revisions
      .filter(({ id }) => !goneIds.has(id))
      .map((revision) => ({
        ...revision,
        tally: tallies.get(revision.id) ?? revision.tally,
        ...(captured?.revision === revision.id
          ? { resolution: 'RESOLVED' as const, document: { ...revision.document, images: captured.images } }
          : {}),
      })),
  };
}

/**
 * The planner's steps that are to be carried out: what was said already is not said again. `now` is in the scale of the
 * view's times, `wall` in that of what was said.
 */
export function decide(view: ServiceView, settings: PlanSettings, now: number, wall: number): Plan {
  const { service } = view;
  const plan =
    service.controller === 'EXTERNAL' && service.status === 'ACTIVE'
      ? planTaskSets(view, settings, now)
      : planService(toInput(view, settings, now));
  const steps = plan.steps.filter((step) => {
    switch (step.kind) {
      case 'steady':
      case 'stuck':
      case 'impaired':
        return tellCondition(service.conditions, step.kind, wall) !== undefined;
      case 'protected':
        return tellCondition(service.conditions, 'protected', wall, detailOf(step)) !== undefined;
      case 'start':
        // Its tags are asked for at the registry; no task has to find out.
        return !(step.pilot && view.revisions.some(({ id, resolveBy }) => id === step.revision && resolveBy === 'registry'));
      default:
        return true;
    }
  });
  const again = plan.steps.some(({ kind }) => kind === 'steady') ? steadyAgainAt(service.conditions) : undefined;
  const times = [plan.wakeAt, again === undefined ? undefined : now + (again - wall)].filter((time) => time !== undefined);
  return { steps, ...(times.length === 0 ? {} : { wakeAt: Math.min(...times) }) };
}

export function detailOf({ revision, count }: Extract<Step, { kind: 'protected' }>): string {
  return `${revision} ${count}`;
}

function toInput(view: ServiceView, settings: PlanSettings, now: number) {
  return {
    service: toServiceFacts(view),
    revisions: view.revisions.map(toRevisionFacts),
    tasks: view.tasks.map((task) => toFacts(task, view, settings, now)),
    settings,
    now,
  };
}

/** An EXTERNAL service has a planner's service for each of its task sets: what is deployed is decided elsewhere. */
function planTaskSets(view: ServiceView, settings: PlanSettings, now: number): Plan {
  const plans = view.taskSets.map((set): Plan => {
    const revision = view.revisions.find(({ id }) => id === set.id);
    if (revision === undefined) return { steps: [] };
    const { steps, wakeAt } = planService({
      service: {
        ...toServiceFacts(view),
        schedulingStrategy: 'REPLICA',
        desiredCount: set.status === 'DRAINING' ? 0 : computedCount(view.service.desiredCount, set.scale),
      },
      revisions: [{ ...toRevisionFacts(revision), role: 'PRIMARY', rollout: 'COMPLETED' }],
      tasks: view.tasks.filter((task) => task.revision === set.id).map((task) => toFacts(task, view, settings, now)),
      settings,
      now,
    });
    return {
      steps: steps.filter(({ kind }) => kind !== 'steady' && kind !== 'stuck'),
      ...(wakeAt === undefined ? {} : { wakeAt }),
    };
  });
  const times = plans.map(({ wakeAt }) => wakeAt).filter((time) => time !== undefined);
  return { steps: plans.flatMap(({ steps }) => steps), ...(times.length === 0 ? {} : { wakeAt: Math.min(...times) }) };
}

/** Tasks of a task set, rounded up (API reference, `TaskSet.computedDesiredCount`). */
export function computedCount(desiredCount: number, scale: number): number {
  return Math.ceil((desiredCount * scale) / 100);
}

function toServiceFacts({ service, hosts }: ServiceView): ServiceFacts {
  const { minimumHealthyPercent, maximumPercent } = service.document.deploymentConfiguration;
  const breaker = breakerOf(service);
  return {
    status: service.status === 'DRAINING' ? 'DRAINING' : 'ACTIVE',
    schedulingStrategy: service.schedulingStrategy,
    desiredCount: service.desiredCount,
    minimumHealthyPercent,
    maximumPercent,
    hosts,
    ...(breaker === undefined ? {} : { breaker }),
  };
}

function toRevisionFacts({ id, role, rollout, completedAt, resolution, tally, document }: RevisionRecord): RevisionFacts {
  return {
    id,
    role: role === 'PRIMARY' ? 'PRIMARY' : 'ACTIVE',
    rollout,
    proven: completedAt !== undefined,
    // Of what is written with digests there is nothing to learn, whatever was asked for.
    resolution: resolution === 'PENDING' && unresolved(document.images).length === 0 ? 'SKIPPED' : resolution,
    tally,
  };
}

/** A task that was healthy once without being asked has settled, whatever the clock says of its start by now. */
function runningSince(
  { revision, startedAt, healthyAt }: ServiceTask,
  { checked }: ServiceView,
  { settleMs }: PlanSettings,
  now: number,
): { runningSince?: number } {
  if (startedAt === undefined) return {};
  const isSettled = healthyAt !== undefined && !checked.has(revision);
  return { runningSince: isSettled ? Math.min(startedAt, now - settleMs) : startedAt };
}

function toFacts(task: ServiceTask, view: ServiceView, settings: PlanSettings, now: number): TaskFacts {
  const isStopping = task.why !== undefined || task.desiredStatus === 'STOPPED';
  return {
    id: task.id,
    revision: task.revision,
    state: isStopping ? 'stopping' : task.lastStatus === 'RUNNING' ? 'running' : 'pending',
    createdAt: task.createdAt,
    ...runningSince(task, view, settings, now),
    ...(view.checked.has(task.revision) ? { health: task.health } : {}),
    ...(task.protectedUntil === undefined ? {} : { protectedUntil: task.protectedUntil }),
    ...(task.hostId === undefined ? {} : { host: task.hostId }),
  };
}
