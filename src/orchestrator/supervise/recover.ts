import type { FoundContainer } from '../container-engine.ts';
import type { TaskEvent, TaskState } from './task-state.ts';

/**
 * Puts a task's remembered state beside what the engine has: acts whose answer was lost are asked for again (they may be
 * repeated), and what happened meanwhile is told as events. Nothing is stopped or started for it.
 */
export function recoverTask(before: TaskState, found: FoundContainer[], now: number): { state: TaskState; events: TaskEvent[] } {
  const state = structuredClone(before);
  const events: TaskEvent[] = [];
  if (state.stage === 'stopped') return { state, events };
  if (state.place === 'preparing') state.place = 'absent';
  if (state.place === 'releasing') state.place = 'prepared';
  for (const container of state.containers) {
    const there = found.find(({ name }) => name === container.name);
    switch (container.phase) {
      case 'resolving':
        container.phase = 'new';
        break;
      case 'pulling':
        container.phase = 'resolved';
        break;
      case 'creating':
        container.phase = 'pulled';
        break;
      case 'created':
        // It may have been removed by hand before it ran.
        if (there === undefined) container.phase = 'pulled';
        break;
      case 'starting':
        if (there === undefined) container.phase = container.runs === 0 ? 'pulled' : 'running';
        if (there === undefined && container.runs > 0) events.push(lostExit(container.name, now));
        // A run that is not the one before: the start did come about.
        else if (there?.startedAt !== undefined && there.startedAt !== container.startedAt)
          events.push(startOf(there, there.startedAt), ...exitOf(there));
        else if (there !== undefined) container.phase = 'created';
        break;
      case 'stopping':
      case 'running':
        // Its stop signal is sent again by the rules, as nobody knows whether it was.
        container.phase = 'running';
        if (there === undefined) events.push(lostExit(container.name, now));
        else events.push(...exitOf(there));
        break;
      default:
        break;
    }
  }
  events.push({ kind: 'resume' });
  return { state, events };
}

function startOf({ name, networkBindings, address }: FoundContainer, startedAt: number): TaskEvent {
  return { kind: 'started', name, started: { startedAt, networkBindings, ...(address === undefined ? {} : { address }) } };
}

function exitOf({ taskId, name, state, exitCode, outOfMemory, finishedAt, startedAt }: FoundContainer): TaskEvent[] {
  if (state !== 'exited') return [];
  const at = finishedAt ?? startedAt ?? 0;
  return [{ kind: 'exited', exit: { taskId, name, outOfMemory, at, ...(exitCode === undefined ? {} : { exitCode }) } }];
}

function lostExit(name: string, now: number): TaskEvent {
  return {
    kind: 'exited',
    exit: { taskId: '', name, outOfMemory: false, at: now },
    reason: 'CannotInspectContainerError: the container was removed by somebody else while the server was away',
  };
}
