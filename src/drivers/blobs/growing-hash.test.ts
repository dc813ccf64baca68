import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { createGrowingHash, type GrowingHash } from './growing-hash.ts';
import { createHashThreads } from './hash-threads.ts';
import { LARGEST_SLAB } from './slabs.ts';

function shared(bytes: Uint8Array): Uint8Array {
  const memory = new Uint8Array(new SharedArrayBuffer(bytes.length));
  memory.set(bytes);
  return memory;
}

function openThreads(test: TestContext) {
  const threads = createHashThreads();
  test.after(() => threads.close());
  return threads;
}

const first = randomBytes(LARGEST_SLAB);
const second = randomBytes(1000);
const third = randomBytes(LARGEST_SLAB);
const hexOf = (algorithm: string, ...parts: Uint8Array[]) => createHash(algorithm).update(Buffer.concat(parts)).digest('hex');

async function grow(hash: GrowingHash, ...parts: Uint8Array[]): Promise<void> {
  for (const part of parts) await hash.update(shared(part));
}

describe('growing hashes', () => {
  for (const [where, begin] of [
    ['on a thread', first],
    ['here', second],
  ] as const) {
    for (const algorithm of ['sha256', 'sha512'] as const) {
      it(`${where}: gives the ${algorithm} of what it took, as often as asked, and of nothing else`, async (test) => {
        const hash = createGrowingHash(algorithm, openThreads(test));
        await grow(hash, begin);
        assert.equal(await hash.digest(), hexOf(algorithm, begin));
        const copy = hash.copy();
        await grow(copy, third);
        await grow(hash, second);
        assert.equal(await copy.digest(), hexOf(algorithm, begin, third));
        copy.free();
        assert.equal(await hash.digest(), hexOf(algorithm, begin, second));
        hash.free();
      });
    }
  }

  it('reads large pieces elsewhere, and small ones here', (test) => {
    const threads = openThreads(test);
    const large = createGrowingHash('sha256', threads);
    const small = createGrowingHash('sha256', threads);
    assert.ok(large.update(shared(first)) instanceof Promise);
    assert.equal(small.update(shared(second)), undefined);
    large.free();
    small.free();
  });

  it('says that it has nothing when its thread is gone', async (test) => {
    const threads = openThreads(test);
    const hash = createGrowingHash('sha256', threads);
    await grow(hash, first);
    const pending = hash.update(shared(third));
    await threads.close();
    await pending;
    await hash.update(shared(third));
    assert.equal(await hash.digest(), undefined);
    hash.free();
    const next = createGrowingHash('sha256', threads);
    await grow(next, first);
    assert.equal(await next.digest(), hexOf('sha256', first));
    next.free();
  });
});
