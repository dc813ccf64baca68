import { dependenciesOf, dependencyMet, dependentsOf, sourcesOf } from './dependencies.ts';
import { failDependency, runWhenAllHaveStarted, specOf, type Step } from './step.ts';
import { containerState, type ContainerState, type TaskState } from './task-state.ts';

/** Asks for all that can be done next of a task that starts. */
export function advanceStart(step: Step): void {
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
  // A container that could not be made keeps others waiting for ever.
  const orphan = spec.containers.find(
    (own) => containerState(state, own.name).phase === 'pulled' && sourcesOf(own).some((source) => isGone(state, source)),
  );
  if (orphan !== undefined)
    return failDependency(
      step,
      orphan.name,
      `container ${orphan.name} takes volumes from, or links to, a container that could not be created`,
    );
  runWhenAllHaveStarted(step);
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
export function advanceStop(step: Step): void {
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
