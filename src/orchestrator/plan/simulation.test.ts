import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planService } from './plan-service.ts';
import { isHealthy } from './task-health.ts';
import { emptyTally, tallyHealthy, tallySettled, tallyStop } from './tally.ts';
import type { BreakerSettings, PlanInput, PlanSettings, RevisionFacts, ServiceFacts, Step, TaskFacts } from './types.ts';

/**
 * Random histories of one service against the planner: tasks die, never come up, fail their checks, the tag moves, the
 * desired count changes, deployments overtake each other. Time moves from one event to the next.
 */
const HISTORIES = process.env['HOLDFAST_SOAK'] === '1' ? 50_000 : 3_000;
const settings: PlanSettings = { settleMs: 500, graceMs: 0, throttleBaseMs: 15_000 };

/** mulberry32. */
function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

interface SimulatedTask extends TaskFacts {
  /** What it runs; absent while it is a pilot whose tag is not resolved. */
  digest?: string;
  byTag: boolean;
  /** When it will next change by itself, and into what. */
  due: number;
  becomes: 'running' | 'stopped';
  checked: boolean;
  reportedHealthy: boolean;
  unhealthyStop: boolean;
  asked: boolean;
}

interface SimulatedRevision extends RevisionFacts {
  digest?: string;
  /** The share of its tasks that never come up, in percent. */
  broken: number;
}

function createWorld(seed: number) {
  const random = createRandom(seed);
  const breaker: BreakerSettings | undefined =
    random(2) === 0
      ? undefined
      : { rollback: random(2) === 0, resetOnHealthyTask: random(2) === 0, thresholdType: 'BOUNDED_PERCENT', thresholdValue: 50 };
  const [minimumHealthyPercent = 100, maximumPercent = 200] =
    [
      [100, 200],
      [50, 100],
      [50, 200],
      [0, 100],
      [100, 150],
      [75, 125],
    ][random(6)] ?? [];
  let service: ServiceFacts = {
    status: 'ACTIVE',
    schedulingStrategy: 'REPLICA',
    desiredCount: random(6),
    minimumHealthyPercent,
    maximumPercent,
    hosts: [],
    ...(breaker ? { breaker } : {}),
  };
  let now = 0;
  let serial = 0;
  let tag = 'digest-0';
  let calm = false;
  const checked = random(3) === 0;
  const revisions: SimulatedRevision[] = [];
  const tasks = new Map<string, SimulatedTask>();
  /** Every digest that ran in a revision whose digests are consistent. */
  const ran = new Map<string, Set<string>>();

  const primary = (): SimulatedRevision | undefined => revisions.find(({ role }) => role === 'PRIMARY');
  const find = (id: string): SimulatedRevision => {
    const found = revisions.find((one) => one.id === id);
    assert.ok(found, `revision ${id}`);
    return found;
  };

  function deploy(): void {
    const previous = primary();
    if (previous !== undefined) previous.role = 'ACTIVE';
    const id = String(revisions.length).padStart(6, '0');
    const kind = random(4);
    revisions.push({
      id,
      role: 'PRIMARY',
      rollout: 'IN_PROGRESS',
      proven: false,
      resolution: service.desiredCount === 0 || kind === 0 ? 'SKIPPED' : 'PENDING',
      tally: emptyTally,
      broken: calm ? 0 : ([0, 0, 30, 100][random(4)] ?? 0),
    });
  }

  function start(revision: SimulatedRevision, count: number): void {
    for (let n = 0; n < count; n++) {
      const byTag = revision.digest === undefined;
      const fails = random(100) < (calm ? 0 : revision.broken);
      const id = `t${++serial}`;
      tasks.set(id, {
        id,
        revision: revision.id,
        state: 'pending',
        createdAt: now,
        byTag,
        ...(revision.digest === undefined ? {} : { digest: revision.digest }),
        due: now + 10 + random(2_000),
        becomes: fails ? 'stopped' : 'running',
        checked,
        reportedHealthy: false,
        unhealthyStop: false,
        asked: false,
      });
    }
  }

  /** The runtime resolves the manifest before anything else: the first report wins. */
  function resolve(task: SimulatedTask): void {
    if (task.digest !== undefined) return;
    task.digest = tag;
    const revision = find(task.revision);
    if (revision.resolution === 'PENDING') {
      revision.digest = tag;
      revision.resolution = 'RESOLVED';
    }
    if (revision.resolution === 'RESOLVED') {
      const seen = ran.get(revision.id) ?? new Set<string>();
      ran.set(revision.id, seen.add(task.digest));
    }
  }

  function end(task: SimulatedTask): void {
    tasks.delete(task.id);
    const revision = find(task.revision);
    revision.tally = tallyStop(
      revision.tally,
      {
        asked: task.asked,
        unhealthy: task.unhealthyStop,
        ...(task.runningSince === undefined ? {} : { runningSince: task.runningSince }),
        stoppedAt: now,
        unresolved: revision.resolution === 'PENDING',
        noCapacity: false,
      },
      settings,
    );
  }

  function execute(step: Step): void {
    switch (step.kind) {
      case 'start':
        return start(find(step.revision), step.count);
      case 'stop':
        for (const id of step.tasks) {
          const task = tasks.get(id);
          assert.ok(task && task.state !== 'stopping', 'only what lives is stopped, once');
          task.state = 'stopping';
          task.asked = true;
          task.unhealthyStop = step.why === 'unhealthy';
          task.due = now + random(1_000);
          task.becomes = 'stopped';
        }
        return undefined;
      case 'give-up-resolution':
        find(step.revision).resolution = 'GAVE_UP';
        return undefined;
      case 'complete':
        Object.assign(find(step.revision), { rollout: 'COMPLETED', proven: true });
        return undefined;
      case 'fail': {
        const failed = find(step.revision);
        failed.rollout = 'FAILED';
        const target = revisions.filter((one) => one.proven && one !== failed).at(-1);
        if (step.rollback && target !== undefined) {
          failed.role = 'ACTIVE';
          Object.assign(target, { role: 'PRIMARY', rollout: 'IN_PROGRESS', tally: emptyTally });
        }
        return undefined;
      }
      default:
        return undefined;
    }
  }

  const facts = (): PlanInput => ({
    service,
    revisions: revisions.filter((one) => one.role === 'PRIMARY' || [...tasks.values()].some((task) => task.revision === one.id)),
    tasks: [...tasks.values()],
    settings,
    now,
  });
  const healthyCount = (): number => [...tasks.values()].filter((task) => isHealthy(task, settings, now)).length;

  function plan(): number | undefined {
    for (let round = 0; ; round++) {
      assert.ok(round < 20, `the planner settles (seed ${seed})`);
      const before = healthyCount();
      const { steps, wakeAt } = planService(facts());
      for (const step of steps) execute(step);
      const lowest = Math.ceil((service.desiredCount * service.minimumHealthyPercent) / 100);
      const highest = Math.floor((service.desiredCount * service.maximumPercent) / 100);
      const after = healthyCount();
      assert.ok(after >= Math.min(before, lowest), `healthy ${before} to ${after}, minimum ${lowest} (seed ${seed})`);
      const live = [...tasks.values()].filter(({ state }) => state !== 'stopping').length;
      const started = steps.some(({ kind }) => kind === 'start');
      if (started) assert.ok(live <= highest, `${live} tasks, maximum ${highest} (seed ${seed})`);
      for (const one of revisions) {
        const own = [...tasks.values()].filter(({ revision }) => revision === one.id);
        if (one.resolution === 'PENDING') assert.ok(own.length <= 1, `one pilot (seed ${seed})`);
      }
      if (!steps.some(({ kind }) => ['start', 'stop', 'fail', 'give-up-resolution', 'complete'].includes(kind))) return wakeAt;
    }
  }

  function advance(wakeAt: number | undefined): void {
    const next = Math.min(wakeAt ?? Infinity, ...[...tasks.values()].map(({ due }) => due));
    now = Number.isFinite(next) ? Math.max(next, now) : now + 1_000;
    for (const task of [...tasks.values()]) {
      if (task.due > now) continue;
      if (task.state === 'pending' && (task.becomes === 'running' || random(2) === 0)) resolve(task);
      if (task.becomes === 'stopped') {
        end(task);
        continue;
      }
      task.state = 'running';
      task.runningSince ??= now;
      if (task.checked && !task.reportedHealthy) {
        // Its first verdict, some time after it came up.
        task.health = task.health === undefined ? 'UNKNOWN' : !calm && random(8) === 0 ? 'UNHEALTHY' : 'HEALTHY';
        task.reportedHealthy = task.health !== 'UNKNOWN';
        task.due = task.reportedHealthy ? Infinity : now + 600;
      } else {
        task.due = !calm && random(5) === 0 ? now + random(20_000) : Infinity;
        if (task.due !== Infinity) task.becomes = 'stopped';
      }
    }
    for (const task of tasks.values()) {
      const revision = find(task.revision);
      if (isHealthy(task, settings, now)) revision.tally = tallyHealthy(revision.tally, breaker);
      const { runningSince = Infinity } = task;
      if (task.state === 'running' && now - runningSince >= settings.settleMs)
        revision.tally = tallySettled(revision.tally, runningSince);
    }
  }

  return {
    run(): void {
      deploy();
      for (let event = 0; event < 60; event++) {
        advance(plan());
        const what = random(12);
        if (what === 0) tag = `digest-${event + 1}`;
        if (what === 1) deploy();
        if (what === 2) service = { ...service, desiredCount: random(7) };
        if (what === 3)
          for (const task of tasks.values())
            if (task.state === 'running' && random(3) === 0) Object.assign(task, { due: now, becomes: 'stopped' });
      }
      calm = true;
      // Nothing fails any more: every deployment must come to its end.
      for (let event = 0; event < 400; event++) {
        const wakeAt = plan();
        const first = primary();
        if (
          first !== undefined &&
          first.rollout !== 'IN_PROGRESS' &&
          wakeAt === undefined &&
          [...tasks.values()].every(({ due }) => due === Infinity)
        )
          break;
        advance(wakeAt);
      }
      const last = primary();
      assert.ok(last, 'there is a PRIMARY');
      // Percentages that allow neither a start nor a stop block a deployment, here as on AWS.
      const { steps } = planService(facts());
      const stuck = steps.some(({ kind }) => kind === 'stuck');
      if (!stuck)
        assert.notEqual(
          last.rollout,
          'IN_PROGRESS',
          `the deployment ends (seed ${seed}, ${JSON.stringify({ service, revisions, tasks: [...tasks.values()], now, steps })})`,
        );
      if (last.rollout === 'COMPLETED') assert.equal(healthyCount(), service.desiredCount, `all are there (seed ${seed})`);
      for (const [revision, digests] of ran) assert.equal(digests.size, 1, `one digest in revision ${revision} (seed ${seed})`);
    },
  };
}

test(`${HISTORIES} random histories: the minimum, the maximum, one pilot, one digest, an end`, () => {
  for (let seed = 1; seed <= HISTORIES; seed++) createWorld(seed).run();
});
