import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createManualClock } from '../core/clock.ts';
import { createPace } from './collection-pass.ts';

it('the pace of a collection rests four times as long as it worked, and not at all after little', async (test) => {
  test.mock.timers.enable({ apis: ['setTimeout'] });
  const clock = createManualClock(0);
  const pace = createPace(clock);
  clock.advance(0.5);
  await pace.breathe();
  // What passes between two passes is no work.
  clock.advance(1000);
  pace.begin();
  clock.advance(1);
  let isRested = false;
  const resting = pace.breathe().then(() => (isRested = true));
  for (const [milliseconds, expected] of [
    [0, false],
    [5, false],
    [1, true],
  ] as const) {
    await turn();
    test.mock.timers.tick(milliseconds);
    await turn();
    assert.equal(isRested, expected, `after ${milliseconds} ms more`);
  }
  await resting;
  clock.advance(0.9);
  await pace.breathe();
});
