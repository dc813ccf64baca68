import type { Step, TaskFacts } from './types.ts';

export function groupByRevision(tasks: TaskFacts[]): [revision: string, tasks: TaskFacts[]][] {
  return [...Map.groupBy(tasks, ({ revision }) => revision)];
}

/** Running and pending ones apart: they are told of in different words. */
export function stopSteps(revision: string, tasks: TaskFacts[], why: 'scaling' | 'unhealthy'): Step[] {
  return [false, true].flatMap((pending): Step[] => {
    const ids = tasks.filter(({ state }) => (state === 'pending') === pending).map(({ id }) => id);
    return ids.length === 0 ? [] : [{ kind: 'stop', revision, tasks: ids, why, pending }];
  });
}
