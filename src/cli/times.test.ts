import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from './command.ts';
import { parseMoment, parseTimeSpan } from './times.ts';

const now = Date.UTC(2026, 2, 10, 12);

for (const [text, moment] of [
  ['now', now],
  ['90s ago', now - 90_000],
  ['2h ago', now - 7_200_000],
  ['1w ago', now - 604_800_000],
  ['2026-03-01T14:05:09Z', Date.UTC(2026, 2, 1, 14, 5, 9)],
  ['2026-03-01 14:05:09Z', Date.UTC(2026, 2, 1, 14, 5, 9)],
  ['2026-03-01T14:05+02:00', Date.UTC(2026, 2, 1, 12, 5)],
  ['2026-03-01', new Date(2026, 2, 1).getTime()],
  ['2026-03-01 14:05', new Date(2026, 2, 1, 14, 5).getTime()],
] as const) {
  test(text, () => assert.equal(parseMoment(text, now), moment));
}

for (const text of [
  '',
  'soon',
  '2h',
  'ago',
  '-1h ago',
  '2026-02-30',
  '2026-13-01',
  '2026-03-01T25:00Z',
  '2026-03-10T12:00:01Z',
  '1.5h ago',
]) {
  test(`${JSON.stringify(text)} is no moment that has been`, () => assert.throws(() => parseMoment(text, now), UsageError));
}

test('lengths of time', () => {
  assert.deepEqual(['1s', '15m', '2h', '7d', '4w'].map(parseTimeSpan), [1_000, 900_000, 7_200_000, 604_800_000, 2_419_200_000]);
  for (const text of ['', '0s', '5', '5y', '1h30m', '99999999w']) assert.throws(() => parseTimeSpan(text), UsageError, text);
});
