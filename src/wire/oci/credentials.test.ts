import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fault } from '../../../test/support/faults.ts';
import { parseCredentials } from './credentials.ts';

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

test('Basic credentials in their forms', () => {
  assert.deepEqual(parseCredentials(basic('AWS:token')), { user: 'AWS', password: 'token' });
  assert.deepEqual(parseCredentials(basic('AWS:with:colons:')), { user: 'AWS', password: 'with:colons:' });
  assert.deepEqual(parseCredentials(basic('AWS:x').replace('Basic', 'bAsIc')), { user: 'AWS', password: 'x' });
  assert.deepEqual(parseCredentials(basic('AWS:')), { user: 'AWS', password: '' });
  assert.deepEqual(parseCredentials('Bearer token'), { user: 'AWS', password: 'token' });
  for (const header of [undefined, '', basic(':'), 'Bearer anonymous']) assert.equal(parseCredentials(header), undefined);
  for (const header of ['Digest abc', 'Basic', 'Basic !!!', basic('nocolon'), 'x'.repeat(10_000)]) {
    assert.throws(() => parseCredentials(header), fault('unauthenticated'), header);
  }
});
