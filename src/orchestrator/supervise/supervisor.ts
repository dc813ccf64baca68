import { Buffer } from 'node:buffer';
import type { Clock } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import type { IdSource } from '../../core/ids.ts';
import { describeCauses, type Logger } from '../../core/logger.ts';
import type { Timers } from '../../core/timers.ts';
import type { ContainerEngine, ContainerExit, FoundContainer, TaskRecords } from '../container-engine.ts';
import type { ContainerStats, ObservedTask, TaskRuntime, TaskSpec } from '../ports.ts';
import { carryOut, type Acting } from './carry-out.ts';
import { readTaskLogs } from './logs.ts';
import { observedTask } from './observe.ts';
import { readRecord, writeRecord } from './record.ts';
import { recoverTask } from './recover.ts';
import { stepTask } from './step-task.ts';
import { newTaskState, type TaskEffect, type TaskEvent, type TaskState } from './task-state.ts';

export interface SupervisorDependencies {
  engine: ContainerEngine;
  records: TaskRecords;
  clock: Clock;
  timers: Timers;
  ids: IdSource;
  log: Logger;
  /**
   * Sees to it that the metadata endpoint can be reached at an address of this machine, and gives the beginning of its URL
   * (`http://172.17.0.1:4600`); `undefined` when it cannot: the containers then run without it.
   */
  serverAddress?: (hostAddress: string) => Promise<string | undefined>;
}

export interface Supervisor extends TaskRuntime {
  /** What the metadata endpoint tells to the container that has this id; `undefined` when none has. */
  describe(endpointId: string): ContainerView | undefined;
}

/** A container and its task, as they are now. Not to be changed. */
export interface ContainerView {
  spec: TaskSpec;
  state: TaskState;
  observed: ObservedTask;
  name: string;
}

interface LiveTask {
  spec: TaskSpec;
  state: TaskState;
  events: TaskEvent[];
  isWorking: boolean;
  /** The last snapshot that was told, as text. */
  told: string;
  timers: Map<string, () => void>;
  /** Called after each change, by those who follow its logs. */
  watchers: Set<() => void>;
}

/**
 * Makes tasks of an engine's containers. One event of a task at a time goes through the rules (`stepTask`); what comes
 * of it is recorded, then told, then done: so nothing is known outside that a restart could forget.
 *
 * Reads the records and looks at the engine before it returns: tasks of an earlier life are watched again, and nothing of
 * them is started or stopped for it. What happened meanwhile is in `list`, and told if it happens later.
 */
export async function createSupervisor(dependencies: SupervisorDependencies): Promise<Supervisor> {
  const { engine, records, clock, timers, ids, log } = dependencies;
  const tasks = new Map<string, LiveTask>();
  const endpoints = new Map<string, { task: LiveTask; name: string }>();
  const acting: Acting = { engine, timers, log, pulls: new Map() };
  if (dependencies.serverAddress !== undefined) acting.serverAddress = dependencies.serverAddress;
  let listener: ((task: ObservedTask) => void) | undefined;
  let isClosed = false;

  const adopt = (spec: TaskSpec, state: TaskState): LiveTask => {
    const task: LiveTask = { spec, state, events: [], isWorking: false, told: '', timers: new Map(), watchers: new Set() };
    tasks.set(spec.id, task);
    for (const { name, endpointId } of state.containers) endpoints.set(endpointId, { task, name });
    return task;
  };

  const push = (task: LiveTask, ...events: TaskEvent[]): void => {
    if (isClosed) return;
    task.events.push(...events);
    if (!task.isWorking) void work(task);
  };

  async function work(task: LiveTask): Promise<void> {
    task.isWorking = true;
    while (task.events.length > 0 && !isClosed) {
      const effects: TaskEffect[] = [];
      for (let event = task.events.shift(); event !== undefined; event = task.events.shift()) {
        try {
          const next = stepTask(task.spec, task.state, event, clock.now());
          task.state = next.state;
          effects.push(...next.effects);
        } catch (error) {
          log.error('an event of a task could not be taken in', {
            task: task.spec.id,
            event: event.kind,
            causes: describeCauses(error),
          });
        }
      }
      try {
        await records.keep(task.spec.id, writeRecord(task));
      } catch (error) {
        // The task goes on: a full disk must not harm what runs. A restart would find an older record.
        log.error('the record of a task could not be kept', { task: task.spec.id, causes: describeCauses(error) });
      }
      if (isClosed) break;
      tell(task);
      for (const effect of effects) act(task, effect);
    }
    task.isWorking = false;
  }

  function tell(task: LiveTask): void {
    const snapshot = observedTask(task.spec, task.state);
    const text = JSON.stringify(snapshot);
    if (text !== task.told) {
      task.told = text;
      listener?.(snapshot);
    }
    if (task.state.stage === 'stopped') {
      for (const cancel of task.timers.values()) cancel();
      task.timers.clear();
    }
    for (const watcher of [...task.watchers]) watcher();
  }

  function act(task: LiveTask, effect: TaskEffect): void {
    if (effect.kind === 'wait') {
      const { timer, name } = effect;
      const key = `${timer} ${name}`;
      task.timers.get(key)?.();
      const cancel = timers.after(effect.milliseconds, () => {
        task.timers.delete(key);
        push(task, { kind: 'timer', timer, name });
      });
      task.timers.set(key, cancel);
      return;
    }
    carryOut(acting, task, effect).then(
      (event) => event !== undefined && push(task, event),
      (error: unknown) =>
        log.error('an act for a task failed', { task: task.spec.id, act: effect.kind, causes: describeCauses(error) }),
    );
  }

  async function recover(): Promise<void> {
    const kept = await records.all();
    const found = new Map<string, FoundContainer[]>();
    for (const container of await engine.list()) {
      const ofTask = found.get(container.taskId);
      if (ofTask === undefined) found.set(container.taskId, [container]);
      else ofTask.push(container);
    }
    for (const { taskId, text } of kept) {
      try {
        const record = readRecord(taskId, text);
        const there = (found.get(taskId) ?? []).filter(({ name }) => record.state.containers.some((own) => own.name === name));
        const { state, events } = recoverTask(record.state, there, clock.now());
        const task = adopt(record.spec, state);
        // Ends that are told while the list is read come a second time with it.
        task.events.push(...events);
      } catch (error) {
        log.error('a task of an earlier run cannot be supervised', { task: taskId, causes: describeCauses(error) });
      }
      found.delete(taskId);
    }
    for (const taskId of found.keys()) log.warn('containers of a task that nobody knows are left alone', { task: taskId });
  }

  const early: ContainerExit[] = [];
  let isRecovered = false;
  const onExit = (exit: ContainerExit): void => {
    if (!isRecovered) {
      early.push(exit);
      return;
    }
    const task = tasks.get(exit.taskId);
    if (task?.state.containers.some(({ name }) => name === exit.name) === true) push(task, { kind: 'exited', exit });
  };
  engine.observe(onExit);
  await recover();
  isRecovered = true;
  // What was told before the list was complete is in the list, or comes late and changes nothing.
  for (const exit of early) onExit(exit);
  for (const task of tasks.values()) if (task.events.length > 0) void work(task);
  // Their containers know the metadata endpoint by the address that they were given.
  const addresses = [...tasks.values()].filter(({ state }) => state.stage !== 'stopped').map(({ state }) => state.hostAddress);
  for (const address of new Set(addresses)) if (address !== undefined) await dependencies.serverAddress?.(address);

  return {
    name: engine.name === 'memory' ? 'simulated' : engine.name,
    hosts: async () => [await engine.host()],
    observe(next) {
      listener = next;
    },
    async start(spec) {
      if (tasks.has(spec.id)) return;
      const task = adopt(
        spec,
        newTaskState(spec, clock.now(), () => Buffer.from(ids.bytes(24)).toString('hex')),
      );
      try {
        await records.keep(spec.id, writeRecord(task));
      } catch (error) {
        discard(task);
        throw error;
      }
      push(task, { kind: 'begin' });
    },
    stop(taskId) {
      const task = tasks.get(taskId);
      if (task !== undefined && task.state.stage !== 'stopped') push(task, { kind: 'stop' });
      return Promise.resolve();
    },
    list: () => Promise.resolve([...tasks.values()].map(({ spec, state }) => observedTask(spec, state))),
    async forget(taskId) {
      const task = tasks.get(taskId);
      if (task === undefined) return;
      if (task.state.stage !== 'stopped') throw new Error(`task ${taskId} has not stopped`);
      await engine.remove(taskId);
      await records.remove(taskId);
      discard(task);
    },
    logs(taskId, options) {
      const task = tasks.get(taskId);
      return readTaskLogs(engine, task === undefined ? undefined : watched(task), options);
    },
    async stats(taskId) {
      const task = tasks.get(taskId);
      if (task === undefined || task.state.stage === 'stopped') return undefined;
      const running = task.state.containers.filter(({ phase }) => phase === 'running' || phase === 'stopping');
      const all = await Promise.all(running.map(async ({ name }) => [name, await engine.stats({ taskId, name })] as const));
      const known = all.filter((one): one is readonly [string, ContainerStats] => one[1] !== undefined);
      return known.length === 0 ? undefined : Object.fromEntries(known);
    },
    ...(engine.collectImages === undefined
      ? {}
      : {
          collectImages: ({ needed, ...request }) =>
            engine.collectImages?.({ ...request, isNeeded: (digest) => needed.has(digest) || isUsed(digest) }) ??
            Promise.resolve({ images: 0, layers: 0, bytes: 0 }),
        }),
    describe(endpointId) {
      const found = endpoints.get(endpointId);
      if (found === undefined) return undefined;
      const { task, name } = found;
      return { spec: task.spec, state: task.state, observed: observedTask(task.spec, task.state), name };
    },
    async close() {
      isClosed = true;
      for (const task of tasks.values()) {
        for (const cancel of task.timers.values()) cancel();
        for (const watcher of [...task.watchers]) watcher();
      }
      await engine.close();
    },
  };

  /** A container of a task that has not stopped is of this image, or will be as soon as it is made. */
  function isUsed(digest: Digest): boolean {
    for (const { state } of tasks.values())
      if (state.stage !== 'stopped' && state.containers.some((container) => container.digest === digest)) return true;
    return false;
  }

  function discard(task: LiveTask): void {
    tasks.delete(task.spec.id);
    for (const { endpointId } of task.state.containers) endpoints.delete(endpointId);
  }

  function watched(task: LiveTask) {
    return {
      id: task.spec.id,
      names: task.state.containers.map(({ name }) => name),
      /** Fulfilled when the container has run or never will, or when nobody waits any more. */
      untilRan: (name: string, signal?: AbortSignal): Promise<void> =>
        new Promise((resolve) => {
          const look = (): void => {
            const container = task.state.containers.find((one) => one.name === name);
            const isKnown = container === undefined || container.runs > 0 || container.phase === 'stopped';
            if (!isKnown && !isClosed && signal?.aborted !== true) return;
            task.watchers.delete(look);
            signal?.removeEventListener('abort', look);
            resolve();
          };
          task.watchers.add(look);
          signal?.addEventListener('abort', look);
          look();
        }),
    };
  }
}
