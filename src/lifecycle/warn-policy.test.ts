import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../core/digest.ts';
import type { LifecycleImage } from './evaluate.ts';
import { parseLifecyclePolicy } from './parse-policy.ts';
import { warnPolicy } from './warn-policy.ts';

const images = (...tags: string[][]): LifecycleImage[] =>
  tags.map((names, index) => ({
    digest: digestOf(String(index)),
    tags: names,
    pushedAt: index,
    storageClass: 'standard',
  }));
const count = (patterns: string[], countNumber = 5, member = 'tagPatternList') => ({
  tagStatus: 'tagged',
  [member]: patterns,
  countType: 'imageCountMoreThan',
  countNumber,
});
const since = (countNumber: number) => ({ tagStatus: 'any', countType: 'sinceImagePushed', countUnit: 'days', countNumber });

function warningsOf(selections: object[], there: LifecycleImage[], more: object = {}): [rule: number, kind: string][] {
  const rules = selections.map((selection, index) => ({
    rulePriority: (index + 1) * 10,
    selection,
    action: { type: 'expire' },
  }));
  return warnPolicy(parseLifecyclePolicy(JSON.stringify({ rules, ...more })), there).map(({ rule, kind }) => [rule, kind]);
}

test('a policy as it should be has no warnings', () => {
  const there = images(['Prod-1', '1'], ['Test-2', '2'], ['3']);
  assert.deepEqual(warningsOf([count(['Prod-*']), count(['Test-'], 5, 'tagPrefixList'), since(90)], there), []);
  assert.deepEqual(warningsOf([count(['Prod-*'])], []), []);
});

test('a list that is meant as OR', () => {
  assert.deepEqual(warningsOf([count(['latest', 'main'])], images(['latest'], ['main'])), [[10, 'list-means-all']]);
  assert.deepEqual(warningsOf([count(['latest', 'main'])], images(['latest', 'main'], ['main'])), []);
  const any = { holdfast: { version: 1 } };
  assert.deepEqual(warningsOf([{ ...count(['latest', 'main']), tagMatch: 'any' }], images(['latest'], ['main']), any), []);
});

test('a catch-all that is younger than a release cycle', () => {
  assert.deepEqual(warningsOf([since(7)], images(['1'])), [[10, 'catch-all-too-young']]);
  assert.deepEqual(warningsOf([since(30)], images(['1'])), []);
});

test('a rule that never acts, for another goes first', () => {
  const there = images(['prod-eu-1', 'prod-us-1', 'x']);
  assert.deepEqual(warningsOf([count(['prod-*']), count(['prod-eu-*'])], there), [[20, 'never-acts']]);
  assert.deepEqual(warningsOf([count(['prod-eu-*']), count(['prod-*'])], there), []);
  assert.deepEqual(warningsOf([count(['prod-*']), count(['prod-eu-*', 'x'])], there), [[20, 'never-acts']]);
  assert.deepEqual(warningsOf([count(['prod-*', 'x']), count(['prod-eu-*'])], there), []);
});

test('a pattern that no tag can match, and one that none here does', () => {
  assert.deepEqual(warningsOf([count(['team/prod-*'])], images(['prod-1'])), [[10, 'matches-no-tag']]);
  assert.deepEqual(warningsOf([count(['-prod'])], images(['prod-1'])), [[10, 'matches-no-tag']]);
  const [warning] = warnPolicy(
    parseLifecyclePolicy(
      JSON.stringify({ rules: [{ rulePriority: 1, selection: count(['Prod-*']), action: { type: 'expire' } }] }),
    ),
    images(['prod-7']),
  );
  assert.equal(warning?.kind, 'no-such-tag-here');
  assert.match(warning?.message ?? '', /"prod-7" differs in its capitals only/);
});
