import type { PlanSettings, TaskFacts } from './types.ts';

/** Counts for the minimum: its health checks pass, or, without any, it has run long enough (API reference, `DeploymentConfiguration`). */
export function isHealthy(task: TaskFacts, { settleMs }: PlanSettings, now: number): boolean {
  if (task.state !== 'running') return false;
  if (task.health !== undefined) return task.health === 'HEALTHY';
  return task.runningSince !== undefined && now - task.runningSince >= settleMs;
}

/** To be replaced: its health checks fail, and its grace period is over. */
export function isUnhealthy(task: TaskFacts, { graceMs }: PlanSettings, now: number): boolean {
  return task.state === 'running' && task.health === 'UNHEALTHY' && now - (task.runningSince ?? now) >= graceMs;
}

export function isProtected(task: TaskFacts, now: number): boolean {
  return task.protectedUntil !== undefined && task.protectedUntil > now;
}

/** When time alone will change what is said of the task. */
export function settlesAt(task: TaskFacts, { settleMs, graceMs }: PlanSettings, now: number): number | undefined {
  if (task.state !== 'running' || task.runningSince === undefined) return undefined;
  const at =
    task.health === undefined
      ? task.runningSince + settleMs
      : task.health === 'UNHEALTHY'
        ? task.runningSince + graceMs
        : undefined;
  return at !== undefined && at > now ? at : undefined;
}
