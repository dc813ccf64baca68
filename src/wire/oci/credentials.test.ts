import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fault } from '../../../test/support/faults.ts';
import { parseBasic } from './credentials.ts';

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

test('Basic credentials in their forms', () => {
  assert.deepEqual(parseBasic(basic('AWS:token')), { user: 'AWS', password: 'token' });
  assert.deepEqual(parseBasic(basic('AWS:with:colons:')), { user: 'AWS', password: 'with:colons:' });
  assert.deepEqual(parseBasic(basic('AWS:x').replace('Basic', 'bAsIc')), { user: 'AWS', password: 'x' });
  assert.deepEqual(parseBasic(basic('AWS:')), { user: 'AWS', password: '' });
  for (const header of [undefined, '', basic(':')]) assert.equal(parseBasic(header), undefined);
  for (const header of ['Bearer abc', 'Basic', 'Basic !!!', basic('nocolon'), 'x'.repeat(10_000)]) {
    assert.throws(() => parseBasic(header), fault('unauthenticated'), header);
  }
});
