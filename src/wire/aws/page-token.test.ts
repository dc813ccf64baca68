import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault } from '../../core/fault.ts';
import { decodePageToken, encodePageToken } from './page-token.ts';

test('a token leads on where it was given', () => {
  const position = ['cursor', 'sha256:é', ''];
  assert.deepEqual(decodePageToken('ListImages 7', encodePageToken('ListImages 7', position)), position);
});

const good = encodePageToken('ListImages 7', ['cursor']);
for (const [what, scope, token] of [
  ['of another list', 'ListImages 8', good],
  ['that is no token', 'ListImages 7', 'garbage'],
  ['that is empty', 'ListImages 7', ''],
  [
    'with another position',
    'ListImages 7',
    Buffer.from(Buffer.from(good, 'base64url').toString().replace('cursor', 'CURSOR')).toString('base64url'),
  ],
  ['of endless length', 'ListImages 7', encodePageToken('ListImages 7', ['x'.repeat(9000)])],
] as const) {
  test(`a token ${what} is refused`, () => {
    assert.throws(
      () => decodePageToken(scope, token),
      (error) => isFault(error, 'parameter-invalid') && error.facts.member === 'nextToken',
    );
  });
}
