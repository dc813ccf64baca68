import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBufferPool, type Buffers } from './buffer-pool.ts';

const MIB = 1024 * 1024;

test('a few answers get large buffers, a hundred fit in 64 MiB, and none has to wait', () => {
  const pool = createBufferPool(96 * MIB);
  const taken: Buffers[] = [];
  for (let count = 0; count < 1000; count++) {
    taken.push(pool.take());
    if (count === 99) assert.ok(pool.lent <= 64 * MIB, `${pool.lent} bytes for a hundred`);
  }
  const sizesOf = (index: number) => taken[index]?.map((buffer) => (buffer?.length ?? 0) / 1024);
  assert.deepEqual([0, 50, 150, 999].map(sizesOf), [[1024, 1024], [512], [128], [64]]);
  assert.equal(new Set(taken.flat()).size, 1003);
  for (const buffers of taken) pool.give(buffers);
  assert.equal(pool.lent, 0);
});

test('a buffer that was given back is lent again', () => {
  const pool = createBufferPool();
  const first = pool.take();
  pool.give(first);
  assert.equal(pool.take(), first);
});
