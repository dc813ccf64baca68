import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planService } from './plan-service.ts';
import { breakerThreshold, emptyTally, nextStartAt, tallyHealthy, tallySettled, tallyStop } from './tally.ts';
import type { PlanInput, PlanSettings, RevisionFacts, ServiceFacts, Step, TaskFacts } from './types.ts';

const NOW = 1_000_000;
const settings: PlanSettings = { settleMs: 500, graceMs: 0, throttleBaseMs: 15_000 };

function service(desiredCount: number, min = 100, max = 200, more: Partial<ServiceFacts> = {}): ServiceFacts {
  return {
    status: 'ACTIVE',
    schedulingStrategy: 'REPLICA',
    desiredCount,
    minimumHealthyPercent: min,
    maximumPercent: max,
    hosts: [],
    ...more,
  };
}
function revision(id: string, more: Partial<RevisionFacts> = {}): RevisionFacts {
  return { id, role: 'PRIMARY', rollout: 'IN_PROGRESS', proven: false, resolution: 'RESOLVED', tally: emptyTally, ...more };
}
const old = (id: string): RevisionFacts => revision(id, { role: 'ACTIVE', rollout: 'COMPLETED', proven: true });
const done = (id: string): RevisionFacts => revision(id, { rollout: 'COMPLETED', proven: true });
let serial = 0;
function tasks(count: number, of: string, more: Partial<TaskFacts> = {}): TaskFacts[] {
  return Array.from({ length: count }, () => ({
    id: `${of}-${++serial}`,
    revision: of,
    state: 'running' as const,
    createdAt: serial,
    runningSince: NOW - 10_000,
    ...more,
  }));
}
const pending = (count: number, of: string): TaskFacts[] => tasks(count, of, { state: 'pending', runningSince: undefined });
function plan(input: Partial<PlanInput> & Pick<PlanInput, 'service' | 'revisions'>): Step[] {
  return planService({ tasks: [], settings, now: NOW, ...input }).steps;
}
/** `start 2 of b, stop 1 of a, complete b, steady`. */
function told(steps: Step[]): string {
  return steps
    .map((step) => {
      if (step.kind === 'start')
        return `start ${step.count} of ${step.revision}${step.pilot ? ' as pilot' : ''}${step.replacing > 0 ? `, replacing ${step.replacing}` : ''}`;
      if (step.kind === 'stop')
        return `stop ${step.tasks.length}${step.pending ? ' pending' : ''} of ${step.revision}${step.why === 'unhealthy' ? ' as unhealthy' : ''}`;
      if (step.kind === 'protected') return `protected ${step.count} of ${step.revision}`;
      return 'revision' in step ? `${step.kind} ${step.revision}` : step.kind;
    })
    .join('; ');
}

test('the arithmetic of the documentation', () => {
  // Desired 4, minimum 50 %: two may stop first when the maximum leaves no room.
  assert.equal(
    told(plan({ service: service(4, 50, 100), revisions: [old('a'), revision('b')], tasks: tasks(4, 'a') })),
    'stop 2 of a',
  );
  // Desired 2, minimum 75 %: 1.5 is 2, so none may stop; and the maximum of 100 % lets none start.
  assert.equal(told(plan({ service: service(2, 75, 100), revisions: [old('a'), revision('b')], tasks: tasks(2, 'a') })), 'stuck');
  // Desired 4, maximum 200 %: four may start.
  assert.equal(told(plan({ service: service(4), revisions: [old('a'), revision('b')], tasks: tasks(4, 'a') })), 'start 4 of b');
  // Desired 3, maximum 125 %: 3.75 is 3, so none may start.
  assert.equal(
    told(plan({ service: service(3, 100, 125), revisions: [old('a'), revision('b')], tasks: tasks(3, 'a') })),
    'stuck',
  );
});

test('an unresolved revision starts one task, and the others when its digests are known', () => {
  const unresolved = revision('a', { resolution: 'PENDING' });
  assert.equal(told(plan({ service: service(3), revisions: [unresolved] })), 'start 1 of a as pilot');
  assert.equal(told(plan({ service: service(3), revisions: [unresolved], tasks: pending(1, 'a') })), '');
  assert.equal(
    told(plan({ service: service(3), revisions: [unresolved], tasks: tasks(1, 'a', { state: 'stopping' }) })),
    '',
    'a pilot that stops is a pilot still',
  );
  assert.equal(told(plan({ service: service(3), revisions: [revision('a')], tasks: pending(1, 'a') })), 'start 2 of a');
  assert.equal(told(plan({ service: service(3), revisions: [revision('a', { resolution: 'SKIPPED' })] })), 'start 3 of a');
});

test('a deployment: start, settle, retire, complete', () => {
  const revisions = [old('a'), revision('b')];
  const starting = planService({
    service: service(3),
    revisions,
    tasks: [...tasks(3, 'a'), ...tasks(3, 'b', { runningSince: NOW - 100 })],
    settings,
    now: NOW,
  });
  assert.deepEqual(starting, { steps: [], wakeAt: NOW + 400 });
  assert.equal(
    told(plan({ service: service(3), revisions, tasks: [...tasks(3, 'a'), ...tasks(1, 'b'), ...pending(2, 'b')] })),
    'stop 1 of a',
  );
  assert.equal(told(plan({ service: service(3), revisions, tasks: [...tasks(3, 'a'), ...tasks(3, 'b')] })), 'stop 3 of a');
  assert.equal(
    told(plan({ service: service(3), revisions, tasks: [...tasks(2, 'a', { state: 'stopping' }), ...tasks(3, 'b')] })),
    '',
    'not complete while the old ones are there',
  );
  assert.equal(told(plan({ service: service(3), revisions, tasks: tasks(3, 'b') })), 'complete b; steady');
  assert.equal(told(plan({ service: service(3), revisions: [done('b')], tasks: tasks(3, 'b') })), 'steady');
  assert.equal(told(plan({ service: service(0), revisions: [revision('b')] })), 'complete b; steady');
});

test('the previous revision keeps its strength while the new one is not there', () => {
  const revisions = [old('a'), revision('b')];
  assert.equal(
    told(plan({ service: service(3), revisions, tasks: [...tasks(2, 'a'), ...pending(3, 'b')] })),
    'start 1 of a',
    'one of it died',
  );
  assert.equal(
    told(plan({ service: service(6), revisions, tasks: [...tasks(3, 'a'), ...pending(3, 'b')] })),
    'start 3 of a; start 3 of b',
    'scaled out on the way: it is below the new minimum',
  );
  const failed = [old('a'), revision('b', { rollout: 'FAILED' })];
  assert.equal(
    told(plan({ service: service(3), revisions: failed, tasks: tasks(2, 'a') })),
    'start 1 of a',
    'and when the new one has failed for good',
  );
});

test('revisions that never worked get no new tasks', () => {
  const revisions = [revision('b', { role: 'ACTIVE', rollout: 'FAILED' }), { ...done('a'), rollout: 'IN_PROGRESS' as const }];
  assert.equal(
    told(plan({ service: service(3), revisions, tasks: [...tasks(3, 'a'), ...pending(2, 'b')] })),
    'stop 2 pending of b',
  );
});

test('scaling', () => {
  assert.equal(told(plan({ service: service(5), revisions: [done('a')], tasks: tasks(3, 'a') })), 'start 2 of a');
  const three = tasks(3, 'a');
  const [step] = plan({ service: service(2), revisions: [done('a')], tasks: three });
  assert.deepEqual(
    step,
    { kind: 'stop', revision: 'a', tasks: [three[2]?.id], why: 'scaling', pending: false },
    'the newest goes',
  );
  assert.equal(
    told(plan({ service: service(2), revisions: [done('a')], tasks: [...tasks(2, 'a'), ...pending(1, 'a')] })),
    'stop 1 pending of a',
  );
});

test('protected tasks stay', () => {
  const kept = tasks(2, 'a', { protectedUntil: NOW + 60_000 });
  const scaledIn = planService({ service: service(1), revisions: [done('a')], tasks: kept, settings, now: NOW });
  assert.equal(told(scaledIn.steps), 'protected 1 of a');
  assert.equal(scaledIn.wakeAt, NOW + 60_000);
  assert.equal(
    told(plan({ service: service(2), revisions: [old('a'), revision('b')], tasks: [...kept, ...tasks(2, 'b')] })),
    'protected 2 of a',
  );
});

test('unhealthy tasks are replaced by their own revision, start first where there is room', () => {
  const sick = tasks(1, 'a', { health: 'UNHEALTHY' });
  assert.equal(
    told(plan({ service: service(2), revisions: [done('a')], tasks: [...tasks(1, 'a', { health: 'HEALTHY' }), ...sick] })),
    'start 1 of a, replacing 1',
  );
  assert.equal(
    told(plan({ service: service(2), revisions: [done('a')], tasks: [...tasks(2, 'a', { health: 'HEALTHY' }), ...sick] })),
    'stop 1 of a as unhealthy',
  );
  assert.equal(
    told(
      plan({ service: service(2, 50, 100), revisions: [done('a')], tasks: [...tasks(1, 'a', { health: 'HEALTHY' }), ...sick] }),
    ),
    'stop 1 of a as unhealthy',
    'no room: stop first',
  );
  const graced = planService({
    service: service(1),
    revisions: [done('a')],
    tasks: sick,
    settings: { ...settings, graceMs: 60_000 },
    now: NOW,
  });
  assert.deepEqual(graced, { steps: [], wakeAt: NOW + 50_000 });
});

test('the breaker', () => {
  const breaker = { rollback: true, resetOnHealthyTask: true, thresholdType: 'BOUNDED_PERCENT' as const, thresholdValue: 50 };
  assert.deepEqual(
    [1, 25, 400, 800].map((count) => breakerThreshold(breaker, count)),
    [3, 13, 200, 200],
  );
  assert.equal(breakerThreshold({ ...breaker, thresholdType: 'COUNT', thresholdValue: 1 }, 50), 1);
  assert.equal(breakerThreshold({ ...breaker, thresholdType: 'UNBOUNDED_PERCENT' }, 800), 400);
  const failing = revision('b', { tally: { ...emptyTally, failures: 3, failedStarts: 3, lastFailureAt: NOW } });
  assert.equal(
    told(plan({ service: service(2, 100, 200, { breaker }), revisions: [old('a'), failing], tasks: tasks(2, 'a') })),
    'fail b',
  );
  assert.equal(
    told(plan({ service: service(2), revisions: [old('a'), failing], tasks: tasks(2, 'a') })),
    'start 2 of b',
    'without one it goes on',
  );
});

test('digests that cannot be learned: by tag after three attempts, or the end of the deployment', () => {
  const hopeless = revision('b', { resolution: 'PENDING', tally: { ...emptyTally, resolveAttempts: 3 } });
  const breaker = { rollback: false, resetOnHealthyTask: true, thresholdType: 'COUNT' as const, thresholdValue: 10 };
  assert.equal(told(plan({ service: service(2), revisions: [hopeless] })), 'give-up-resolution b');
  assert.equal(told(plan({ service: service(2, 100, 200, { breaker }), revisions: [hopeless] })), 'fail b');
});

test('starts that come to nothing are throttled', () => {
  const tally = { ...emptyTally, failures: 5, failedStarts: 5, lastFailureAt: NOW - 1_000 };
  assert.equal(nextStartAt(tally, settings), NOW - 1_000 + 30_000);
  assert.equal(nextStartAt({ ...tally, failedStarts: 3 }, settings), 0);
  assert.equal(nextStartAt({ ...tally, failedStarts: 99 }, settings), NOW - 1_000 + 27 * 60_000);
  assert.deepEqual(planService({ service: service(1), revisions: [revision('a', { tally })], tasks: [], settings, now: NOW }), {
    steps: [{ kind: 'impaired' }],
    wakeAt: NOW + 29_000,
  });
});

test('starts of the previous revision are throttled, too', () => {
  const tally = { ...emptyTally, failures: 5, failedStarts: 5, lastFailureAt: NOW - 1_000 };
  const revisions = [{ ...old('a'), tally }, revision('b', { rollout: 'FAILED' })];
  assert.deepEqual(planService({ service: service(2), revisions, tasks: tasks(1, 'a'), settings, now: NOW }), {
    steps: [{ kind: 'impaired' }],
    wakeAt: NOW + 29_000,
  });
});

test('what counts as a failure', () => {
  const ended = { asked: false, unhealthy: false, stoppedAt: NOW, unresolved: false, noCapacity: false };
  assert.equal(tallyStop(emptyTally, { ...ended, asked: true }, settings), emptyTally);
  assert.equal(tallyStop(emptyTally, { ...ended, runningSince: NOW - 500 }, settings), emptyTally, 'it had settled');
  assert.deepEqual(tallyStop(emptyTally, { ...ended, runningSince: NOW - 499 }, settings), {
    failures: 1,
    failedStarts: 1,
    resolveAttempts: 0,
    lastFailureAt: NOW,
  });
  assert.deepEqual(tallyStop(emptyTally, { ...ended, unresolved: true }, settings), {
    failures: 1,
    failedStarts: 1,
    resolveAttempts: 1,
    lastFailureAt: NOW,
  });
  assert.equal(tallyStop(emptyTally, { ...ended, unresolved: true, noCapacity: true }, settings).resolveAttempts, 0);
  assert.deepEqual(tallyStop(emptyTally, { ...ended, asked: true, unhealthy: true, runningSince: 0 }, settings), {
    failures: 1,
    failedStarts: 0,
    resolveAttempts: 0,
    lastFailureAt: NOW,
  });
  const some = { failures: 2, failedStarts: 2, resolveAttempts: 1, lastFailureAt: NOW };
  assert.deepEqual(tallyHealthy(some, undefined), { ...some, failures: 0 });
  const sticky = { rollback: true, resetOnHealthyTask: false, thresholdType: 'COUNT', thresholdValue: 9 } as const;
  assert.equal(tallyHealthy(some, sticky), some);
  assert.deepEqual(tallySettled(some, NOW + 1), { ...some, failedStarts: 0 });
  assert.equal(tallySettled(some, NOW - 1), some, 'it was started before the last failure');
});

test('daemons: one for each host, the old one first out', () => {
  const daemon = (more: Partial<ServiceFacts> = {}): ServiceFacts =>
    service(0, 0, 100, { schedulingStrategy: 'DAEMON', hosts: ['x', 'y'], ...more });
  assert.equal(told(plan({ service: daemon(), revisions: [revision('a')] })), 'start 1 of a; start 1 of a');
  assert.equal(told(plan({ service: daemon(), revisions: [revision('a', { resolution: 'PENDING' })] })), 'start 1 of a as pilot');
  const both = [...tasks(1, 'a', { host: 'x' }), ...tasks(1, 'a', { host: 'y' })];
  assert.equal(told(plan({ service: daemon(), revisions: [revision('a')], tasks: both })), 'complete a; steady');
  assert.equal(
    told(plan({ service: daemon({ minimumHealthyPercent: 50 }), revisions: [old('a'), revision('b')], tasks: both })),
    'stop 1 of a',
  );
  assert.equal(told(plan({ service: daemon({ hosts: ['x'] }), revisions: [done('a')], tasks: both })), 'stop 1 of a');
});

test('a deleted service stops everything', () => {
  assert.equal(
    told(
      plan({
        service: service(2, 100, 200, { status: 'DRAINING' }),
        revisions: [done('a')],
        tasks: [...tasks(2, 'a'), ...pending(1, 'a')],
      }),
    ),
    'stop 2 of a; stop 1 pending of a',
  );
});
