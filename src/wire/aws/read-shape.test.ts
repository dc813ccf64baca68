import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../../core/json.ts';
import { commonGrammar } from './grammar.ts';
import { readShape } from './read-shape.ts';
import type { StructureShape } from './shape.ts';

interface Sample {
  name: string | undefined;
  colour?: 'RED' | 'BLUE' | undefined;
  count?: number | undefined;
  ratio?: number | undefined;
  force?: boolean | undefined;
  bytes?: Uint8Array | undefined;
  at?: Date | undefined;
  ids?: { digest?: string | undefined; tag: string | undefined }[] | undefined;
  labels?: Record<string, string> | undefined;
}

const shape: StructureShape<Sample> = {
  type: 'structure',
  members: {
    name: {
      type: 'string',
      min: 2,
      max: 5,
      pattern: { text: '[a-z]+', matches: (value) => /^[a-z]+$/.test(value) },
      required: true,
    },
    colour: { type: 'string', enum: ['RED', 'BLUE'] },
    count: { type: 'integer', min: 1, max: 10 },
    ratio: { type: 'number' },
    force: { type: 'boolean' },
    bytes: { type: 'blob', max: 4 },
    at: { type: 'timestamp' },
    ids: {
      type: 'list',
      max: 2,
      of: { type: 'structure', members: { digest: { type: 'string' }, tag: { type: 'string', max: 3, required: true } } },
    },
    labels: { type: 'map', max: 2, key: { type: 'string', max: 3 }, of: { type: 'string', max: 3 } },
  },
};

test('a value of the right shape is read, unknown members are left out and null is absence', () => {
  const result = readShape(shape, {
    name: 'abc',
    colour: 'RED',
    count: 10,
    ratio: 0.5,
    force: null,
    bytes: 'AAEC',
    at: 1448875853.241,
    ids: [{ tag: 'v1', unknown: 1 }],
    labels: { a: 'b', gone: null },
    unknown: { deep: [] },
    __proto__: 'x',
  });
  assert.ok(result.ok);
  assert.deepEqual(
    { ...result.value, labels: { ...result.value.labels } },
    {
      name: 'abc',
      colour: 'RED',
      count: 10,
      ratio: 0.5,
      bytes: Buffer.from([0, 1, 2]),
      at: 1448875853.241,
      ids: [{ tag: 'v1' }],
      labels: { a: 'b' },
    },
  );
});

const broken: [Json, string][] = [
  [{}, 'name: Member must not be null'],
  [{ name: null }, 'name: Member must not be null'],
  [{ name: 'a' }, 'name: Member must have length greater than or equal to 2'],
  [{ name: 'abcdef' }, 'name: Member must have length less than or equal to 5'],
  [{ name: 'A1' }, 'name: Member must satisfy regular expression pattern: [a-z]+'],
  [{ name: 'abc', colour: 'GREEN' }, 'colour: Member must satisfy enum value set: [RED, BLUE]'],
  [{ name: 'abc', count: 0 }, 'count: Member must have value greater than or equal to 1'],
  [{ name: 'abc', count: 1001 }, 'count: Member must have value less than or equal to 10'],
  [{ name: 'abc', bytes: 'AAECAwQ=' }, 'bytes: Member must have length less than or equal to 4'],
  [{ name: 'abc', ids: [{ tag: 'v1' }, { tag: 'v1' }, { tag: 'v1' }] }, 'ids: Member must have length less than or equal to 2'],
  [{ name: 'abc', ids: [{ tag: 'v1' }, { tag: 'long' }] }, 'ids.2.member.tag: Member must have length less than or equal to 3'],
  [{ name: 'abc', ids: [{}] }, 'ids.1.member.tag: Member must not be null'],
  [{ name: 'abc', ids: [null] }, 'ids.1.member: Member must not be null'],
  [{ name: 'abc', labels: { long: 'b' } }, 'labels.key: Member must have length less than or equal to 3'],
];

for (const [value, expected] of broken) {
  test(`${JSON.stringify(value)} breaks its shape: ${expected}`, () => {
    const result = readShape(shape, value);
    assert.ok(!result.ok && 'violations' in result);
    assert.deepEqual(
      result.violations.map(({ path, constraint }) => `${path}: ${commonGrammar(constraint)}`),
      [expected],
    );
  });
}

const mistyped: [Json, string][] = [
  [[], 'LIST_VALUE cannot be converted to Structure'],
  [{ name: 7 }, "NUMBER_VALUE cannot be converted to String at 'name'"],
  [{ name: 'abc', count: '7' }, "STRING_VALUE cannot be converted to Integer at 'count'"],
  [{ name: 'abc', count: 1.5 }, "DECIMAL_VALUE cannot be converted to Integer at 'count'"],
  [{ name: 'abc', count: 1e300 }, "NUMBER_VALUE cannot be converted to Integer at 'count'"],
  [{ name: 'abc', force: 'true' }, "STRING_VALUE cannot be converted to Boolean at 'force'"],
  [{ name: 'abc', bytes: 'not base64!' }, "STRING_VALUE cannot be converted to Blob at 'bytes'"],
  [{ name: 'abc', bytes: 'AA EC' }, "STRING_VALUE cannot be converted to Blob at 'bytes'"],
  [{ name: 'abc', bytes: 'AA==AAAA' }, "STRING_VALUE cannot be converted to Blob at 'bytes'"],
  [{ name: 'abc', bytes: 'AA\n' }, "STRING_VALUE cannot be converted to Blob at 'bytes'"],
  [{ name: 'abc', bytes: 7 }, "NUMBER_VALUE cannot be converted to Blob at 'bytes'"],
  [{ name: 'abc', bytes: 'AAAAA' }, "STRING_VALUE cannot be converted to Blob at 'bytes'"],
  [{ name: 'abc', at: '2026-01-01T00:00:00Z' }, "STRING_VALUE cannot be converted to Timestamp at 'at'"],
  [{ name: 'abc', ids: {} }, "MAP_VALUE cannot be converted to List at 'ids'"],
  [{ name: 'abc', ids: ['x'] }, "STRING_VALUE cannot be converted to Structure at 'ids.1.member'"],
  [{ name: 'abc', labels: [] }, "LIST_VALUE cannot be converted to Map at 'labels'"],
];

for (const [value, expected] of mistyped) {
  test(`${JSON.stringify(value)} has another type: ${expected}`, () => {
    assert.deepEqual(readShape(shape, value), { ok: false, mismatch: expected });
  });
}

test('a request that breaks everything is told about a few things only', () => {
  const many = Array.from({ length: 2 }, () => ({ tag: 'long' }));
  const labels = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`key${index}`, 'value']));
  const result = readShape(shape, { name: 'A', count: 0, ids: many, labels });
  assert.ok(!result.ok && 'violations' in result);
  assert.equal(result.violations.length, 10);
});
