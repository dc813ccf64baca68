import assert from 'node:assert/strict';
import { test } from 'node:test';
import { registryHost } from './registry-host.ts';

const regions = ['us-east-1', 'eu-west-1'];
const here = { account: '123456789012', region: 'us-east-1' };
const there = { account: '123456789012', region: 'eu-west-1' };

const cases: [string | undefined, string | undefined, typeof here, string][] = [
  [undefined, '127.0.0.1:4600', here, '127.0.0.1:4600'],
  [undefined, 'localhost:4600', there, '123456789012.dkr.ecr.eu-west-1.localhost:4600'],
  [undefined, '127.0.0.1:4600', there, '123456789012.dkr.ecr.eu-west-1.localhost:4600'],
  [undefined, '[::1]:4600', there, '123456789012.dkr.ecr.eu-west-1.localhost:4600'],
  [undefined, '123456789012.dkr.ecr.eu-west-1.localhost:4600', here, 'localhost:4600'],
  [undefined, '123456789012.dkr.ecr.eu-west-1.localhost:4600', there, '123456789012.dkr.ecr.eu-west-1.localhost:4600'],
  ['registry.example:8443', '127.0.0.1:4600', here, 'registry.example:8443'],
  ['registry.example:8443', '127.0.0.1:4600', there, '123456789012.dkr.ecr.eu-west-1.registry.example:8443'],
  ['123456789012.dkr.ecr.us-east-1.example.com', 'localhost:4600', here, '123456789012.dkr.ecr.us-east-1.example.com'],
  ['123456789012.dkr.ecr.us-east-1.example.com', 'localhost:4600', there, '123456789012.dkr.ecr.eu-west-1.example.com'],
  [undefined, undefined, here, 'localhost'],
  [undefined, 'evil.example/path?x', here, 'localhost'],
  [undefined, '<script>', there, '123456789012.dkr.ecr.eu-west-1.localhost'],
];

for (const [publicHost, requestHost, place, expected] of cases) {
  test(`${publicHost ?? 'no public host'}, asked at ${requestHost}, in ${place.region}: ${expected}`, () => {
    assert.equal(registryHost({ regions, ...(publicHost === undefined ? {} : { publicHost }) }, requestHost, place), expected);
  });
}
