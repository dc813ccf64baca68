import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createManualClock } from '../core/clock.ts';
import { createManualTimers } from '../core/timers.ts';
import { createPace } from './collection-pass.ts';

it('the pace of a collection rests four times as long as it worked, not at all after little, and never for long', async () => {
  const clock = createManualClock(0);
  const timers = createManualTimers(clock);
  const pace = createPace(clock, timers);
  const restOf = async (work: number): Promise<number> => {
    pace.begin();
    clock.advance(work);
    let isRested = false;
    void pace.breathe().then(() => (isRested = true));
    for (let rest = 0; ; rest++) {
      await turn();
      await turn();
      if (isRested) return rest;
      await timers.advance(1);
    }
  };
  assert.equal(await restOf(0.5), 0);
  // What passes between two passes is no work.
  clock.advance(1000);
  assert.equal(await restOf(1), 6);
  assert.equal(await restOf(0.9), 0);
  assert.equal(await restOf(60_000), 50);
});
