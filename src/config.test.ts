import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, parseDuration, readConfig } from './config.ts';

test('the defaults are those of the contract', () => {
  assert.deepEqual(readConfig({}, {}, '/srv'), {
    host: '127.0.0.1',
    port: 4600,
    dataFolder: '/srv/.holdfast',
    runtime: 'auto',
    accountId: '123456789012',
    regions: ['us-east-1'],
    blobsFolder: '/srv/.holdfast/blobs',
    logLevel: 'info',
    tagImmutableMessage: 'as-mutability',
    graceMs: 86_400_000,
    leaseMs: 900_000,
    collectEveryMs: 60_000,
    settleMs: 500,
    resolve: 'first-task',
    taskImage: 'as-started',
    unpackedKeepMs: 604_800_000,
    unpackedMostBytes: 10 * 1024 ** 3,
  });
});

test('a flag wins over the environment, and an empty variable counts as unset', () => {
  const config = readConfig(
    { HOLDFAST_PORT: '1', HOLDFAST_HOST: '', HOLDFAST_REGION: 'eu-west-1, us-east-1,eu-west-1' },
    { port: '0' },
    '/',
  );
  assert.equal(config.port, 0);
  assert.equal(config.host, '127.0.0.1');
  assert.deepEqual(config.regions, ['eu-west-1', 'us-east-1']);
});

for (const [env, says] of [
  [{ HOLDFAST_PORT: '65536' }, /HOLDFAST_PORT \(--port\): "65536" is not a whole number/],
  [{ HOLDFAST_PORT: 'x' }, /HOLDFAST_PORT/],
  [{ HOLDFAST_UNPACKED_MOST: '10GB' }, /HOLDFAST_UNPACKED_MOST \(--unpacked-most\): "10GB" is not an amount/],
  [{ HOLDFAST_ACCOUNT_ID: '12345678901' }, /12 digits/],
  [{ HOLDFAST_REGION: 'us-east-1,../x' }, /"..\/x" is not a region's name/],
  [{ HOLDFAST_RUNTIME: 'lxc' }, /"lxc" is not one of auto/],
  [{ HOLDFAST_ACCESS_KEY_ID: 'AKIAX' }, /HOLDFAST_SECRET_ACCESS_KEY .* is missing/],
  [{ HOLDFAST_BLOBS: 's3://bucket/x' }, /only file:FOLDER is/],
  [{ HOLDFAST_DATABASE_URL: 'mysql://ann:secret@localhost/x' }, /^(?!.*secret).*no PostgreSQL address/],
  [{ HOLDFAST_GRACE: '1 day' }, /is not a time/],
  [{ HOLDFAST_PUBLIC_HOST: 'http://x/' }, /without a scheme/],
] as const) {
  test(`refuses ${JSON.stringify(env)}`, () => {
    assert.throws(
      () => readConfig(env, {}, '/'),
      (error) => error instanceof ConfigError && says.test(error.message),
    );
  });
}

test('times are read in the usual units', () => {
  assert.deepEqual(['0', '500ms', '40s', '15m', '24h', '7d', '1w', '-1s', '1.5s', 's'].map(parseDuration), [
    0,
    500,
    40_000,
    900_000,
    86_400_000,
    604_800_000,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
