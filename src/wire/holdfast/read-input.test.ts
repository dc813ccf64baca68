import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fault } from '../../../test/support/faults.ts';
import { matchOperation, type Match } from './operations.ts';
import { readInput, readRegion } from './read-input.ts';
import { parseTime } from './time.ts';

function match(method: string, path: string): Match {
  const found = matchOperation(method, `/holdfast/v1${path}`);
  if ('allowed' in found) throw new Error(`${method} ${path} is not answered`);
  return found;
}

const read = (method: string, path: string, query = '', body = ''): object => ({
  ...readInput(match(method, path), query, Buffer.from(body)),
});

test('a query is decoded and typed by the operation', () => {
  assert.deepEqual(read('GET', '/holds', 'repository=team%2Fapp&limit=5&holder=a+b%2B'), {
    repository: 'team/app',
    limit: 5,
    holder: 'a b+',
  });
  assert.deepEqual(read('POST', '/collections', 'purge=true&region=eu-west-1'), { purge: true });
  assert.deepEqual(read('POST', '/keys', 'allow=full,read-only'), { allow: ['full', 'read-only'] });
});

test('path, query and body come together, each member once', () => {
  assert.deepEqual(read('DELETE', '/holds/h%201', 'repository=app'), { id: 'h 1', repository: 'app' });
  assert.deepEqual(read('POST', '/collections', '', '{"purge":true}'), { purge: true });
  assert.throws(
    () => read('POST', '/collections', 'purge=true', '{"purge":false}'),
    fault('parameter-invalid', { member: 'purge' }),
  );
  assert.throws(() => read('GET', '/holds', 'kind=a&kind=b'), fault('parameter-invalid', { member: 'kind' }));
  assert.throws(() => read('DELETE', '/holds/1', 'id=2'), fault('parameter-invalid', { member: 'id' }));
});

test('what cannot be read is refused', () => {
  assert.throws(() => read('GET', '/holds', 'kind=%zz'), fault('parameter-invalid', { member: 'kind' }));
  assert.throws(() => read('GET', '/holds', '', '{}'), fault('body-invalid'));
  assert.throws(() => read('POST', '/holds', '', '[]'), fault('body-invalid'));
  assert.throws(() => read('POST', '/holds', '', '{"kind":"a","kind":"b"}'), fault('body-invalid'));
  assert.throws(() => read('POST', '/holds', '', '['.repeat(100)), fault('body-invalid'));
  assert.throws(() => read('GET', '/holds', 'a=1&'.repeat(51)), fault('request-invalid'));
  assert.throws(() => readRegion('region=a&region=b'), fault('parameter-invalid', { member: 'region' }));
});

test('a member called like one of the object prototype is only a name', () => {
  const input = readInput(match('POST', '/collections'), '__proto__=1&constructor=2', Buffer.from('{"toString":3}'));
  assert.deepEqual(Object.keys(input).sort(), ['__proto__', 'constructor', 'toString']);
});

test('paths', () => {
  assert.throws(() => matchOperation('GET', '/holdfast/v1/nothing'), fault('operation-unknown'));
  assert.throws(() => matchOperation('GET', '/holdfast/v2/holds'), fault('operation-unknown'));
  assert.throws(() => matchOperation('GET', '/holdfast/v1/holds/'), fault('operation-unknown'));
  assert.deepEqual(matchOperation('PATCH', '/holdfast/v1/holds'), { allowed: ['POST', 'GET'] });
});

test('times', () => {
  assert.equal(parseTime('2026-03-01T14:05:09Z'), Date.UTC(2026, 2, 1, 14, 5, 9));
  assert.equal(parseTime('2026-03-01T14:05:09.250+02:00'), Date.UTC(2026, 2, 1, 12, 5, 9, 250));
  assert.equal(parseTime('2026-03-01'), Date.UTC(2026, 2, 1));
  for (const text of [
    '',
    'now',
    '2026-02-30',
    '2026-02-30T00:00:00Z',
    '2026-13-01',
    '2026-03-01T14:05:09',
    '1',
    '2026-03-01T25:00:00Z',
    '2026-3-1',
  ]) {
    assert.equal(parseTime(text), undefined, text);
  }
});
