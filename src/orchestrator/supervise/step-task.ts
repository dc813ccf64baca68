import type { ContainerExit } from '../container-engine.ts';
import type { ContainerSpec, TaskSpec } from '../ports.ts';
import { dependenciesOf, dependencyMet, dependentsOf, findCycle, sourcesOf } from './dependencies.ts';
import { afterCheck, freshHealth, nextCheckIn } from './health.ts';
import { mayRestart } from './restart.ts';
import { containerState, type ContainerState, type TaskEffect, type TaskEvent, type TaskState } from './task-state.ts';

/** Between one SIGKILL that did not help and the next: a process that waits for a device cannot be killed before it has it. */
const KILL_AGAIN_MS = 10_000;

interface Step {
  spec: TaskSpec;
  state: TaskState;
  effects: TaskEffect[];
  now: number;
}

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

function specOf({ spec }: Step, name: string): ContainerSpec {
  const found = spec.containers.find((container) => container.name === name);
  if (found === undefined) throw new Error(`the task has no container ${name}`);
  return found;
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
  container.reason = reason;
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

/** The first reason to stop is the one that is told. Without a reason somebody asked for it. */
function beginStop({ state, now }: Step, why: Pick<TaskState, 'stopCode' | 'stoppedReason'> = {}): void {
  if (state.stage === 'stopping' || state.stage === 'stopped') return;
  state.stage = 'stopping';
  state.stoppingAt = now;
  Object.assign(state, why);
}

function failDependency(step: Step, name: string, why: string): void {
  const container = containerState(step.state, name);
  container.phase = 'stopped';
  container.stoppedAt = step.now;
  container.reason = `TaskDependencyError: ${why}`;
  beginStop(step, { stopCode: 'TaskFailedToStart', stoppedReason: container.reason });
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

function advanceStart(step: Step): void {
  const { state, effects, spec, now } = step;
  if (state.place === 'absent') {
    state.place = 'preparing';
    effects.push({ kind: 'prepare' });
  }
  for (const container of state.containers.filter(({ phase }) => phase === 'new')) {
    const { digest } = specOf(step, container.name).image;
    if (digest === undefined) effects.push({ kind: 'resolve', name: container.name });
    else container.digest = digest;
    container.phase = digest === undefined ? 'resolving' : 'resolved';
  }
  // All digests are told before anything is pulled, so that a service can go on with them.
  const before = new Set(['new', 'resolving', 'resolved', 'pulling']);
  if (!state.containers.some(({ phase }) => phase === 'new' || phase === 'resolving')) {
    for (const container of state.containers.filter(({ phase }) => phase === 'resolved')) {
      state.pullStartedAt ??= now;
      container.phase = 'pulling';
      effects.push({ kind: 'pull', name: container.name });
    }
    if (!state.containers.some(({ phase }) => before.has(phase))) state.pullStoppedAt ??= now;
  }
  if (state.place !== 'prepared') return;
  for (const container of state.containers) {
    const own = specOf(step, container.name);
    if (container.phase === 'pulled' && sourcesOf(own).every((source) => isMade(state, source))) {
      container.phase = 'creating';
      effects.push({ kind: 'create', name: container.name });
    }
    if (container.phase !== 'created') continue;
    if (container.runs === 0) {
      const waits = dependenciesOf(own).map((one) => ({ one, met: dependencyMet(one, state) }));
      const never = waits.find(({ met }) => typeof met === 'string');
      if (never !== undefined) {
        const { containerName, condition } = never.one;
        const why = `container ${own.name} waits for ${containerName} to be ${condition}, which will not be: ${never.met}`;
        return failDependency(step, own.name, why);
      }
      if (waits.some(({ met }) => met !== true)) continue;
    }
    container.phase = 'starting';
    effects.push({ kind: 'start', name: container.name });
  }
  // A volume of a container that could not be made keeps others waiting for ever.
  const orphan = spec.containers.find(
    (own) => containerState(state, own.name).phase === 'pulled' && sourcesOf(own).some((source) => isGone(state, source)),
  );
  if (orphan !== undefined)
    return failDependency(step, orphan.name, `container ${orphan.name} takes volumes from a container that could not be created`);
  runWhenAllHaveStarted(step);
}

function runWhenAllHaveStarted({ state, now }: Step): void {
  if (state.stage !== 'starting' || !state.containers.every(({ runs, phase }) => runs > 0 || phase === 'stopped')) return;
  state.stage = 'running';
  state.startedAt = now;
}

const MADE = new Set<ContainerState['phase']>(['created', 'starting', 'running', 'stopping']);

function isMade(state: TaskState, name: string): boolean {
  const source = containerState(state, name);
  return MADE.has(source.phase) || source.runs > 0;
}

function isGone(state: TaskState, name: string): boolean {
  const source = containerState(state, name);
  return source.phase === 'stopped' && source.runs === 0;
}

/** Acts in flight are waited for: what they make must not outlive the task. Pulls are not, they leave nothing of the task's. */
function advanceStop(step: Step): void {
  const { state, effects, spec, now } = step;
  const isOver = ({ phase }: ContainerState): boolean => phase === 'stopped';
  for (const container of state.containers) {
    if (['new', 'resolving', 'resolved', 'pulling', 'pulled', 'created'].includes(container.phase)) {
      container.phase = 'stopped';
      container.stoppedAt = now;
    }
  }
  for (const container of state.containers.filter(({ phase }) => phase === 'running')) {
    if (!dependentsOf(spec, container.name).every(({ name }) => isOver(containerState(state, name)))) continue;
    container.phase = 'stopping';
    effects.push({ kind: 'signal', name: container.name, signal: 'stop' });
    effects.push({ kind: 'wait', timer: 'kill', name: container.name, milliseconds: specOf(step, container.name).stopTimeout });
  }
  if (state.containers.every(isOver) && state.place !== 'preparing' && state.place !== 'releasing') {
    state.place = 'releasing';
    effects.push({ kind: 'release' });
  }
}
