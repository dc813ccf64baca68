import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault } from './fault.ts';
import type { ConditionContext } from './iam-condition.ts';
import { evaluatePolicies, MAX_POLICY_LENGTH, parsePolicy, type PolicyDecision, type PolicyKind } from './iam-policy.ts';
import { matchesGlob } from './wildcard.ts';

const ACCOUNT = '123456789012';
const ALICE = { arn: `arn:aws:iam::${ACCOUNT}:user/alice`, account: ACCOUNT, userName: 'alice' };
const APP = `arn:aws:ecr:us-east-1:${ACCOUNT}:repository/team/app`;

function identity(...statements: object[]) {
  return parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: statements }), 'identity');
}

function resource(...statements: object[]) {
  return parsePolicy(JSON.stringify({ Version: '2008-10-17', Statement: statements }), 'resource');
}

function decide(
  policies: { identity?: object[]; resource?: object[] },
  question: { action?: string; arn?: string; principal?: typeof ALICE; context?: Omit<ConditionContext, 'principal'> } = {},
): PolicyDecision {
  return evaluatePolicies({
    identity: policies.identity ? [identity(...policies.identity)] : [],
    resource: policies.resource ? [resource(...policies.resource)] : [],
    principal: question.principal ?? ALICE,
    action: question.action ?? 'ecr:PutImage',
    resourceArn: question.arn ?? APP,
    context: question.context ?? {},
  });
}

const ALLOW_ALL = { Effect: 'Allow', Action: '*', Resource: '*' };
const ALLOW_EVERYONE = { Effect: 'Allow', Principal: '*', Action: 'ecr:PutImage' };
const DENY_EVERYONE = { Effect: 'Deny', Principal: '*', Action: 'ecr:PutImage' };

test('nothing is allowed unless something allows it; an explicit deny wins wherever it stands', () => {
  assert.equal(decide({}), 'denied');
  assert.equal(decide({ identity: [ALLOW_ALL] }), 'allowed');
  assert.equal(decide({ resource: [ALLOW_EVERYONE] }), 'allowed');
  assert.equal(decide({ identity: [ALLOW_ALL], resource: [DENY_EVERYONE] }), 'denied-explicitly');
  assert.equal(decide({ identity: [{ ...ALLOW_ALL, Effect: 'Deny' }], resource: [ALLOW_EVERYONE] }), 'denied-explicitly');
  assert.equal(decide({ resource: [ALLOW_EVERYONE, DENY_EVERYONE] }), 'denied-explicitly');
  assert.equal(decide({ identity: [ALLOW_ALL], resource: [DENY_EVERYONE] }, { action: 'ecr:BatchGetImage' }), 'allowed');
});

test('actions: case does not matter, * and ? do', () => {
  const cases: [pattern: object, action: string, decision: PolicyDecision][] = [
    [{ Action: 'ecr:PutImage' }, 'ecr:PutImage', 'allowed'],
    [{ Action: 'ECR:putimage' }, 'ecr:PutImage', 'allowed'],
    [{ Action: 'ecr:Batch*' }, 'ecr:BatchGetImage', 'allowed'],
    [{ Action: 'ecr:Batch*' }, 'ecr:PutImage', 'denied'],
    [{ Action: 'ecr:*' }, 'ecs:RunTask', 'denied'],
    [{ Action: ['ecs:*', 'ecr:?utImage'] }, 'ecr:PutImage', 'allowed'],
    [{ Action: 'ecr:PutImag' }, 'ecr:PutImage', 'denied'],
    [{ Action: 'ecr:PutImageX' }, 'ecr:PutImage', 'denied'],
    [{ NotAction: 'ecr:Delete*' }, 'ecr:PutImage', 'allowed'],
    [{ NotAction: 'ecr:Delete*' }, 'ecr:DeleteRepository', 'denied'],
  ];
  for (const [pattern, action, decision] of cases) {
    assert.equal(
      decide({ identity: [{ Effect: 'Allow', Resource: '*', ...pattern }] }, { action }),
      decision,
      JSON.stringify(pattern),
    );
  }
});

test('resources: whole ARNs, case matters', () => {
  const arn = (name: string, region = 'us-east-1') => `arn:aws:ecr:${region}:${ACCOUNT}:repository/${name}`;
  const cases: [written: object, asked: string, decision: PolicyDecision][] = [
    [{ Resource: arn('team/*') }, arn('team/app'), 'allowed'],
    [{ Resource: arn('team/*') }, arn('team'), 'denied'],
    [{ Resource: arn('team/*') }, arn('teamx/app'), 'denied'],
    [{ Resource: arn('team/*') }, arn('other/team/app'), 'denied'],
    [{ Resource: arn('team/*', '*') }, arn('team/app', 'eu-west-1'), 'allowed'],
    [{ Resource: arn('Team/app') }, arn('team/app'), 'denied'],
    [{ Resource: arn('team/ap?') }, arn('team/app'), 'allowed'],
    [{ Resource: arn('*') }, '*', 'denied'],
    [{ Resource: '*' }, '*', 'allowed'],
    [{ NotResource: arn('team/*') }, arn('team/app'), 'denied'],
    [{ NotResource: arn('team/*') }, arn('other'), 'allowed'],
    [{ Resource: [arn('a'), arn('b')] }, arn('b'), 'allowed'],
  ];
  for (const [written, asked, decision] of cases) {
    assert.equal(
      decide({ identity: [{ Effect: 'Allow', Action: '*', ...written }] }, { arn: asked }),
      decision,
      `${JSON.stringify(written)} ${asked}`,
    );
  }
  assert.equal(decide({ resource: [{ ...ALLOW_EVERYONE, Resource: arn('other') }] }), 'denied');
});

test('principals are compared as whole ARNs', () => {
  const granted: [principal: object | string, decision: PolicyDecision][] = [
    ['*', 'allowed'],
    [{ AWS: '*' }, 'allowed'],
    [{ AWS: ALICE.arn }, 'allowed'],
    [{ AWS: [`arn:aws:iam::${ACCOUNT}:user/bob`, ALICE.arn] }, 'allowed'],
    [{ AWS: `arn:aws:iam::${ACCOUNT}:user/alic` }, 'denied'],
    [{ AWS: `arn:aws:iam::${ACCOUNT}:user/Alice` }, 'denied'],
    [{ AWS: 'arn:aws:iam::210987654321:user/alice' }, 'denied'],
    [{ AWS: `arn:aws:iam::${ACCOUNT}:role/alice` }, 'denied'],
    [{ Service: 'lambda.amazonaws.com' }, 'denied'],
  ];
  for (const [Principal, decision] of granted) {
    assert.equal(decide({ resource: [{ Effect: 'Allow', Action: '*', Principal }] }), decision, JSON.stringify(Principal));
    const denied = decide({ identity: [ALLOW_ALL], resource: [{ Effect: 'Deny', Action: '*', Principal }] });
    assert.equal(denied, decision === 'allowed' ? 'denied-explicitly' : 'allowed', JSON.stringify(Principal));
  }
});

test('to allow an account is to leave it to the policies of its users; to deny it denies them all', () => {
  for (const AWS of [ACCOUNT, `arn:aws:iam::${ACCOUNT}:root`]) {
    const allow = { Effect: 'Allow', Action: '*', Principal: { AWS } };
    assert.equal(decide({ resource: [allow] }), 'denied');
    assert.equal(decide({ identity: [ALLOW_ALL], resource: [allow] }), 'allowed');
    assert.equal(decide({ identity: [ALLOW_ALL], resource: [{ ...allow, Effect: 'Deny' }] }), 'denied-explicitly');
  }
  assert.equal(
    decide({ identity: [ALLOW_ALL], resource: [{ Effect: 'Deny', Action: '*', Principal: { AWS: '210987654321' } }] }),
    'allowed',
  );
});

test('NotPrincipal is everybody else', () => {
  const deny = (AWS: string) => ({ Effect: 'Deny', Action: '*', NotPrincipal: { AWS } });
  assert.equal(decide({ identity: [ALLOW_ALL], resource: [deny(ALICE.arn)] }), 'allowed');
  assert.equal(decide({ identity: [ALLOW_ALL], resource: [deny(ACCOUNT)] }), 'allowed');
  assert.equal(decide({ identity: [ALLOW_ALL], resource: [deny(`arn:aws:iam::${ACCOUNT}:user/bob`)] }), 'denied-explicitly');
});

const TAGS = new Map([['Team', 'blue']]);
const CONDITIONS: [condition: object, context: Omit<ConditionContext, 'principal'>, holds: boolean][] = [
  [{ StringEquals: { 'aws:username': 'alice' } }, {}, true],
  [{ StringEquals: { 'AWS:UserName': ['bob', 'alice'] } }, {}, true],
  [{ StringEquals: { 'aws:username': 'Alice' } }, {}, false],
  [{ StringEqualsIgnoreCase: { 'aws:username': 'Alice' } }, {}, true],
  [{ StringNotEquals: { 'aws:username': ['bob', 'alice'] } }, {}, false],
  [{ StringNotEquals: { 'aws:username': ['bob', 'carol'] } }, {}, true],
  [{ StringNotEqualsIgnoreCase: { 'aws:username': 'ALICE' } }, {}, false],
  [{ StringLike: { 'aws:username': 'al*' } }, {}, true],
  [{ StringLike: { 'aws:username': 'al?' } }, {}, false],
  [{ StringNotLike: { 'aws:username': 'al*' } }, {}, false],
  [{ StringEquals: { 'aws:PrincipalAccount': ACCOUNT } }, {}, true],
  [{ StringEquals: { 'aws:RequestedRegion': 'us-east-1' } }, { region: 'us-east-1' }, true],
  [{ ArnEquals: { 'aws:PrincipalArn': ALICE.arn } }, {}, true],
  [{ ArnLike: { 'aws:PrincipalArn': `arn:aws:iam::*:user/*` } }, {}, true],
  [{ ArnLike: { 'aws:PrincipalArn': `arn:aws:iam:us-*:*:user/alice` } }, {}, false],
  [{ ArnNotLike: { 'aws:PrincipalArn': `arn:aws:iam::${ACCOUNT}:user/b*` } }, {}, true],
  [{ ArnNotEquals: { 'aws:PrincipalArn': ALICE.arn } }, {}, false],
  [{ IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '192.168.0.0/16'] } }, { sourceIp: '10.1.2.3' }, true],
  [{ IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }, { sourceIp: '::ffff:10.1.2.3' }, true],
  [{ IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }, { sourceIp: '11.1.2.3' }, false],
  [{ IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }, {}, false],
  [{ IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }, { sourceIp: 'unix' }, false],
  [{ NotIpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }, { sourceIp: '11.1.2.3' }, true],
  [{ NotIpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '11.0.0.0/8'] } }, { sourceIp: '11.1.2.3' }, false],
  [{ NotIpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }, {}, true],
  [{ IpAddressIfExists: { 'aws:SourceIp': '10.0.0.0/8' } }, {}, true],
  [{ IpAddressIfExists: { 'aws:SourceIp': '10.0.0.0/8' } }, { sourceIp: '11.1.2.3' }, false],
  [{ Bool: { 'aws:SecureTransport': 'true' } }, { secureTransport: true }, true],
  [{ Bool: { 'aws:SecureTransport': true } }, { secureTransport: true }, true],
  [{ Bool: { 'aws:SecureTransport': 'false' } }, { secureTransport: true }, false],
  [{ Bool: { 'aws:SecureTransport': 'True' } }, {}, false],
  [{ BoolIfExists: { 'aws:SecureTransport': 'true' } }, {}, true],
  [{ Null: { 'aws:SourceIp': 'true' } }, {}, true],
  [{ Null: { 'aws:SourceIp': false } }, {}, false],
  [{ Null: { 'aws:SourceIp': 'false' } }, { sourceIp: '::1' }, true],
  [{ StringEquals: { 'aws:ResourceTag/Team': 'blue' } }, { resourceTags: TAGS }, true],
  [{ StringEquals: { 'ecr:ResourceTag/team': 'blue' } }, { resourceTags: TAGS }, true],
  [{ StringEquals: { 'aws:ResourceTag/Team': 'Blue' } }, { resourceTags: TAGS }, false],
  [{ StringEquals: { 'aws:ResourceTag/Team': 'blue' } }, {}, false],
  [{ StringNotEquals: { 'aws:ResourceTag/Team': 'blue' } }, {}, true],
  [{ Null: { 'aws:ResourceTag/Owner': 'true' } }, { resourceTags: TAGS }, true],
  [{ 'ForAnyValue:StringEquals': { 'aws:ResourceTag/Team': ['red', 'blue'] } }, { resourceTags: TAGS }, true],
  [{ 'ForAnyValue:StringEquals': { 'aws:ResourceTag/Team': 'blue' } }, {}, false],
  [{ 'ForAnyValue:StringNotEquals': { 'aws:ResourceTag/Team': 'blue' } }, {}, false],
  [{ 'ForAllValues:StringEquals': { 'aws:ResourceTag/Team': 'blue' } }, {}, true],
  [{ 'ForAllValues:StringEquals': { 'aws:ResourceTag/Team': 'red' } }, { resourceTags: TAGS }, false],
  [{ 'ForAllValues:StringLike': { 'aws:ResourceTag/Team': 'b*' } }, { resourceTags: TAGS }, true],
  [{ StringEquals: { 'aws:username': 'alice', 'aws:PrincipalAccount': '210987654321' } }, {}, false],
  [{ StringEquals: { 'aws:username': 'alice' }, IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }, { sourceIp: '11.0.0.1' }, false],
  [{ StringEquals: { 'aws:username': 'alice' }, IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }, { sourceIp: '10.0.0.1' }, true],
  // Of services, organizations and endpoints, which are nobody here: IAM's rules for keys that a request does not have.
  [{ ArnLike: { 'aws:SourceArn': 'arn:aws:lambda:us-east-1:123456789012:function:*' } }, {}, false],
  [{ StringLike: { 'aws:sourceArn': 'arn:aws:lambda:*' }, StringEquals: { 'aws:SourceAccount': ACCOUNT } }, {}, false],
  [{ StringEquals: { 'aws:PrincipalOrgID': 'o-a1b2' } }, {}, false],
  [{ StringNotEquals: { 'aws:PrincipalOrgID': 'o-a1b2' } }, {}, true],
  [{ StringNotEqualsIfExists: { 'aws:SourceVpce': 'vpce-1' } }, {}, true],
  [{ 'ForAnyValue:StringLike': { 'aws:PrincipalOrgPaths': 'o-a1b2/*' } }, {}, false],
  [{ Null: { 'aws:SourceVpc': 'true' } }, {}, true],
  [{}, {}, true],
];
for (const [Condition, context, holds] of CONDITIONS) {
  test(`condition ${JSON.stringify(Condition)} on ${JSON.stringify({ ...context, ...(context.resourceTags ? { resourceTags: [...context.resourceTags] } : {}) })}`, () => {
    assert.equal(decide({ identity: [{ ...ALLOW_ALL, Condition }] }, { context }), holds ? 'allowed' : 'denied');
    assert.equal(
      decide({ identity: [ALLOW_ALL], resource: [{ ...DENY_EVERYONE, Condition }] }, { context }),
      holds ? 'denied-explicitly' : 'allowed',
    );
  });
}

const GOOD = { Effect: 'Allow', Principal: '*', Action: 'ecr:*' };
const MALFORMED: [document: unknown, names: RegExp][] = [
  ['', /not JSON/],
  ['[]', /JSON object/],
  ['{"Statement":[],"Statement":[]}', /twice/],
  ['{"Statement":'.padEnd(200, '['), /nested|not JSON/],
  [{}, /Statement/],
  [{ Statement: [] }, /Statement/],
  [{ Statement: 'x' }, /Statement\[0\] must be an object/],
  [{ Statement: GOOD, Version: '2012-10-18' }, /Version/],
  [{ Statement: GOOD, Id: 1 }, /Id/],
  [{ Statement: GOOD, statement: 1 }, /"statement" is not an element/],
  [{ Statement: GOOD, ['__proto__x']: 1 }, /__proto__x/],
  ['{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","__proto__":{}}}', /__proto__/],
  [{ Statement: [GOOD, { ...GOOD, Effect: 'allow' }] }, /Statement\[1\]\.Effect/],
  [{ Statement: { ...GOOD, Sid: 1 } }, /Sid/],
  [{ Statement: { ...GOOD, Effct: 'Allow' } }, /"Effct" is not an element/],
  [{ Statement: { ...GOOD, NotAction: 'ecr:*' } }, /both Action and NotAction/],
  [{ Statement: { ...GOOD, NotPrincipal: '*' } }, /both Principal/],
  [{ Statement: { ...GOOD, Resource: '*', NotResource: '*' } }, /both Resource/],
  [{ Statement: { Effect: 'Allow', Principal: '*' } }, /needs an Action/],
  [{ Statement: { Effect: 'Allow', Action: '*' } }, /needs a Principal/],
  [{ Statement: { ...GOOD, Action: [] } }, /Action is empty/],
  [{ Statement: { ...GOOD, Action: [''] } }, /Action must be/],
  [{ Statement: { ...GOOD, Action: 7 } }, /Action must be/],
  [{ Statement: { ...GOOD, Action: 'PutImage' } }, /"PutImage" is not an action/],
  [{ Statement: { ...GOOD, Action: '*:*' } }, /is not an action/],
  [{ Statement: { ...GOOD, Action: 'ecr:Put Image' } }, /is not an action/],
  [{ Statement: { ...GOOD, Resource: 'team/app' } }, /neither "\*" nor an ARN/],
  [{ Statement: { ...GOOD, Resource: 'arn:aws:ecr:*:*:repository/${aws:username}' } }, /policy variable/],
  [{ Statement: { ...GOOD, Principal: 'arn:aws:iam::123456789012:root' } }, /must be "\*" or an object/],
  [{ Statement: { ...GOOD, Principal: {} } }, /Principal is empty/],
  [{ Statement: { ...GOOD, Principal: { AWS: [] } } }, /empty/],
  [{ Statement: { ...GOOD, Principal: { Federated: 'x' } } }, /"Federated" is not supported/],
  [{ Statement: { ...GOOD, Principal: { AWS: 'arn:aws:iam::123456789012:user/*' } } }, /without wildcards/],
  [{ Statement: { ...GOOD, Principal: { AWS: '12345678901' } } }, /account of 12 digits/],
  [{ Statement: { ...GOOD, Condition: [] } }, /Condition must be an object/],
  [{ Statement: { ...GOOD, Condition: { StringEquals: 'x' } } }, /Condition\.StringEquals must be an object/],
  [
    { Statement: { ...GOOD, Condition: { StringMatches: { 'aws:username': 'x' } } } },
    /operator "StringMatches" is not supported/,
  ],
  [{ Statement: { ...GOOD, Condition: { DateLessThan: { 'aws:username': 'x' } } } }, /operator "DateLessThan" is not supported/],
  [
    { Statement: { ...GOOD, Condition: { 'ForEachValue:StringEquals': { 'aws:username': 'x' } } } },
    /operator "ForEachValue:StringEquals"/,
  ],
  [
    { Statement: { ...GOOD, Condition: { StringEquals: { 'aws:PrincipalTag/team': 'x' } } } },
    /key "aws:PrincipalTag\/team" is not supported/,
  ],
  [{ Statement: { ...GOOD, Condition: { StringEquals: { constructor: 'x' } } } }, /key "constructor" is not supported/],
  [{ Statement: { ...GOOD, Condition: { StringEquals: { 'aws:username': [] } } } }, /has no value/],
  [{ Statement: { ...GOOD, Condition: { StringEquals: { 'aws:username': {} } } } }, /must be a string/],
  [{ Statement: { ...GOOD, Condition: { IpAddress: { 'aws:username': '10.0.0.0/8' } } } }, /does not fit/],
  [{ Statement: { ...GOOD, Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.1/8' } } } }, /is not a value for IpAddress/],
  [{ Statement: { ...GOOD, Condition: { Bool: { 'aws:SecureTransport': 'yes' } } } }, /is not a value for Bool/],
  [{ Statement: { ...GOOD, Condition: { ArnLike: { 'aws:PrincipalArn': 'alice' } } } }, /is not a value for ArnLike/],
  [{ Statement: { ...GOOD, Condition: { Null: { 'aws:username': 'x' } } } }, /true.*false/],
];
for (const [document, names] of MALFORMED) {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  test(`refused: ${text.slice(0, 120)}`, () => {
    assert.throws(
      () => parsePolicy(text, 'resource'),
      (error) => (isFault(error, 'policy-invalid') && names.test(error.facts.reason) ? true : assert.fail(String(error))),
    );
  });
}

test('a key with several values: a plain test needs one of them, a negated one all', () => {
  const context = {
    resourceTags: new Map([
      ['Team', 'blue'],
      ['team', 'red'],
    ]),
  };
  const cases: [operator: string, holds: boolean][] = [
    ['StringEquals', true],
    ['StringNotEquals', false],
    ['ForAnyValue:StringNotEquals', true],
    ['ForAllValues:StringEquals', false],
    ['ForAllValues:StringNotEquals', false],
  ];
  for (const [operator, holds] of cases) {
    const Condition = { [operator]: { 'aws:ResourceTag/Team': 'blue' } };
    assert.equal(decide({ identity: [{ ...ALLOW_ALL, Condition }] }, { context }), holds ? 'allowed' : 'denied', operator);
  }
});

test('an identity policy names resources and no principals', () => {
  const parse = (statement: object) => () =>
    parsePolicy(JSON.stringify({ Statement: statement }), 'identity' satisfies PolicyKind);
  assert.throws(parse({ Effect: 'Allow', Action: '*' }), /needs a Resource/);
  assert.throws(parse({ ...ALLOW_ALL, Principal: '*' }), /cannot name principals/);
  assert.doesNotThrow(parse(ALLOW_ALL));
});

test('a document of 10,240 characters is read, one more is not', () => {
  const text = JSON.stringify({ Statement: GOOD });
  parsePolicy(text.padEnd(MAX_POLICY_LENGTH), 'resource');
  assert.throws(() => parsePolicy(text.padEnd(MAX_POLICY_LENGTH + 1), 'resource'), /longer than 10240/);
});

test('globs', () => {
  const cases: [pattern: string, text: string, matches: boolean][] = [
    ['', '', true],
    ['*', '', true],
    ['?', '', false],
    ['a*b*c', 'aXbYc', true],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'acb', false],
    ['*ab', 'aab', true],
    ['*a?', 'aab', true],
    ['a**', 'a', true],
    ['?*?', 'a', false],
    ['?*?', 'ab', true],
    ['a.c', 'abc', false],
    ['*?x', 'xx', true],
  ];
  for (const [pattern, text, matches] of cases) assert.equal(matchesGlob(pattern, text), matches, `${pattern} ${text}`);
});

test('a glob agrees with the regular expression it stands for', () => {
  const words = (letters: string, length: number): string[] =>
    length === 0 ? [''] : words(letters, length - 1).flatMap((word) => [...letters].map((letter) => word + letter));
  const texts = [0, 1, 2, 3, 4].flatMap((length) => words('ab', length));
  for (const pattern of [0, 1, 2, 3, 4].flatMap((length) => words('a*?', length))) {
    const expression = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
    for (const text of texts) assert.equal(matchesGlob(pattern, text), expression.test(text), `${pattern} ${text}`);
  }
});
