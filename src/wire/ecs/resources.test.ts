import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arnOfService, arnOfTaskSet } from './resources.ts';

const place = { account: '123456789012', region: 'us-east-1' };
const arn = (resource: string): string => `arn:aws:ecs:us-east-1:123456789012:${resource}`;

test('rights are asked for on the ARN that a request comes to', () => {
  const cases: [cluster: string | undefined, service: string, asked: string][] = [
    [undefined, 'web', arn('service/default/web')],
    ['prod', 'web', arn('service/prod/web')],
    [arn('cluster/prod'), 'web', arn('service/prod/web')],
    ['prod', arn('service/prod/web'), arn('service/prod/web')],
    // The short format names no cluster, and so is what the cluster has.
    ['prod', arn('service/web'), arn('service/prod/web')],
    ['prod', arn('service/dev/web'), arn('service/dev/web')],
    ['prod', 'arn:aws:ecs:eu-west-1:123456789012:service/web', 'arn:aws:ecs:eu-west-1:123456789012:service/web'],
  ];
  for (const [cluster, service, asked] of cases) assert.equal(arnOfService(place, cluster, service), asked);
  assert.equal(arnOfTaskSet(place, 'prod', 'web', 'ecs-svc/1'), arn('task-set/prod/web/ecs-svc/1'));
});
