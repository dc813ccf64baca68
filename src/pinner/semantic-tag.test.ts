import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tag } from '../core/tag.ts';
import { chooseTag, type Policy } from './semantic-tag.ts';

test('a tag moves as far as the policy lets it, in its own line', () => {
  const cases: [current: string, tags: string[], policy: Policy, expected: string][] = [
    ['1.2.3', ['1.2.4', '1.3.0', '2.0.0'], 'patch', '1.2.4'],
    ['1.2.3', ['1.2.4', '1.3.0', '2.0.0'], 'minor', '1.3.0'],
    ['1.2.3', ['1.2.4', '1.3.0', '2.0.0'], 'major', '2.0.0'],
    ['1.2.3', ['1.2.4'], 'digest', '1.2.3'],
    ['1.9.0', ['1.10.0', '1.2.0'], 'minor', '1.10.0'],
    ['1.2.3', ['1.2.2', '1.2', '1', 'latest', '1.2.4-rc1', '1.2.4-alpine', 'v1.2.9'], 'major', '1.2.3'],
    ['1.27-alpine', ['1.28', '1.28-alpine', '1.28-alpine3.20', '2.0-alpine'], 'minor', '1.28-alpine'],
    ['1.27.1-alpine3.19', ['1.27.2-alpine3.20', '1.27.2-alpine3.19'], 'patch', '1.27.2-alpine3.19'],
    ['v1.2.3', ['v1.2.4', '1.2.5'], 'patch', 'v1.2.4'],
    ['3', ['4', '20240329'], 'major', '4'],
    ['20240101', ['20240329', '30'], 'major', '20240329'],
    ['3.12', ['3.13', '4.0'], 'patch', '3.12'],
    ['3.12-slim-bookworm', ['3.13-slim-bookworm', '3.13-slim'], 'minor', '3.13-slim-bookworm'],
    ['1.2.3.4', ['1.2.3.5', '1.2.4.0'], 'patch', '1.2.4.0'],
    ['latest', ['1.0.0'], 'major', 'latest'],
    ['bookworm-20240110', ['bookworm-20240211'], 'major', 'bookworm-20240110'],
    ['1.2.3_amd64', ['1.2.4_arm64', '1.2.4_amd64'], 'patch', '1.2.4_amd64'],
    ['99999999999999999999', ['1'], 'major', '99999999999999999999'],
  ];
  for (const [current, tags, policy, expected] of cases)
    assert.equal(chooseTag(current as Tag, tags, policy), expected, `${current} ${policy}`);
});
