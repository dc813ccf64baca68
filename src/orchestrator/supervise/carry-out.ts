import { ContainerError, type ContainerErrorName } from '../../core/container-error.ts';
import { describeCauses, type Logger } from '../../core/logger.ts';
import type { Timers } from '../../core/timers.ts';
import type { ContainerEngine, PinnedImage } from '../container-engine.ts';
import type { ContainerSpec, TaskSpec } from '../ports.ts';
import { attempt, PULL_PATIENCE, RESOLVE_PATIENCE } from './attempts.ts';
import { checkCommand } from './health.ts';
import { containerState, type TaskEffect, type TaskEvent, type TaskState } from './task-state.ts';

/** What a health check may say, in bytes (as much as Docker keeps). */
const CHECK_OUTPUT_LIMIT = 4096;
/** Of ECS's agent. */
const LONGEST_PULL_MS = 2 * 60 * 60 * 1000;

export interface Acting {
  engine: ContainerEngine;
  timers: Timers;
  log: Logger;
  /** See `SupervisorDependencies`. */
  serverAddress?: (hostAddress: string) => Promise<string | undefined>;
  /** Pulls under way, shared by all tasks. */
  pulls: Map<string, Promise<void>>;
}

/** The task that an effect is for; `state` is the newest. */
export interface Acted {
  spec: TaskSpec;
  readonly state: TaskState;
}

/** Asks the engine for what the rules want, and gives the answer as an event; `undefined` when there is none to wait for. */
export async function carryOut(acting: Acting, task: Acted, effect: TaskEffect): Promise<TaskEvent | undefined> {
  const { engine, log } = acting;
  const taskId = task.spec.id;
  switch (effect.kind) {
    case 'prepare':
      try {
        return { kind: 'prepared', ...(await engine.prepare(task.spec)) };
      } catch (error) {
        return { kind: 'prepare-failed', reason: reasonOf(acting, task, error, 'ResourceInitializationError') };
      }
    case 'resolve':
      return resolve(acting, task, effect.name);
    case 'pull':
      return pull(acting, task, effect.name);
    case 'create':
      return create(acting, task, effect.name);
    case 'start':
      try {
        const started = await engine.start({ taskId, name: effect.name });
        return { kind: 'started', name: effect.name, started };
      } catch (error) {
        const reason = reasonOf(acting, task, error, 'CannotStartContainerError');
        return { kind: 'failed', act: 'start', name: effect.name, reason };
      }
    case 'signal':
      try {
        await engine.signal({ taskId, name: effect.name }, effect.signal);
      } catch (error) {
        // SIGKILL follows when the time is over.
        log.warn('a container could not be signalled', { task: taskId, container: effect.name, causes: describeCauses(error) });
      }
      return undefined;
    case 'check':
      return check(acting, task, effect.name, effect.run);
    case 'release':
      try {
        await engine.release(taskId);
      } catch (error) {
        log.warn('the network of a stopped task could not be given back', { task: taskId, causes: describeCauses(error) });
      }
      return { kind: 'released' };
    case 'wait':
      return undefined;
  }
}

function specOf({ spec }: Acted, name: string): ContainerSpec {
  const found = spec.containers.find((container) => container.name === name);
  if (found === undefined) throw new Error(`the task has no container ${name}`);
  return found;
}

const isWanted = (task: Acted) => (): boolean => task.state.stage === 'starting';

async function resolve(acting: Acting, task: Acted, name: string): Promise<TaskEvent> {
  const { image } = specOf(task, name);
  const answer = await attempt(acting.timers, RESOLVE_PATIENCE, isWanted(task), () => acting.engine.resolve(image));
  if ('value' in answer) return { kind: 'resolved', name, digest: answer.value };
  const tried = `pull image manifest has been retried ${answer.tries} time(s): `;
  return {
    kind: 'failed',
    act: 'resolve',
    name,
    reason: reasonOf(acting, task, answer.error, 'CannotPullContainerError', tried),
  };
}

async function pull(acting: Acting, task: Acted, name: string): Promise<TaskEvent> {
  const image = pinnedImage(task, name);
  const key = `${image.written} ${image.reference} ${image.digest}`;
  const answer = await attempt(acting.timers, PULL_PATIENCE, isWanted(task), () => {
    const under = acting.pulls.get(key);
    if (under !== undefined) return under;
    const fresh = pullInTime(acting, image).finally(() => acting.pulls.delete(key));
    acting.pulls.set(key, fresh);
    return fresh;
  });
  if ('value' in answer) return { kind: 'pulled', name };
  const tried = `ref pull has been retried ${answer.tries} time(s): `;
  return { kind: 'failed', act: 'pull', name, reason: reasonOf(acting, task, answer.error, 'CannotPullContainerError', tried) };
}

function pullInTime({ engine, timers }: Acting, image: PinnedImage): Promise<void> {
  const stop = new AbortController();
  return new Promise((resolve, reject) => {
    const cancel = timers.after(LONGEST_PULL_MS, () => {
      stop.abort();
      const hours = LONGEST_PULL_MS / 3_600_000;
      const text = `the image did not come within ${hours} hours: its registry, or the container engine, is too slow or does not answer`;
      reject(new ContainerError('CannotPullContainerError', text));
    });
    void engine.pull(image, stop.signal).then(resolve, reject).finally(cancel);
  });
}

function pinnedImage(task: Acted, name: string): PinnedImage {
  const { digest } = containerState(task.state, name);
  if (digest === undefined) throw new Error(`container ${name} has no digest`);
  return { ...specOf(task, name).image, digest };
}

async function create(acting: Acting, task: Acted, name: string): Promise<TaskEvent> {
  const spec = specOf(task, name);
  try {
    const environment = { ...spec.environment, ...spec.secrets, ...(await ownEnvironment(acting, task, name)) };
    const made = await acting.engine.create(task.spec, { spec: { ...spec, environment }, image: pinnedImage(task, name) });
    return { kind: 'created', name, runtimeId: made.runtimeId };
  } catch (error) {
    return { kind: 'failed', act: 'create', name, reason: reasonOf(acting, task, error, 'CannotCreateContainerError') };
  }
}

/** What every container finds in its environment (ECS, "Task metadata endpoint version 4"). */
async function ownEnvironment(acting: Acting, task: Acted, name: string): Promise<Record<string, string>> {
  const { hostAddress } = task.state;
  const execution = { AWS_EXECUTION_ENV: `AWS_ECS_${task.spec.launchType === 'FARGATE' ? 'FARGATE' : 'EC2'}` };
  const base = hostAddress === undefined ? undefined : await acting.serverAddress?.(hostAddress);
  if (base === undefined) return execution;
  const { endpointId } = containerState(task.state, name);
  return {
    ...execution,
    ECS_CONTAINER_METADATA_URI_V4: `${base}/v4/${endpointId}`,
    ECS_AGENT_URI: `${base}/api/${endpointId}`,
  };
}

async function check(acting: Acting, task: Acted, name: string, run: number): Promise<TaskEvent | undefined> {
  const { healthCheck } = specOf(task, name);
  if (healthCheck === undefined) return undefined;
  const command = { command: checkCommand(healthCheck), timeout: healthCheck.timeout, outputLimit: CHECK_OUTPUT_LIMIT };
  try {
    const result = await acting.engine.exec({ taskId: task.spec.id, name }, command);
    if (result.kind === 'exited') return { kind: 'checked', name, run, exitCode: result.exitCode, output: result.output };
    const output = `Health check exceeded timeout (${healthCheck.timeout / 1000} s)${result.output === '' ? '' : `: ${result.output}`}`;
    return { kind: 'checked', name, run, output };
  } catch (error) {
    return { kind: 'checked', name, run, output: error instanceof Error ? error.message : String(error) };
  }
}

/** `<name>: <text>`, as ECS writes a container's reason; what is no `ContainerError` goes into the log with its causes. */
function reasonOf(acting: Acting, task: Acted, error: unknown, otherwise: ContainerErrorName, tried = ''): string {
  if (error instanceof ContainerError)
    return `${error.code}: ${error.code === 'CannotPullContainerError' ? tried : ''}${error.message}`;
  acting.log.error('an act of the container engine failed', { task: task.spec.id, causes: describeCauses(error) });
  return `${otherwise}: ${error instanceof Error ? error.message : String(error)}`;
}
