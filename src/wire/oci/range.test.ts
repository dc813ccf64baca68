import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault } from '../../core/fault.ts';
import { parseContentRange, parseRange } from './range.ts';

test('a range asks for a part, the whole, or nothing that is there', () => {
  const part = (first: number, last: number): { first: number; last: number } => ({ first, last });
  const table: [header: string | undefined, size: number, expected: { first: number; last: number } | undefined | 'refused'][] = [
    [undefined, 2000, undefined],
    ['bytes=0-0', 2000, part(0, 0)],
    ['bytes=500-1499', 2000, part(500, 1499)],
    ['bytes=500-', 2000, part(500, 1999)],
    ['bytes=-500', 2000, part(1500, 1999)],
    ['bytes=-5000', 2000, part(0, 1999)],
    ['bytes=1000-5000', 2000, part(1000, 1999)],
    ['bytes= 1-2 ', 2000, part(1, 2)],
    ['bytes=500-0', 2000, 'refused'],
    ['bytes=2000-', 2000, 'refused'],
    ['bytes=5000-10000', 2000, 'refused'],
    ['bytes=-0', 2000, 'refused'],
    ['bytes=0-', 0, 'refused'],
    ['bytes=-1', 0, 'refused'],
    ['bytes=99999999999999999999999-', 2000, 'refused'],
    ['bytes=0-99999999999999999999999', 2000, part(0, 1999)],
    ['bytes=0-1,5-6', 2000, undefined],
    ['bytes=-', 2000, undefined],
    ['bytes=a-b', 2000, undefined],
    ['bytes 0-1', 2000, undefined],
    ['items=0-1', 2000, undefined],
    ['bytes=--1', 2000, undefined],
  ];
  for (const [header, size, expected] of table) {
    if (expected === 'refused')
      assert.throws(
        () => parseRange(header, size),
        (error) => isFault(error, 'range-not-satisfiable'),
        header,
      );
    else assert.deepEqual(parseRange(header, size), expected, header);
  }
});

test('a chunk names its bytes without a unit', () => {
  assert.equal(parseContentRange(undefined), undefined);
  assert.deepEqual(parseContentRange('0-1023'), { first: 0, last: 1023 });
  assert.deepEqual(parseContentRange('5-5'), { first: 5, last: 5 });
  for (const header of [
    '',
    'bytes 0-1023/2048',
    'bytes=0-5',
    '5-',
    '-5',
    '5-4',
    '0-1-2',
    ' 0-1',
    '0x1-2',
    '9'.repeat(30) + '-1',
  ]) {
    assert.throws(
      () => parseContentRange(header),
      (error) => isFault(error, 'parameter-invalid'),
      header,
    );
  }
});
