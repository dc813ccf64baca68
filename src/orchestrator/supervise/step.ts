import type { ContainerSpec, TaskSpec } from '../ports.ts';
import { containerState, type TaskEffect, type TaskState } from './task-state.ts';

/** What one event makes of a task: the state is changed as it goes, the effects are gathered. */
export interface Step {
  spec: TaskSpec;
  state: TaskState;
  effects: TaskEffect[];
  now: number;
}

export function specOf({ spec }: Step, name: string): ContainerSpec {
  const found = spec.containers.find((container) => container.name === name);
  if (found === undefined) throw new Error(`the task has no container ${name}`);
  return found;
}

/** The first reason to stop is the one that is told. Without a reason somebody asked for it. */
export function beginStop({ state, now }: Step, why: Pick<TaskState, 'stopCode' | 'stoppedReason'> = {}): void {
  if (state.stage === 'stopping' || state.stage === 'stopped') return;
  state.stage = 'stopping';
  state.stoppingAt = now;
  Object.assign(state, why);
}

export function failDependency(step: Step, name: string, why: string): void {
  const container = containerState(step.state, name);
  container.reason = `TaskDependencyError: ${why}`;
  // One that is being made counts until the engine has answered: what comes of it must not be left behind.
  if (container.phase !== 'creating') {
    container.phase = 'stopped';
    container.stoppedAt = step.now;
  }
  beginStop(step, { stopCode: 'TaskFailedToStart', stoppedReason: container.reason });
}

export function runWhenAllHaveStarted({ state, now }: Step): void {
  if (state.stage !== 'starting' || !state.containers.every(({ runs, phase }) => runs > 0 || phase === 'stopped')) return;
  state.stage = 'running';
  state.startedAt = now;
}
