import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesScanFilter } from './scanning-configuration.ts';

// The matrix of the ECR User Guide, "Filters to choose which repositories are scanned".
for (const [filter, name, expected] of [
  ['prod', 'prod', true],
  ['prod', 'repo-prod-repo', true],
  ['prod', 'dev', false],
  ['prod*', 'prod', true],
  ['prod*', 'prod-repo', true],
  ['prod*', 'repo-prod', false],
  ['*prod', 'repo-prod', true],
  ['*prod', 'prod-repo', false],
  ['prod*repo', 'prod-repo', true],
  ['prod*repo', 'prodrepo', true],
  ['prod*repo', 'prod-repository', false],
] as const) {
  test(`the scan filter ${filter} ${expected ? 'matches' : 'does not match'} ${name}`, () => {
    assert.equal(matchesScanFilter({ filter, filterType: 'WILDCARD' }, name), expected);
  });
}
