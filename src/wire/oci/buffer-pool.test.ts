import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBufferPool } from './buffer-pool.ts';

const MIB = 1024 * 1024;

test('a few answers get large buffers, a hundred slow ones fit in 64 MiB, and none has to wait', () => {
  const pool = createBufferPool(96 * MIB);
  const taken: Buffer[] = [];
  for (let count = 0; count < 1000; count++) {
    taken.push(pool.take());
    if (count === 99) assert.ok(pool.lent <= 64 * MIB, `${pool.lent} bytes for a hundred`);
  }
  assert.deepEqual(
    [0, 50, 150, 999].map((index) => (taken[index]?.length ?? 0) / 1024),
    [1024, 512, 128, 64],
  );
  assert.equal(new Set(taken).size, 1000);
  assert.equal(pool.isRoomy, false);
  for (const buffer of taken) pool.give(buffer);
  assert.equal(pool.lent, 0);
  assert.equal(pool.isRoomy, true);
});

test('the buffer that was given back last is lent first', () => {
  const pool = createBufferPool();
  const [first, second] = [pool.take(), pool.take()];
  pool.give(first);
  pool.give(second);
  assert.equal(pool.take(), second);
  assert.equal(pool.take(), first);
});
