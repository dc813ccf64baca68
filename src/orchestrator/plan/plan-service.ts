import { planDaemon } from './plan-daemon.ts';
import { groupByRevision, stopSteps } from './steps.ts';
import { breakerThreshold, nextStartAt, RESOLVE_ATTEMPTS } from './tally.ts';
import type { Plan, PlanInput, RevisionFacts, Step, TaskFacts } from './types.ts';
import { isHealthy, isProtected, isUnhealthy, settlesAt } from './task-health.ts';

/**
 * What to do next for a service: the arithmetic of rolling updates (ECS developer guide, deployment-type-ecs), the pilot
 * of version consistency, the circuit breaker, throttled restarts, task protection. Deterministic; asked again after
 * every change, so a plan holds only what can be done now.
 *
 * It holds at all times, by the planner's own doing: healthy tasks stay at `ceil(desired x minimum %)` or above, tasks
 * that are not stopping at `floor(desired x maximum %)` or below, and an unresolved revision has one task at most.
 */
export function planService(input: PlanInput): Plan {
  if (input.service.status === 'DRAINING') return planDraining(input);
  const primary = input.revisions.find(({ role }) => role === 'PRIMARY');
  if (primary === undefined) return { steps: [] };
  const verdict = judgeDeployment(input, primary);
  if (verdict !== undefined) return { steps: [verdict] };
  return input.service.schedulingStrategy === 'DAEMON' ? planDaemon(input, primary) : planReplicas(input, primary);
}

function planDraining({ tasks }: PlanInput): Plan {
  return {
    steps: groupByRevision(tasks.filter(({ state }) => state !== 'stopping')).flatMap(([revision, stop]) =>
      stopSteps(revision, stop, 'scaling'),
    ),
  };
}

/** A deployment that cannot go on as it is: nothing else is planned before that is settled. */
function judgeDeployment({ service }: PlanInput, primary: RevisionFacts): Step | undefined {
  if (primary.rollout !== 'IN_PROGRESS') return undefined;
  const unresolvable = primary.resolution === 'PENDING' && primary.tally.resolveAttempts >= RESOLVE_ATTEMPTS;
  if (
    service.breaker !== undefined &&
    (unresolvable || primary.tally.failures >= breakerThreshold(service.breaker, service.desiredCount))
  ) {
    return { kind: 'fail', revision: primary.id, rollback: service.breaker.rollback };
  }
  return unresolvable ? { kind: 'give-up-resolution', revision: primary.id } : undefined;
}

function planReplicas(input: PlanInput, primary: RevisionFacts): Plan {
  const { service, tasks, settings, now } = input;
  const desired = service.desiredCount;
  const lowest = Math.ceil((desired * service.minimumHealthyPercent) / 100);
  const highest = Math.floor((desired * service.maximumPercent) / 100);
  const live = tasks.filter(({ state }) => state !== 'stopping');
  const healthy = live.filter((task) => isHealthy(task, settings, now));
  const steps: Step[] = [];
  const times: number[] = live.map((task) => settlesAt(task, settings, now)).filter((time) => time !== undefined);

  const own = sortOut(live, primary.id, input);
  const others = live.filter(({ revision }) => revision !== primary.id);
  // The revision that served before this deployment keeps its strength while the new one is not there yet.
  const source = newest(
    input.revisions.filter(
      ({ role, proven, id }) => role === 'ACTIVE' && proven && others.some(({ revision }) => revision === id),
    ),
  );
  const previous = source === undefined ? undefined : sortOut(live, source.id, input);
  const previousTarget = Math.max(0, desired - own.healthy.length);

  // ── Starts ──
  let room = highest - live.length;
  const mayStart = nextStartAt(primary.tally, settings);
  const throttled = mayStart > now;
  const wanted = primary.rollout === 'FAILED' ? 0 : primary.resolution === 'PENDING' ? Math.min(1, desired) : desired;
  const alive =
    primary.resolution === 'PENDING' ? tasks.filter(({ revision }) => revision === primary.id).length : own.good.length;
  const missing = Math.max(0, wanted - alive);
  const previousMissing = previous === undefined ? 0 : Math.max(0, previousTarget - previous.good.length);
  const start = (revision: string, count: number, replacing: number): void => {
    if (count <= 0) return;
    room -= count;
    const pilot = revision === primary.id && primary.resolution === 'PENDING';
    steps.push({ kind: 'start', revision, count, pilot, replacing: Math.min(replacing, count) });
  };
  // Below the minimum, what is known to work comes first.
  const shortfall =
    source === undefined ? 0 : Math.min(previousMissing, Math.max(0, lowest - healthy.length - pendingOf(previous?.good)));
  const sourceMayStart = source === undefined ? 0 : nextStartAt(source.tally, settings);
  /** Starts that came to nothing again and again wait, whichever revision they are of. */
  const waiting: number[] = [];
  const replace = (count: number): void => {
    if (source === undefined || count <= 0) return;
    if (sourceMayStart > now) waiting.push(sourceMayStart);
    else start(source.id, Math.min(count, Math.max(room, 0)), previous?.unhealthy.length ?? 0);
  };
  replace(shortfall);
  if (throttled && missing > 0) {
    waiting.push(mayStart);
  } else {
    start(primary.id, Math.min(missing, Math.max(room, 0)), own.unhealthy.length);
  }
  const startedPrimary = startedOf(steps, primary.id);
  if (source !== undefined) replace(previousMissing - startedOf(steps, source.id));
  if (waiting.length > 0) steps.push({ kind: 'impaired' });
  times.push(...waiting);

  // ── Stops ──
  const stopped = new Set<string>();
  const stop = (revision: string, victims: TaskFacts[], why: 'scaling' | 'unhealthy'): void => {
    for (const { id } of victims) stopped.add(id);
    steps.push(...stopSteps(revision, victims, why));
  };
  const held = new Map<string, number>();
  const free = (candidates: TaskFacts[], count: number): TaskFacts[] => {
    const open = candidates.filter((task) => !isProtected(task, now));
    const kept = Math.min(count, candidates.length) - Math.min(count, open.length);
    if (kept > 0 && candidates[0] !== undefined) held.set(candidates[0].revision, kept);
    for (const { protectedUntil } of candidates)
      if (protectedUntil !== undefined && protectedUntil > now) times.push(protectedUntil);
    return open.slice(0, Math.max(count, 0));
  };

  // An unhealthy task goes once its place is taken, or to make room when there is none to start before it stops.
  for (const [revision, group, target, lacking] of [
    [primary.id, own, desired, missing - startedPrimary] as const,
    ...(source !== undefined && previous !== undefined
      ? [[source.id, previous, previousTarget, previousMissing - startedOf(steps, source.id)] as const]
      : []),
  ]) {
    if (group.unhealthy.length === 0) continue;
    if (group.healthy.length >= target) stop(revision, group.unhealthy, 'unhealthy');
    else if (lacking > 0 && room <= 0) stop(revision, group.unhealthy.slice(0, 1), 'unhealthy');
  }

  // What nobody wants: of revisions that failed or were overtaken, and of the previous one beyond its share.
  const canLose = (): number => healthy.filter(({ id }) => !stopped.has(id)).length - lowest;
  const leave = (candidates: TaskFacts[], count: number, revision: string): void => {
    if (count <= 0) return;
    const rest = candidates.filter(({ id }) => !stopped.has(id));
    const weak = rest
      .filter((task) => !isHealthy(task, settings, now))
      .sort((a, b) => Number(a.state === 'running') - Number(b.state === 'running'));
    const strong = rest.filter((task) => isHealthy(task, settings, now));
    const first = free(weak, Math.min(count, weak.length));
    const then = free(strong, Math.min(count - first.length, Math.max(canLose(), 0)));
    const victims = [...first, ...then];
    if (victims.length > 0) stop(revision, victims, 'scaling');
  };
  for (const [revision, group] of groupByRevision(others.filter((task) => task.revision !== source?.id)))
    leave(group, group.length, revision);
  if (source !== undefined && previous !== undefined) {
    const unneeded = previous.good.length - previousTarget;
    // Room for what is still missing, when the maximum leaves none.
    const makeRoom = throttled || primary.rollout === 'FAILED' ? 0 : Math.max(0, missing - startedPrimary - Math.max(room, 0));
    leave(previous.all, Math.max(unneeded, Math.min(makeRoom, canLose()), 0), source.id);
  }
  // Scaled in: what is not healthy yet before what is, the newest first.
  leave(
    [...own.good].sort((a, b) => b.createdAt - a.createdAt),
    own.good.length - desired,
    primary.id,
  );
  for (const [revision, count] of held) steps.push({ kind: 'protected', revision, count });

  // ── Where it stands ──
  const othersRemain = tasks.some(({ revision }) => revision !== primary.id);
  const atRest = !othersRemain && own.healthy.length === desired && live.length === desired && own.unhealthy.length === 0;
  if (atRest && primary.resolution !== 'PENDING') {
    if (primary.rollout === 'IN_PROGRESS') steps.push({ kind: 'complete', revision: primary.id });
    if (primary.rollout !== 'FAILED') steps.push({ kind: 'steady' });
  } else if (desired === 0 && live.length === 0 && !othersRemain && primary.rollout === 'IN_PROGRESS') {
    steps.push({ kind: 'complete', revision: primary.id }, { kind: 'steady' });
  }
  const lacks = missing > startedPrimary && !throttled && held.size === 0;
  if (
    lacks &&
    steps.length === 0 &&
    tasks.every(({ state }) => state !== 'stopping') &&
    times.length === 0 &&
    healthy.length === live.length
  ) {
    steps.push({ kind: 'stuck' });
  }
  return { steps, ...(times.length > 0 ? { wakeAt: Math.min(...times) } : {}) };
}

interface Group {
  all: TaskFacts[];
  /** Not known to be unhealthy. */
  good: TaskFacts[];
  healthy: TaskFacts[];
  unhealthy: TaskFacts[];
}

function sortOut(live: TaskFacts[], revision: string, { settings, now }: PlanInput): Group {
  const all = live.filter((task) => task.revision === revision);
  return {
    all,
    good: all.filter((task) => !isUnhealthy(task, settings, now)),
    healthy: all.filter((task) => isHealthy(task, settings, now)),
    unhealthy: all.filter((task) => isUnhealthy(task, settings, now)),
  };
}

function pendingOf(tasks: TaskFacts[] | undefined): number {
  return tasks?.filter(({ state }) => state === 'pending').length ?? 0;
}

function startedOf(steps: Step[], revision: string): number {
  return steps.reduce((sum, step) => sum + (step.kind === 'start' && step.revision === revision ? step.count : 0), 0);
}

/** Revisions are numbered in the order of their making. */
function newest(revisions: RevisionFacts[]): RevisionFacts | undefined {
  return revisions.reduce<RevisionFacts | undefined>(
    (best, one) => (best === undefined || one.id > best.id ? one : best),
    undefined,
  );
}
