import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault } from '../core/fault.ts';
import { evaluatePolicies, parsePolicy } from '../core/iam-policy.ts';
import { compileAllow } from './allow.ts';

const ACCOUNT = '123456789012';
const principal = { arn: `arn:aws:iam::${ACCOUNT}:user/alice`, account: ACCOUNT, userName: 'alice' };

function may(allow: string[], action: string, repository?: string, place = `us-east-1:${ACCOUNT}`): boolean {
  const policy = parsePolicy(compileAllow(allow, ACCOUNT), 'identity');
  const resourceArn = repository === undefined ? '*' : `arn:aws:ecr:${place}:repository/${repository}`;
  return evaluatePolicies({ identity: [policy], resource: [], principal, action, resourceArn, context: {} }) === 'allowed';
}

test('full may do everything', () => {
  for (const action of ['ecr:DeleteRepository', 'ecs:RunTask', 'holdfast:CreateKey']) assert.ok(may(['full'], action));
});

test('read-only may ask everything and change nothing', () => {
  for (const action of ['ecr:GetAuthorizationToken', 'sts:GetCallerIdentity', 'ecs:ListTasks', 'holdfast:ListHolds'])
    assert.ok(may(['read-only'], action), action);
  for (const action of [
    'ecr:BatchGetImage',
    'ecr:GetDownloadUrlForLayer',
    'ecr:BatchCheckLayerAvailability',
    'ecr:DescribeImages',
    'ecr:GetRepositoryPolicy',
  ]) {
    assert.ok(may(['read-only'], action, 'team/app'), action);
  }
  for (const action of [
    'ecr:PutImage',
    'ecr:InitiateLayerUpload',
    'ecr:BatchDeleteImage',
    'ecr:CreateRepository',
    'ecr:SetRepositoryPolicy',
    'ecr:TagResource',
    'ecr:StartImageScan',
    'ecs:RunTask',
    'holdfast:CreateKey',
    'holdfast:RestoreTag',
  ]) {
    assert.ok(!may(['read-only'], action, 'team/app'), action);
  }
});

test('hold takes and releases holds, and nothing else', () => {
  for (const action of ['holdfast:CreateHold', 'holdfast:ListHolds', 'holdfast:ReleaseHold']) {
    assert.ok(may(['hold:team/*'], action, 'team/app'), action);
    assert.ok(!may(['hold:team/*'], action, 'other'), action);
    assert.ok(!may(['hold:team/*'], action), action);
  }
  for (const action of ['ecr:BatchGetImage', 'ecr:PutImage', 'ecr:BatchDeleteImage', 'holdfast:RestoreTag'])
    assert.ok(!may(['hold:team/*'], action, 'team/app'), action);
});

test('push implies pull, on the same pattern and no other', () => {
  for (const action of [
    'ecr:PutImage',
    'ecr:InitiateLayerUpload',
    'ecr:UploadLayerPart',
    'ecr:CompleteLayerUpload',
    'ecr:BatchGetImage',
    'ecr:GetDownloadUrlForLayer',
    'ecr:ListImages',
  ]) {
    assert.ok(may(['push:team/*'], action, 'team/app'), action);
    assert.ok(may(['push:team/*'], action, 'team/deep/app', `eu-west-1:${ACCOUNT}`), action);
    for (const other of ['team', 'teams/app', 'other/team/app', 'other'])
      assert.ok(!may(['push:team/*'], action, other), `${action} ${other}`);
    assert.ok(!may(['push:team/*'], action, 'team/app', 'us-east-1:210987654321'), action);
  }
  for (const action of ['ecr:BatchDeleteImage', 'ecr:CreateRepository', 'ecr:DeleteRepository', 'ecr:SetRepositoryPolicy']) {
    assert.ok(!may(['push:team/*'], action, 'team/app'), action);
  }
  assert.ok(may(['push:team/*'], 'ecr:GetAuthorizationToken'));
});

test('pull does not push', () => {
  assert.ok(may(['pull:*'], 'ecr:BatchGetImage', 'a/b'));
  assert.ok(may(['pull:*'], 'ecr:DescribeImageScanFindings', 'a/b'));
  for (const action of ['ecr:PutImage', 'ecr:InitiateLayerUpload', 'ecr:UploadLayerPart'])
    assert.ok(!may(['pull:*'], action, 'a/b'), action);
});

test('delete, create and manage', () => {
  assert.ok(may(['delete:app'], 'ecr:BatchDeleteImage', 'app'));
  assert.ok(!may(['delete:app'], 'ecr:DeleteRepository', 'app'));
  assert.ok(!may(['delete:app'], 'ecr:BatchGetImage', 'app'));
  assert.ok(may(['create:team/*'], 'ecr:CreateRepository', 'team/new'));
  assert.ok(!may(['create:team/*'], 'ecr:CreateRepository', 'new'));
  for (const action of ['ecr:DeleteRepository', 'ecr:SetRepositoryPolicy', 'ecr:PutImage', 'holdfast:RestoreTag'])
    assert.ok(may(['manage:team/*'], action, 'team/app'), action);
  assert.ok(!may(['manage:team/*'], 'holdfast:CreateKey'));
  assert.ok(!may(['manage:team/*'], 'ecr:DescribeRegistry'));
});

test('entries add up', () => {
  const allow = ['pull:*', 'push:team/*'];
  assert.ok(may(allow, 'ecr:BatchGetImage', 'other'));
  assert.ok(may(allow, 'ecr:PutImage', 'team/app'));
  assert.ok(!may(allow, 'ecr:PutImage', 'other'));
});

test('what is not in the grammar is refused', () => {
  const refused = [
    [],
    [''],
    ['Full'],
    ['full '],
    ['push'],
    ['push:'],
    ['push:Team/*'],
    ['push:a"b'],
    ['push:a?b'],
    ['pull:a:b'],
    [`pull:${'a'.repeat(257)}`],
    ['admin:x'],
    ['constructor:x'],
    Array.from({ length: 101 }, () => 'full'),
  ];
  for (const allow of refused) {
    assert.throws(
      () => compileAllow(allow, ACCOUNT),
      (error) => isFault(error, 'parameter-invalid') && error.facts.member === 'allow',
      JSON.stringify(allow),
    );
  }
});

test('a hundred patterns fit, and what makes too long a policy is refused before it is stored', () => {
  const names = Array.from({ length: 100 }, (_, index) => `push:team-${index}/*`);
  assert.ok(may(names, 'ecr:PutImage', 'team-99/app'));
  assert.throws(
    () =>
      compileAllow(
        Array.from({ length: 100 }, () => `push:${'a'.repeat(256)}`),
        ACCOUNT,
      ),
    (error) => isFault(error, 'parameter-invalid'),
  );
});
