import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf, type Digest } from '../../../core/digest.ts';
import { chooseUnused, type UnusedRequest } from './choose-unused.ts';

const id = (name: string): Digest => digestOf(name);

/** Images by name: when each was used, and of which layers it is; every layer has 10 bytes. */
function choose(images: Record<string, [usedAt: number, ...layers: string[]]>, more: Partial<UnusedRequest> = {}) {
  const names = new Map<Digest, string>();
  const layers = new Map<Digest, number>();
  for (const [name, [, ...own]] of Object.entries(images)) {
    names.set(id(name), name);
    for (const layer of own) {
      names.set(id(layer), layer);
      layers.set(id(layer), 10);
    }
  }
  layers.set(id('alone'), 10);
  names.set(id('alone'), 'alone');
  const chosen = chooseUnused({
    images: Object.entries(images).map(([name, [usedAt, ...own]]) => ({ digest: id(name), usedAt, diffIds: own.map(id) })),
    layers,
    isNeeded: () => false,
    heldLayers: new Set(),
    keepFor: 100,
    mostBytes: 1000,
    now: 1000,
    ...more,
  });
  const named = (digests: Digest[]) => digests.map((digest) => names.get(digest) ?? '').sort();
  return { images: named(chosen.images), layers: named(chosen.layers), bytes: chosen.bytes };
}

describe('unused images', () => {
  it('go when nobody has used them for long, and with them what no other image has', () => {
    const images = { old: [100, 'base', 'a'], young: [950, 'base', 'b'] } as const;
    assert.deepEqual(choose(images as never), { images: ['old'], layers: ['a', 'alone'], bytes: 20 });
  });

  it('stay when they are needed, however old', () => {
    const isNeeded = (digest: Digest) => digest === id('old');
    assert.deepEqual(choose({ old: [0, 'a'] }, { isNeeded }), { images: [], layers: ['alone'], bytes: 10 });
  });

  it('go when they are too many, those used longest ago first; what is needed counts for nothing', () => {
    const images = { needed: [0, 'base', 'n'], first: [930, 'base', 'a'], second: [950, 'b', 'c'], third: [970, 'd'] } as const;
    const isNeeded = (digest: Digest) => digest === id('needed');
    const chosen = choose(images as never, { isNeeded, mostBytes: 30 });
    assert.deepEqual(chosen, { images: ['first'], layers: ['a', 'alone'], bytes: 20 });
  });

  it('leave the layers that containers have', () => {
    assert.deepEqual(choose({ old: [0, 'a', 'b'] }, { heldLayers: new Set([id('a')]) }), {
      images: ['old'],
      layers: ['alone', 'b'],
      bytes: 20,
    });
  });
});
