import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createManualClock } from './clock.ts';
import { createManualTimers } from './timers.ts';

it('calls in the order of their times, at those times, and only once', async () => {
  const clock = createManualClock(1_000);
  const timers = createManualTimers(clock);
  const seen: string[] = [];
  timers.after(20, () => seen.push(`second ${clock.now()}`));
  timers.after(10, () => {
    seen.push(`first ${clock.now()}`);
    timers.after(5, () => seen.push(`between ${clock.now()}`));
  });
  const cancel = timers.after(12, () => seen.push('never'));
  cancel();
  timers.after(31, () => seen.push('later'));
  await timers.advance(30);
  assert.deepEqual(seen, ['first 1010', 'between 1015', 'second 1020']);
  assert.equal(clock.now(), 1_030);
  assert.equal(timers.waiting, 1);
});

it('settles before the first call and after each', async () => {
  const clock = createManualClock(0);
  const timers = createManualTimers(clock);
  const settled: number[] = [];
  timers.after(0, () => undefined);
  timers.after(7, () => undefined);
  await timers.advance(10, async () => void settled.push(clock.now()));
  assert.deepEqual(settled, [0, 0, 7]);
});
