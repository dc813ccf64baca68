import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBufferPool, type BufferPair } from './buffer-pool.ts';

const MIB = 1024 * 1024;

test('a few answers get large buffers, a hundred fit in 48 MiB, and none has to wait', () => {
  const pool = createBufferPool(48 * MIB);
  const taken: BufferPair[] = [];
  const sizes: number[] = [];
  for (let count = 0; count < 1000; count++) {
    const pair = pool.take();
    taken.push(pair);
    sizes.push(pair.a.length);
    if (count === 99) assert.ok(pool.lent <= 48 * MIB, `${pool.lent} bytes for a hundred`);
  }
  assert.equal(sizes[0], 512 * 1024);
  assert.equal(sizes[50], 256 * 1024);
  assert.equal(sizes[999], 64 * 1024);
  assert.equal(new Set(taken.flatMap(({ a, b }) => [a, b])).size, 2000);
  for (const pair of taken) pool.give(pair);
  assert.equal(pool.lent, 0);
});

test('a buffer that was given back is lent again', () => {
  const pool = createBufferPool();
  const first = pool.take();
  pool.give(first);
  assert.equal(pool.take(), first);
});
