import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameIn, nameOf } from './arn.ts';

const place = { account: '123456789012', region: 'us-east-1' };
const cluster = { ...place, name: 'prod' };

test('a resource goes by its name, or by its ARN and nothing like it', () => {
  assert.equal(nameOf(place, 'cluster', 'prod'), 'prod');
  assert.equal(nameOf(place, 'cluster', 'arn:aws:ecs:us-east-1:123456789012:cluster/prod'), 'prod');
  for (const other of [
    'arn:aws:ecs:us-east-1:123456789012:cluster/dev/prod',
    'arn:aws:ecs:us-east-1:123456789012:cluster/prod/',
    'arn:aws:ecs:us-east-1:123456789012:service/prod',
    'arn:aws:ecs:eu-west-1:123456789012:cluster/prod',
    'arn:aws:ecs:us-east-1:111111111111:cluster/prod',
    'arn:aws-cn:ecs:us-east-1:123456789012:cluster/prod',
    'arn:aws:ecr:us-east-1:123456789012:cluster/prod',
    'arn:aws:ecs:us-east-1',
  ])
    assert.equal(nameOf(place, 'cluster', other), undefined, other);
});

test('what a cluster has goes by an ARN of that cluster, or of the short format', () => {
  assert.equal(nameIn(cluster, 'service', 'web'), 'web');
  assert.equal(nameIn(cluster, 'service', 'arn:aws:ecs:us-east-1:123456789012:service/prod/web'), 'web');
  assert.equal(nameIn(cluster, 'service', 'arn:aws:ecs:us-east-1:123456789012:service/web'), 'web');
  for (const other of ['service/dev/web', 'service/prod/dev/web', 'service/dev/prod/web', 'service/prod/web/', 'task/prod/web'])
    assert.equal(nameIn(cluster, 'service', `arn:aws:ecs:us-east-1:123456789012:${other}`), undefined, other);
});
