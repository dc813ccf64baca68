import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../core/digest.ts';
import { tagsByPattern } from './in-use-tags.ts';

const digest = digestOf('image');
const hex = digest.slice('sha256:'.length, 'sha256:'.length + 12);

for (const [what, image, pattern, expected] of [
  ['what is written', { tag: 'v1', tags: ['a', 'v1'] }, 'Prod-{tag}', ['Prod-v1']],
  ['another tag, where what is written has moved', { tag: 'latest', tags: ['v1'] }, 'Prod-{tag}', ['Prod-v1']],
  ['the digest, where there is none', { tag: 'latest', tags: [] }, 'Prod-{tag}', [`Prod-${hex}`]],
  ['nothing, where it has such a tag', { tags: ['Prod-v1', 'v1'] }, 'Prod-{tag}', []],
  ['nothing, where it has such a tag and no other', { tags: [`Prod-${hex}`] }, 'Prod-{tag}', []],
  ['each environment', { tags: ['v1'], environments: ['a', 'b'] }, '{environment}-{tag}', ['a-v1', 'b-v1']],
  ['each that it has not', { tags: ['a-v1', 'v1'], tag: 'v1', environments: ['a', 'b'] }, '{environment}-{tag}', ['b-v1']],
  ['once, where the pattern speaks of none', { tags: ['v1'], environments: ['a', 'b'] }, 'x-{tag}', ['x-v1']],
] as const) {
  test(`a pattern gives ${what}`, () => {
    assert.deepEqual(tagsByPattern({ digest, environments: [], ...image } as never, pattern), expected);
  });
}
