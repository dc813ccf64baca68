import { groupByRevision, stopSteps } from './steps.ts';
import { nextStartAt } from './tally.ts';
import { isHealthy, isUnhealthy, settlesAt } from './task-health.ts';
import type { Plan, PlanInput, RevisionFacts, Step } from './types.ts';

/** DAEMON: one task on each host; an old one stops before the new one starts there, as many at a time as the minimum allows. */
export function planDaemon(input: PlanInput, primary: RevisionFacts): Plan {
  const { service, tasks, settings, now } = input;
  const live = tasks.filter(({ state }) => state !== 'stopping');
  const lowest = Math.ceil((service.hosts.length * service.minimumHealthyPercent) / 100);
  const mayStart = nextStartAt(primary.tally, settings);
  const times = live.map((task) => settlesAt(task, settings, now)).filter((time) => time !== undefined);
  const steps: Step[] = [];
  let spare = live.filter((task) => isHealthy(task, settings, now)).length - lowest;
  let pilotTaken = primary.resolution === 'PENDING' && tasks.some(({ revision }) => revision === primary.id);

  const abandoned = live.filter(({ host }) => host === undefined || !service.hosts.includes(host));
  for (const [revision, group] of groupByRevision(abandoned)) steps.push(...stopSteps(revision, group, 'scaling'));

  for (const host of service.hosts) {
    const here = tasks.filter((task) => task.host === host);
    const stale = here.filter(({ state, revision }) => state !== 'stopping' && revision !== primary.id);
    for (const task of stale) {
      const counts = isHealthy(task, settings, now);
      if (counts && spare <= 0) continue;
      if (counts) spare--;
      steps.push(...stopSteps(task.revision, [task], 'scaling'));
    }
    const sick = here.filter((task) => task.revision === primary.id && isUnhealthy(task, settings, now));
    if (sick.length > 0) steps.push(...stopSteps(primary.id, sick, 'unhealthy'));
    if (here.length > 0 || primary.rollout === 'FAILED') continue;
    if (mayStart > now) {
      times.push(mayStart);
      continue;
    }
    if (primary.resolution === 'PENDING') {
      if (pilotTaken) continue;
      pilotTaken = true;
    }
    steps.push({ kind: 'start', revision: primary.id, count: 1, pilot: primary.resolution === 'PENDING', replacing: 0, host });
  }
  if (mayStart > now) steps.push({ kind: 'impaired' });

  const done = service.hosts.every((host) => {
    const here = tasks.filter((task) => task.host === host);
    return here.length === 1 && here[0] !== undefined && here[0].revision === primary.id && isHealthy(here[0], settings, now);
  });
  if (done && tasks.length === service.hosts.length && primary.resolution !== 'PENDING') {
    if (primary.rollout === 'IN_PROGRESS') steps.push({ kind: 'complete', revision: primary.id });
    if (primary.rollout !== 'FAILED') steps.push({ kind: 'steady' });
  }
  return { steps, ...(times.length > 0 ? { wakeAt: Math.min(...times) } : {}) };
}
