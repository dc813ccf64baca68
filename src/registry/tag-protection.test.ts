import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseTag } from '../core/tag.ts';
import type { TagMutability } from './registry.ts';
import { isTagProtected, protectionReason } from './tag-protection.ts';

const cases: [TagMutability, string[], string, boolean][] = [
  ['MUTABLE', [], 'v1', false],
  ['MUTABLE', ['v*'], 'v1', false],
  ['IMMUTABLE', [], 'v1', true],
  ['IMMUTABLE', ['v*'], 'v1', true],
  ['IMMUTABLE_WITH_EXCLUSION', ['latest'], 'latest', false],
  ['IMMUTABLE_WITH_EXCLUSION', ['latest'], 'latest-1', true],
  ['IMMUTABLE_WITH_EXCLUSION', ['latest'], 'Latest', true],
  ['IMMUTABLE_WITH_EXCLUSION', ['dev-*', '*-rc'], 'dev-', false],
  ['IMMUTABLE_WITH_EXCLUSION', ['dev-*', '*-rc'], '1.0-rc', false],
  ['IMMUTABLE_WITH_EXCLUSION', ['dev-*', '*-rc'], '1.0', true],
  ['IMMUTABLE_WITH_EXCLUSION', ['a*a'], 'a', true],
  ['MUTABLE_WITH_EXCLUSION', ['v*'], 'v1', true],
  ['MUTABLE_WITH_EXCLUSION', ['v*'], 'dev', false],
  ['MUTABLE_WITH_EXCLUSION', ['*'], 'dev', true],
];

for (const [mutability, filters, tag, expected] of cases) {
  it(`${mutability} [${filters.join(', ')}] ${expected ? 'protects' : 'leaves'} ${tag}`, () => {
    const exclusions = filters.map((filter) => ({ filterType: 'WILDCARD' as const, filter }));
    assert.equal(isTagProtected(mutability, exclusions, parseTag(tag)), expected);
  });
}

it('blames the repository only where the whole of it is immutable, and nobody asked for the newer sentence', () => {
  assert.equal(protectionReason('IMMUTABLE', 'as-mutability'), 'repository');
  assert.equal(protectionReason('IMMUTABLE', 'tag'), 'tag');
  assert.equal(protectionReason('IMMUTABLE_WITH_EXCLUSION', 'as-mutability'), 'tag');
  assert.equal(protectionReason('MUTABLE_WITH_EXCLUSION', 'as-mutability'), 'tag');
});
