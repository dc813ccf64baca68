import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBytes, formatDuration, formatTime } from './format.ts';

test('bytes', () => {
  for (const [bytes, text] of [
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [1024 * 1024 - 1, '1.0 MiB'],
    [12 * 1024 ** 3, '12.0 GiB'],
  ] as const) {
    assert.equal(formatBytes(bytes), text);
  }
});

test('lengths of time', () => {
  for (const [milliseconds, text] of [
    [850, '850 ms'],
    [12_000, '12 s'],
    [185_000, '3 min 5 s'],
    [3_600_000, '1 h'],
    [3_605_000, '1 h'],
    [187_200_000, '2 d 4 h'],
  ] as const) {
    assert.equal(formatDuration(milliseconds), text);
  }
});

test('moments', () => {
  assert.equal(formatTime(Date.UTC(2026, 2, 1, 14, 5, 9, 999)), '2026-03-01 14:05:09Z');
});
