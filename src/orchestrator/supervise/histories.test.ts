import assert from 'node:assert/strict';
import { it } from 'node:test';
import { digestOf, type Digest } from '../../core/digest.ts';
import type { FoundContainer } from '../container-engine.ts';
import type { ContainerSpec, TaskSpec } from '../ports.ts';
import { dependentsOf } from './dependencies.ts';
import { observedTask } from './observe.ts';
import { readRecord, writeRecord } from './record.ts';
import { recoverTask } from './recover.ts';
import { stepTask } from './step-task.ts';
import { newTaskState, type TaskEffect, type TaskEvent } from './task-state.ts';
import { containerSpec, taskSpec, TASK_ID } from './testing.ts';

const SEEDS = 3_000;

/** Numbers that are the same for the same seed (mulberry32). */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function randomSpec(below: (n: number) => number): TaskSpec {
  const count = 1 + below(4);
  const containers: ContainerSpec[] = [];
  for (let index = 0; index < count; index++) {
    const earlier = containers[below(Math.max(1, containers.length))];
    const conditions = ['START', 'COMPLETE', 'SUCCESS', 'HEALTHY'] as const;
    const healthCheck = { command: ['CMD', 'x'], interval: 1_000, timeout: 500, retries: 2, startPeriod: 0 };
    containers.push(
      containerSpec(`c${index}`, {
        essential: index === 0 || below(2) === 0,
        ...(earlier !== undefined && below(2) === 0
          ? { dependsOn: [{ containerName: earlier.name, condition: conditions[below(4)] ?? 'START' }] }
          : {}),
        ...(below(2) === 0 ? { healthCheck } : {}),
        ...(below(3) === 0 ? { startTimeout: 5_000 } : {}),
        ...(below(3) === 0 ? { restartPolicy: { ignoredExitCodes: [0], restartAttemptPeriod: 10 } } : {}),
        ...(earlier !== undefined && below(4) === 0 ? { volumesFrom: [{ sourceContainer: earlier.name, readOnly: false }] } : {}),
      }),
    );
  }
  return taskSpec(containers);
}

/** One task, and an engine that answers when chance says, and in any order; the server may die between any two events. */
function play(seed: number): { crashes: number; ended: boolean } {
  const below = random(seed);
  const spec = randomSpec(below);
  let now = 1_000;
  let state = newTaskState(spec, now, () => 'id');
  let pending: TaskEffect[] = [];
  let timers = new Map<string, Extract<TaskEffect, { kind: 'wait' }>>();
  const machine = new Map<string, FoundContainer>();
  let prepared = false;
  let crashes = 0;
  const told = new Map<string, Digest>();
  const pulled = new Set<string>();

  const look = (effect: TaskEffect): void => {
    switch (effect.kind) {
      case 'pull':
        assert.ok(
          state.containers.every(({ digest }) => digest !== undefined),
          'pulls before all digests are known',
        );
        break;
      case 'create':
        assert.ok(prepared && pulled.has(effect.name), 'creates what is not ready');
        break;
      case 'start': {
        const there = machine.get(effect.name);
        assert.ok(there !== undefined && there.state !== 'running', 'starts what is not there, or runs');
        const own = spec.containers.find(({ name }) => name === effect.name);
        for (const { containerName, condition } of there.startedAt === undefined ? (own?.dependsOn ?? []) : []) {
          const other = machine.get(containerName);
          assert.ok(other?.startedAt !== undefined, `${condition} of a container that never ran`);
          if (condition === 'COMPLETE') assert.equal(other.state, 'exited');
          if (condition === 'SUCCESS') assert.deepEqual([other.state, other.exitCode], ['exited', 0]);
        }
        break;
      }
      case 'signal':
        for (const { name } of dependentsOf(spec, effect.name))
          assert.equal(state.containers.find((one) => one.name === name)?.phase, 'stopped', 'stops before its dependents');
        break;
      case 'release':
        assert.ok(!pending.some(({ kind }) => kind === 'prepare' || kind === 'create'), 'gives back what is being made');
        for (const { state: runs } of machine.values()) assert.notEqual(runs, 'running', 'gives back the network of what runs');
        break;
      default:
        break;
    }
    if (state.stage === 'stopping')
      assert.ok(!['pull', 'create', 'resolve', 'prepare'].includes(effect.kind), `${effect.kind} at the end`);
  };
  const feed = (event: TaskEvent): void => {
    const wasStopped = state.stage === 'stopped';
    const next = stepTask(spec, state, event, now);
    if (wasStopped) assert.deepEqual(next, { state, effects: [] }, 'a stopped task changes');
    state = next.state;
    for (const effect of next.effects) {
      look(effect);
      if (effect.kind === 'wait') timers.set(`${effect.timer} ${effect.name}`, effect);
      else pending.push(effect);
    }
    for (const { name, imageDigest } of observedTask(spec, state).containers) {
      if (imageDigest === undefined) continue;
      assert.equal(told.get(name) ?? imageDigest, imageDigest, 'another digest than the one that was told');
      told.set(name, imageDigest);
    }
  };
  const die = (name: string, exitCode: number): TaskEvent => {
    const container = machine.get(name);
    assert.ok(container);
    Object.assign(container, { state: 'exited', exitCode, finishedAt: now });
    return { kind: 'exited', exit: { taskId: TASK_ID, name, exitCode, outOfMemory: false, at: now } };
  };
  /** Does the act on the machine, and gives the answer. */
  const act = (effect: TaskEffect): TaskEvent | undefined => {
    const isFailing = below(25) === 0;
    switch (effect.kind) {
      case 'prepare':
        if (isFailing) return { kind: 'prepare-failed', reason: 'ContainerNetworkingError: no' };
        prepared = true;
        return { kind: 'prepared' };
      case 'resolve':
      case 'pull':
      case 'create':
      case 'start': {
        const { name } = effect;
        if (isFailing) return { kind: 'failed', act: effect.kind, name, reason: 'Error: no' };
        // A tag that moves all the time.
        if (effect.kind === 'resolve') return { kind: 'resolved', name, digest: digestOf(`${name} ${below(1e9)}`) };
        if (effect.kind === 'pull') {
          pulled.add(name);
          return { kind: 'pulled', name };
        }
        if (effect.kind === 'create') {
          const fresh: FoundContainer = {
            taskId: TASK_ID,
            name,
            runtimeId: name,
            state: 'created',
            outOfMemory: false,
            networkBindings: [],
          };
          if (!machine.has(name)) machine.set(name, fresh);
          return { kind: 'created', name, runtimeId: name };
        }
        const there = machine.get(name);
        assert.ok(there !== undefined && there.state !== 'running', 'starts what runs');
        Object.assign(there, { state: 'running', startedAt: now });
        return { kind: 'started', name, started: { startedAt: now, networkBindings: [] } };
      }
      case 'signal':
        return machine.get(effect.name)?.state === 'running' && (effect.signal === 'SIGKILL' || below(2) === 0)
          ? die(effect.name, effect.signal === 'SIGKILL' ? 137 : 143)
          : undefined;
      case 'check':
        return { kind: 'checked', name: effect.name, run: effect.run, exitCode: below(2), output: '' };
      case 'release':
        return { kind: 'released' };
      case 'wait':
        return undefined;
    }
  };
  const crash = (): void => {
    crashes += 1;
    // What was under way came about or not; nobody heard.
    for (const effect of pending) if (effect.kind !== 'check' && below(2) === 0) act(effect);
    pending = [];
    timers = new Map();
    const record = readRecord(TASK_ID, writeRecord({ spec, state }));
    const recovered = recoverTask(record.state, structuredClone([...machine.values()]), now);
    state = recovered.state;
    for (const event of recovered.events) feed(event);
  };

  feed({ kind: 'begin' });
  const stopAt = below(200);
  for (let turn = 0; turn < 2_000 && state.stage !== 'stopped'; turn++) {
    now += 1 + below(50);
    if (turn === stopAt) feed({ kind: 'stop' });
    const chance = below(100);
    const running = [...machine.values()].filter((one) => one.state === 'running');
    const victim = running[below(Math.max(1, running.length))];
    if (chance < 2) crash();
    else if (chance < 4 && victim !== undefined && state.stage !== 'stopping') feed(die(victim.name, below(3)));
    else if (chance < 30 && timers.size > 0) {
      const [key, wait] = [...timers][below(timers.size)] ?? [];
      if (key === undefined || wait === undefined) continue;
      timers.delete(key);
      feed({ kind: 'timer', timer: wait.timer, name: wait.name });
    } else if (pending.length > 0) {
      const [effect] = pending.splice(below(pending.length), 1);
      const answer = effect === undefined ? undefined : act(effect);
      if (answer !== undefined) feed(answer);
    }
  }
  assert.equal(state.stage, 'stopped', 'a task that was told to stop goes on');
  for (const { name, state: runs } of machine.values()) assert.notEqual(runs, 'running', `${name} runs on`);
  return { crashes, ended: true };
}

it(`${SEEDS} histories of tasks whose engine is slow, whose containers die, and whose server does`, () => {
  let crashes = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      crashes += play(seed).crashes;
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  assert.ok(crashes > SEEDS / 10, 'the server hardly ever died');
});
