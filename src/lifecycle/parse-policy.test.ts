import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault } from '../core/fault.ts';
import { parseLifecyclePolicy } from './parse-policy.ts';

type Json = Record<string, unknown>;
const selection: Json = { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 5 };
const rule = (more: Json = {}, select: Json = {}): Json => ({
  rulePriority: 1,
  selection: { ...selection, ...select },
  action: { type: 'expire' },
  ...more,
});
const tagged = (list: Json, priority = 1): Json => rule({ rulePriority: priority }, { tagStatus: 'tagged', ...list });

function refusal(document: unknown): string {
  try {
    parseLifecyclePolicy(typeof document === 'string' ? document : JSON.stringify(document));
  } catch (error) {
    assert.ok(isFault(error, 'parameter-invalid'), String(error));
    const { member, constraint } = error.facts;
    assert.equal(member, 'LifecyclePolicyText');
    assert.match(constraint, /^Lifecycle policy validation failure: /);
    return constraint.slice('Lifecycle policy validation failure: '.length);
  }
  return 'accepted';
}

const variant = 'instance failed to match exactly one schema (matched 0 out of 2)';
const refusals: [what: string, document: unknown, says: string | RegExp][] = [
  ['no JSON', 'rules', 'Could not map policyString into LifecyclePolicy.'],
  ['no object', '[]', 'Could not map policyString into LifecyclePolicy.'],
  ['a key given twice', '{"rules":[],"rules":[]}', 'Could not map policyString into LifecyclePolicy.'],
  ['another key instead of rules', { no_rules: [] }, 'object has missing required properties (["rules"])'],
  ['no rules', {}, 'object has missing required properties (["rules"])'],
  ['empty rules', { rules: [] }, /array is too short/],
  [
    '51 rules',
    { rules: Array.from({ length: 51 }, (_, n) => tagged({ tagPrefixList: [`t${n}`] }, n + 1)) },
    /at most 50 elements but instance has 51/,
  ],
  [
    'rules of the wrong type',
    { rules: {} },
    'instance type (object) does not match any allowed primitive type (allowed: ["array"])',
  ],
  [
    'an unknown key',
    { rules: [rule()], version: 1 },
    'object instance has properties which are not allowed by the schema: (["version"])',
  ],
  [
    'an unknown key in a rule',
    { rules: [rule({ prio: 1 })] },
    'object instance has properties which are not allowed by the schema: (["prio"])',
  ],
  ['nothing in a rule', { rules: [{}] }, 'object has missing required properties (["action","rulePriority","selection"])'],
  [
    'a rule that is a string',
    { rules: ['x'] },
    'instance type (string) does not match any allowed primitive type (allowed: ["object"])',
  ],
  [
    'a wrong tag status',
    { rules: [rule({}, { tagStatus: 'all' })] },
    'instance value ("all") not found in enum :(possible values: ["any","tagged","untagged"])',
  ],
  [
    'a wrong action',
    { rules: [rule({ action: { type: 'delete' } })] },
    'instance value ("delete") not found in enum :(possible values: ["expire","transition"])',
  ],
  [
    'count 0',
    { rules: [rule({}, { countNumber: 0 })] },
    'numeric instance is lower than the required minimum (minimum: 1, found: 0)',
  ],
  [
    'count -1',
    { rules: [rule({}, { countNumber: -1 })] },
    'numeric instance is lower than the required minimum (minimum: 1, found: -1)',
  ],
  ['count 1.5', { rules: [rule({}, { countNumber: 1.5 })] }, /allowed: \["integer"\]/],
  [
    'count as text',
    { rules: [rule({}, { countNumber: '5' })] },
    'instance type (string) does not match any allowed primitive type (allowed: ["integer"])',
  ],
  ['priority 0', { rules: [rule({ rulePriority: 0 })] }, /minimum: 1, found: 0/],
  ['a wrong count type', { rules: [rule({}, { countType: 'imageAge' })] }, variant],
  ['a unit with a count of images', { rules: [rule({}, { countUnit: 'days' })] }, variant],
  ['no unit with an age', { rules: [rule({}, { countType: 'sinceImagePushed' })] }, variant],
  ['null members', { rules: [rule({}, { tagPrefixList: null })] }, variant],
  ['transition without a target', { rules: [rule({ action: { type: 'transition' } })] }, variant],
  ['expire with a target', { rules: [rule({ action: { type: 'expire', targetStorageClass: 'archive' } })] }, variant],
  ['tagged without a list', { rules: [tagged({})] }, 'Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.'],
  [
    'tagged with an empty list',
    { rules: [tagged({ tagPrefixList: [] })] },
    'Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.',
  ],
  ['both lists', { rules: [tagged({ tagPrefixList: ['a'], tagPatternList: ['a*'] })] }, /both tagPrefixList and tagPatternList/],
  ['a list with untagged', { rules: [rule({}, { tagStatus: 'untagged', tagPrefixList: ['a'] })] }, /when tagStatus=UNTAGGED/],
  ['five wildcards', { rules: [tagged({ tagPatternList: ['*a*b*c*d*'] })] }, /at most 4 wildcards/],
  [
    'two untagged rules',
    { rules: [rule({}, { tagStatus: 'untagged' }), rule({ rulePriority: 2 }, { tagStatus: 'untagged', countNumber: 9 })] },
    'Only one rule can select Untagged images per storage class.',
  ],
  [
    'any before another',
    { rules: [rule(), tagged({ tagPrefixList: ['a'] }, 2)] },
    'Rule for tagStatus=ANY must have the lowest priority per storage class',
  ],
  [
    'two any rules',
    { rules: [rule(), rule({ rulePriority: 2 })] },
    'Rule for tagStatus=ANY must have the lowest priority per storage class',
  ],
  [
    'one priority twice',
    { rules: [tagged({ tagPrefixList: ['a'] }), tagged({ tagPrefixList: ['b'] })] },
    /priorities must be unique: 1 /,
  ],
  [
    'one list twice',
    { rules: [tagged({ tagPrefixList: ['a', 'b'] }), tagged({ tagPrefixList: ['b', 'a'] }, 2)] },
    /Tag lists must be unique/,
  ],
  [
    'expire by pull',
    { rules: [rule({}, { countType: 'sinceImagePulled', countUnit: 'days' })] },
    /only be used with the transition action/,
  ],
  [
    'archive younger than 90 days',
    { rules: [rule({}, { storageClass: 'archive', countType: 'sinceImageTransitioned', countUnit: 'days', countNumber: 89 })] },
    /minimum: 90, found: 89/,
  ],
  [
    'a standard rule that counts from the archive',
    { rules: [rule({}, { countType: 'sinceImageTransitioned', countUnit: 'days', countNumber: 90 })] },
    /requires storageClass archive/,
  ],
  [
    'a transition out of the archive',
    {
      rules: [
        rule(
          { action: { type: 'transition', targetStorageClass: 'archive' } },
          { storageClass: 'archive', countType: 'sinceImageTransitioned', countUnit: 'days', countNumber: 90 },
        ),
      ],
    },
    /only be used with the expire action/,
  ],
  ['our extension under another version', { holdfast: { version: 2 }, rules: [rule()] }, /"holdfast" must be/],
  ['keep without the switch', { rules: [rule({ action: { type: 'keep' } })] }, /not found in enum/],
  ['keep with a count', { holdfast: { version: 1 }, rules: [rule({ action: { type: 'keep' } })] }, /no countType/],
  ['nested too deep', `{"rules":${'['.repeat(100)}${']'.repeat(100)}}`, 'Could not map policyString into LifecyclePolicy.'],
];
for (const [what, document, says] of refusals) {
  test(`refuses ${what}`, () => {
    const said = refusal(document);
    if (typeof says === 'string') assert.equal(said, says);
    else assert.match(said, says);
  });
}

test('reads a policy, its rules in the order of their priority', () => {
  const archive = { storageClass: 'archive', countType: 'sinceImageTransitioned', countUnit: 'days', countNumber: 365 };
  const policy = parseLifecyclePolicy(
    JSON.stringify({
      rules: [
        rule(
          { rulePriority: 900, description: 'all the rest' },
          { countType: 'sinceImagePushed', countUnit: 'days', countNumber: 90 },
        ),
        rule({ rulePriority: 950 }, archive),
        rule(
          { rulePriority: 10, action: { type: 'transition', targetStorageClass: 'archive' } },
          { tagStatus: 'tagged', tagPrefixList: ['Prod-'] },
        ),
      ],
    }),
  );
  assert.deepEqual(
    policy.rules.map(({ priority, action, patterns, storageClass }) => [priority, action, patterns, storageClass]),
    [
      [10, 'transition', ['Prod-*'], 'standard'],
      [900, 'expire', [], 'standard'],
      [950, 'expire', [], 'archive'],
    ],
  );
});
