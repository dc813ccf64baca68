import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonError, parseJson } from './json.ts';

const good = [
  '{}',
  '[]',
  '"text"',
  '{"a":"\\"","b":"\\\\","c":"\\\\\\""}',
  '{"a":{"a":1},"b":[{"a":1},{"a":2}]}',
  '["a","a",{"a":"b"}]',
  '{"a":"}],{[\\"a\\":"}',
  ' {"\\u0061b" : null , "":0} ',
];
for (const text of good) {
  test(`${text} is read as JSON.parse reads it`, () => {
    assert.deepEqual(parseJson(text), JSON.parse(text));
    assert.deepEqual(parseJson(Buffer.from(text)), JSON.parse(text));
  });
}

const twice = ['{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '[{"b":{"a":"\\\\","a":[]}}]', '{"\\\\":1,"\\\\":2}', '{"":1,"":2}'];
for (const text of twice) {
  test(`${text} gives a key twice`, () => {
    assert.throws(
      () => parseJson(text),
      (error) => error instanceof JsonError && /given twice/.test(error.message),
    );
  });
}

const broken = ['', '{', '{"a"', '{"a', '{"a\\', '{"a\\"', '"\\', 'nul', '{"a":1}}', '[1,]', '{"\\x":1}', "{'a':1}", '\ufeff{}'];
for (const text of broken) {
  test(`${JSON.stringify(text)} is not JSON`, () => {
    assert.throws(() => parseJson(text), JsonError);
  });
}

test('depth is bounded, and so is the time that hostile text takes', () => {
  assert.throws(() => parseJson('['.repeat(65) + ']'.repeat(65)), /deeper than 64/);
  assert.doesNotThrow(() => parseJson('['.repeat(64) + ']'.repeat(64)));
  const backslashes = `{"a":"${'\\'.repeat(2_000_000)}","b":"${'\\"'.repeat(1_000_000)}"}`;
  assert.deepEqual(parseJson(backslashes), JSON.parse(backslashes));
  assert.throws(() => parseJson(Buffer.from([0x22, 0xff, 0x22])), /UTF-8/);
});
