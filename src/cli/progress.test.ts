import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock } from '../core/clock.ts';
import { createProgress } from './progress.ts';
import { collector } from './testing.ts';

test('elsewhere than on a terminal: a line every five seconds and one at the end', () => {
  const clock = createManualClock(0);
  const out = collector();
  const progress = createProgress(out.stream, { label: 'Pushing', total: 4096, unit: 'bytes', now: clock.now });
  progress.advance(1024);
  clock.advance(5000);
  progress.advance(1024);
  progress.advance(1024);
  clock.advance(1000);
  progress.update(4096);
  progress.finish();
  assert.equal(out.text(), 'Pushing: 2.0 KiB of 4.0 KiB 50%\nPushing: 4.0 KiB in 6 s\n');
});

test('on a terminal: one line that redraws itself and never wraps', () => {
  const clock = createManualClock(0);
  const out = collector(40);
  const progress = createProgress(out.stream, { label: 'Pushing', total: 10, now: clock.now });
  for (let done = 1; done <= 10; done++) {
    clock.advance(60);
    progress.update(done);
  }
  progress.finish('Pushed.');
  const drawn = out.text().split('\r\x1b[K').slice(1);
  assert.ok(drawn.length < 10, 'not every step is drawn');
  for (const line of drawn) assert.ok(line.length < 40, line);
  assert.match(drawn[0] ?? '', /^Pushing \[#+ +\] 1 of 10 10%$/);
  assert.equal(drawn.at(-1), 'Pushed.\n');
});
