import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf, type Digest } from '../core/digest.ts';
import { createBodyCache } from './body-cache.ts';

const digests: Digest[] = Array.from({ length: 12 }, (_, index) => digestOf(String(index)));
const [first, second, third] = digests as [Digest, Digest, Digest];

describe('the cache of manifest bodies', () => {
  it('forgets what was not read for the longest time when it is full', () => {
    const cache = createBodyCache(10_000);
    for (const digest of digests.slice(0, 10)) cache.set(digest, new Uint8Array(500));
    assert.ok(cache.get(first));
    cache.set(digests[10] as Digest, new Uint8Array(500));
    assert.ok(cache.get(first), 'read a moment ago');
    assert.equal(cache.get(second), undefined);
    assert.ok(cache.get(third));
  });

  it('counts a body that is set again once', () => {
    const cache = createBodyCache(10_000);
    for (let round = 0; round < 50; round++) cache.set(first, new Uint8Array(500));
    for (const digest of digests.slice(1, 10)) cache.set(digest, new Uint8Array(500));
    assert.ok(cache.get(first));
  });

  it('does not let one huge body push out all the others', () => {
    const cache = createBodyCache(10_000);
    cache.set(first, new Uint8Array(500));
    cache.set(second, new Uint8Array(5_000));
    assert.equal(cache.get(second), undefined);
    assert.ok(cache.get(first));
  });
});
