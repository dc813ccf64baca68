import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { digestOf } from '../core/digest.ts';
import { isFault } from '../core/fault.ts';
import { CommandFailure, UsageError } from './command.ts';
import { completeDigest, nameOperands, parseImageName } from './operands.ts';

const digest = digestOf('x');

describe('names of images', () => {
  for (const [text, expected] of [
    ['app', { repository: 'app' }],
    ['team/app:v1', { repository: 'team/app', tag: 'v1' }],
    [`team/app@${digest}`, { repository: 'team/app', digest }],
    [`team/app:v1@${digest}`, { repository: 'team/app', tag: 'v1', digest }],
    ['127.0.0.1:4600/team/app:v1', { repository: 'team/app', tag: 'v1' }],
    ['my.app/x', { repository: 'my.app/x' }],
  ] as const) {
    test(text, () => assert.deepEqual(parseImageName(text, '127.0.0.1:4600'), expected));
  }
  for (const text of ['', 'App', 'app:', 'app@sha256:x', 'a b', 'app:v1:v2', '../x']) {
    test(`${JSON.stringify(text)} is none`, () =>
      assert.throws(
        () => parseImageName(text, 'h:1'),
        (error) => isFault(error),
      ));
  }
  test('another registry is told apart', () =>
    assert.throws(() => parseImageName('localhost:5000/app', '127.0.0.1:4600'), UsageError));
});

test('operands are named, and counted', () => {
  assert.deepEqual(nameOperands(['a'], ['ONE', 'TWO?']), ['a', undefined]);
  assert.throws(() => nameOperands([], ['ONE']), /ONE is missing/);
  assert.throws(() => nameOperands([''], ['ONE']), /ONE is missing/);
  assert.throws(() => nameOperands(['a', 'b'], ['ONE']), /"b" is one word too many/);
});

test('a digest is completed by what is there', async () => {
  const other = digestOf('y');
  const hex = digest.slice('sha256:'.length);
  const complete = (text: string) => completeDigest(text, () => Promise.resolve([digest, other, digest]));
  assert.equal(await complete(hex.slice(0, 6)), digest);
  assert.equal(await complete(`sha256:${hex.slice(0, 12)}`), digest);
  assert.equal(await complete(digest), digest);
  await assert.rejects(complete(hex.slice(0, 5)), UsageError);
  await assert.rejects(complete('000000000'), CommandFailure);
  await assert.rejects(
    completeDigest(hex.slice(0, 6), () => Promise.resolve([digest, `${digest.slice(0, -1)}0` as typeof digest])),
    /2 digests begin/,
  );
});
