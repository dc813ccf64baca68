import type { ContainerExit } from '../container-engine.ts';
import type { TaskSpec } from '../ports.ts';
import { advanceStart, advanceStop } from './advance.ts';
import { dependenciesOf, dependencyMet, dependentsOf, findCycle } from './dependencies.ts';
import { afterCheck, freshHealth, nextCheckIn } from './health.ts';
import { mayRestart } from './restart.ts';
import { beginStop, failDependency, runWhenAllHaveStarted, specOf, type Step } from './step.ts';
import { containerState, type ContainerState, type TaskEffect, type TaskEvent, type TaskState } from './task-state.ts';

/** Between one SIGKILL that did not help and the next: a process that waits for a device cannot be killed before it has it. */
const KILL_AGAIN_MS = 10_000;

/**
 * The rules of a task's life (ECS, "Task lifecycle", "Container dependency", "Container restart policies"): what it is after
 * an event, and what is to be done next. `before` is left as it was. An event that comes too late changes nothing.
 */
export function stepTask(
  spec: TaskSpec,
  before: TaskState,
  event: TaskEvent,
  now: number,
): { state: TaskState; effects: TaskEffect[] } {
  const step: Step = { spec, state: structuredClone(before), effects: [], now };
  if (before.stage !== 'stopped') {
    take(step, event);
    if (step.state.stage === 'starting') advanceStart(step);
    if (step.state.stage === 'stopping') advanceStop(step);
  }
  return { state: step.state, effects: step.effects };
}

function take(step: Step, event: TaskEvent): void {
  const { state, now } = step;
  switch (event.kind) {
    case 'begin': {
      const inCircle = findCycle(step.spec);
      if (inCircle !== undefined) failDependency(step, inCircle, 'the containers of the task wait for each other in a circle');
      return;
    }
    case 'stop':
      beginStop(step);
      return;
    case 'resume':
      for (const container of state.containers) {
        if (container.phase === 'running') watchStart(step, container);
        if (container.phase !== 'created' || container.runs === 0 || state.stage === 'stopping') continue;
        container.phase = 'starting';
        step.effects.push({ kind: 'start', name: container.name });
      }
      return;
    case 'prepared':
      if (state.place !== 'preparing') return;
      state.place = 'prepared';
      if (event.networkInterface !== undefined) state.networkInterface = event.networkInterface;
      if (event.hostAddress !== undefined) state.hostAddress = event.hostAddress;
      return;
    case 'prepare-failed':
      if (state.place !== 'preparing') return;
      state.place = 'failed';
      beginStop(step, { stopCode: 'TaskFailedToStart', stoppedReason: event.reason });
      return;
    case 'resolved': {
      const container = containerState(state, event.name);
      if (container.phase !== 'resolving') return;
      container.digest = event.digest;
      container.phase = 'resolved';
      return;
    }
    case 'pulled':
      return answered(step, event.name, 'pulling', 'pulled');
    case 'created': {
      const container = containerState(state, event.name);
      if (container.phase !== 'creating') return;
      container.phase = 'created';
      container.runtimeId = event.runtimeId;
      container.createdAt = now;
      return;
    }
    case 'started':
      return started(step, event);
    case 'failed':
      return failed(step, event);
    case 'exited': {
      const container = containerState(state, event.exit.name);
      if (container.phase === 'starting') {
        // The end of the run before, told again.
        if (container.runs === 0 || event.exit.at !== container.stoppedAt) container.earlyExit = event.exit;
      } else if (container.phase === 'running' || container.phase === 'stopping') {
        if (event.reason !== undefined) container.reason = event.reason;
        ended(step, container, event.exit);
      }
      return;
    }
    case 'checked':
      return checked(step, event);
    case 'timer':
      return timer(step, event);
    case 'released':
      if (state.place !== 'releasing') return;
      state.place = 'released';
      state.stage = 'stopped';
      state.stoppedAt = now;
      return;
  }
}

function answered({ state }: Step, name: string, from: ContainerState['phase'], to: ContainerState['phase']): void {
  const container = containerState(state, name);
  if (container.phase === from) container.phase = to;
}

function started(step: Step, { name, started: run }: Extract<TaskEvent, { kind: 'started' }>): void {
  const container = containerState(step.state, name);
  if (container.phase !== 'starting') return;
  container.phase = 'running';
  container.runs += 1;
  container.startedAt = run.startedAt;
  container.networkBindings = run.networkBindings;
  if (run.address !== undefined) container.address = run.address;
  container.health = freshHealth();
  delete container.exitCode;
  delete container.stoppedAt;
  const exit = container.earlyExit;
  delete container.earlyExit;
  runWhenAllHaveStarted(step);
  if (exit === undefined) watchStart(step, container);
  else ended(step, container, exit);
}

/** What is to be watched in a container that runs: its health, and how long those that wait for it go on waiting. */
function watchStart(step: Step, { name, health, restartCount }: ContainerState): void {
  const { healthCheck, startTimeout } = specOf(step, name);
  if (healthCheck !== undefined && step.state.stage !== 'stopping')
    step.effects.push({ kind: 'wait', timer: 'check', name, milliseconds: nextCheckIn(healthCheck, health) });
  if (startTimeout !== undefined && restartCount === 0 && step.state.stage === 'starting')
    step.effects.push({ kind: 'wait', timer: 'start', name, milliseconds: startTimeout });
}

function failed(step: Step, { name, act, reason }: Extract<TaskEvent, { kind: 'failed' }>): void {
  const container = containerState(step.state, name);
  const phase = { resolve: 'resolving', pull: 'pulling', create: 'creating', start: 'starting' }[act];
  if (container.phase !== phase) return;
  container.phase = 'stopped';
  container.stoppedAt = step.now;
  container.reason ??= reason;
  delete container.earlyExit;
  if (step.state.stage === 'running' || container.runs > 0) {
    // A restart that did not come about.
    if (specOf(step, name).essential) essentialEnded(step, step.now);
  } else if (act === 'resolve' || act === 'pull' || specOf(step, name).essential) {
    beginStop(step, { stopCode: 'TaskFailedToStart', stoppedReason: reason });
  }
}

function ended(step: Step, container: ContainerState, exit: ContainerExit): void {
  const spec = specOf(step, container.name);
  const wasStopping = container.phase === 'stopping' || step.state.stage === 'stopping';
  container.stoppedAt = exit.at;
  if (exit.exitCode === undefined) delete container.exitCode;
  else container.exitCode = exit.exitCode;
  if (exit.outOfMemory) container.reason = 'OutOfMemoryError: Container killed due to memory usage';
  if (!wasStopping && mayRestart(spec.restartPolicy, container, exit)) {
    container.restartCount += 1;
    container.phase = 'starting';
    delete container.reason;
    step.effects.push({ kind: 'start', name: container.name });
    return;
  }
  container.phase = 'stopped';
  if (spec.essential && !wasStopping) essentialEnded(step, exit.at);
}

function essentialEnded(step: Step, at: number): void {
  step.state.executionStoppedAt ??= at;
  beginStop(step, { stopCode: 'EssentialContainerExited', stoppedReason: 'Essential container in task exited' });
}

function checked(step: Step, event: Extract<TaskEvent, { kind: 'checked' }>): void {
  const container = containerState(step.state, event.name);
  const { healthCheck } = specOf(step, event.name);
  if (container.phase !== 'running' || container.runs !== event.run || healthCheck === undefined) return;
  container.health = afterCheck(healthCheck, container.health, event, step.now);
  if (step.state.stage === 'stopping') return;
  step.effects.push({
    kind: 'wait',
    timer: 'check',
    name: event.name,
    milliseconds: nextCheckIn(healthCheck, container.health),
  });
}

function timer(step: Step, event: Extract<TaskEvent, { kind: 'timer' }>): void {
  const { name } = event;
  const container = containerState(step.state, name);
  switch (event.timer) {
    case 'check':
      if (container.phase === 'running' && step.state.stage !== 'stopping')
        step.effects.push({ kind: 'check', name, run: container.runs });
      return;
    case 'kill':
      if (container.phase !== 'stopping') return;
      step.effects.push({ kind: 'signal', name, signal: 'SIGKILL' });
      step.effects.push({ kind: 'wait', timer: 'kill', name, milliseconds: KILL_AGAIN_MS });
      return;
    case 'start':
      if (step.state.stage === 'starting') giveUpWaitingFor(step, name);
      return;
  }
}

function giveUpWaitingFor(step: Step, name: string): void {
  for (const dependent of dependentsOf(step.spec, name)) {
    if (containerState(step.state, dependent.name).runs > 0) continue;
    const open = dependenciesOf(dependent).find(
      (one) => one.containerName === name && dependencyMet(one, step.state) === undefined,
    );
    if (open === undefined) continue;
    const seconds = (specOf(step, name).startTimeout ?? 0) / 1000;
    failDependency(
      step,
      dependent.name,
      `container ${dependent.name} waits for ${name} to be ${open.condition}, which it was not within its startTimeout of ${seconds} s`,
    );
    return;
  }
}
