import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHostGate, parseRetryAfter } from './host-gate.ts';

test('Retry-After is seconds or a date', () => {
  const now = Date.UTC(2026, 0, 1);
  assert.equal(parseRetryAfter('120', now), 120);
  assert.equal(parseRetryAfter('Thu, 01 Jan 2026 00:01:00 GMT', now), 60);
  assert.equal(parseRetryAfter('Wed, 31 Dec 2025 00:00:00 GMT', now), 0);
  assert.equal(parseRetryAfter('soon', now), undefined);
  assert.equal(parseRetryAfter(undefined, now), undefined);
});

test('a narrowed gate lets fewer through, and never none', async () => {
  const gate = createHostGate(4);
  gate.narrow();
  gate.narrow();
  gate.narrow();
  let running = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 5 }, () =>
      gate.run(async () => {
        most = Math.max(most, ++running);
        await new Promise(setImmediate);
        running--;
      }),
    ),
  );
  assert.equal(most, 1);
});
