import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault } from '../../core/fault.ts';
import { createHostPlaces } from './host-place.ts';

const placeOf = createHostPlaces({ account: '123456789012', regions: ['us-east-1', 'eu-west-1'] });

test('an ECR host name leads to its account and region, any other to the first', () => {
  const first = { account: '123456789012', region: 'us-east-1' };
  for (const host of [
    undefined,
    '',
    'localhost:4600',
    '127.0.0.1:4600',
    'registry.example.com',
    '1234.dkr.ecr.eu-west-1.example.com',
  ])
    assert.deepEqual(placeOf(host), first, host);
  assert.deepEqual(placeOf('123456789012.dkr.ecr.eu-west-1.amazonaws.com'), { account: '123456789012', region: 'eu-west-1' });
  assert.deepEqual(placeOf('123456789012.DKR.ecr.eu-west-1.localhost:4600'), { account: '123456789012', region: 'eu-west-1' });
});

test('an account or region that is not served here is said so', () => {
  assert.throws(
    () => placeOf('123456789012.dkr.ecr.mars-1.localhost'),
    (error) => isFault(error, 'region-unknown') && error.facts.region === 'mars-1',
  );
  assert.throws(
    () => placeOf('999999999999.dkr.ecr.us-east-1.localhost'),
    (error) => isFault(error, 'account-unknown') && error.facts.account === '999999999999',
  );
});
