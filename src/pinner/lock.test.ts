import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../core/digest.ts';
import { parseReference } from '../core/reference.ts';
import { extendLock, formatLock, LockError, parseLock, resolveFromLock } from './lock.ts';

const [ONE, TWO] = [digestOf('1'), digestOf('2')];

test('a lock written is the lock read, in one order', () => {
  const lock = extendLock(
    new Map(),
    [
      ['redis:7', { digest: TWO }],
      ['nginx:1', { digest: ONE, mediaType: 'm', platforms: ['linux/amd64'] }],
    ],
    0,
  );
  const text = formatLock(lock);
  assert.ok(text.indexOf('nginx:1') < text.indexOf('redis:7'));
  assert.equal(formatLock(parseLock(Buffer.from(text))), text);
});

test('a pin keeps its time as long as its digest', () => {
  const first = extendLock(new Map(), [['nginx:1', { digest: ONE }]], 0);
  assert.equal(formatLock(extendLock(first, [['nginx:1', { digest: ONE }]], 1000)), formatLock(first));
  assert.equal(extendLock(first, [['nginx:1', { digest: TWO }]], 1000).get('nginx:1')?.resolvedAt, '1970-01-01T00:00:01.000Z');
});

test('answers what it has, however it is spelled, and nothing else', () => {
  const lock = extendLock(new Map(), [['nginx:latest', { digest: ONE }]], 0);
  const answers = resolveFromLock(lock, [parseReference('docker.io/library/nginx'), parseReference('redis:7')]);
  assert.deepEqual(
    [...answers].map(([key, outcome]) => [key, outcome.ok]),
    [
      ['nginx:latest', true],
      ['redis:7', false],
    ],
  );
});

test('what is no lock is refused with its reason', () => {
  for (const text of [
    '',
    '[]',
    '{"version":2,"pins":{}}',
    '{"version":1,"pins":{"a:1":{"digest":"sha256:x","resolvedAt":""}}}',
    '{"version":1,"pins":{"a":1}}',
    '{"version":1,"version":1,"pins":{}}',
  ]) {
    assert.throws(() => parseLock(Buffer.from(text)), LockError, text);
  }
});
