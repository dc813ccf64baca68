import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createManualClock } from '../../core/clock.ts';
import type { AwsCall } from '../aws-call.ts';
import { FetchError } from '../outcome.ts';
import { findAwsKeys, type AwsKeys } from './aws-keys.ts';
import { createEcrSource } from './ecr.ts';
import { CredentialError } from './keychain.ts';

const AWS: AwsKeys = { accessKeyId: 'AKIDAWS', secretAccessKey: 'a' };
const OWN: AwsKeys = { accessKeyId: 'AKIDOWN', secretAccessKey: 'b' };
const HOST = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';

function source(answer: () => unknown, keys: AwsKeys | undefined = AWS) {
  const clock = createManualClock(0);
  const calls: { keys: AwsKeys; call: AwsCall }[] = [];
  const made = createEcrSource({
    findKeys: async () => keys,
    call: async (usedKeys, call) => {
      calls.push({ keys: usedKeys, call });
      return answer() as never;
    },
    clock,
    own: { host: 'localhost:4600', endpoint: new URL('http://localhost:4600'), region: 'us-east-1', keys: OWN },
  });
  return { ...made, calls, clock };
}

const token = (text: string) => ({ authorizationToken: Buffer.from(text).toString('base64') });

test('ECR and the own server are asked each with its own keys, and other hosts nobody', async () => {
  const { find, calls, clock } = source(() => ({ authorizationData: [token('AWS:pass:word')] }));
  assert.deepEqual(await find(HOST), { kind: 'password', username: 'AWS', password: 'pass:word' });
  await find('localhost:4600');
  assert.equal(await find('ghcr.io'), undefined);
  assert.equal(await find(`${HOST}.evil.example`), undefined);
  assert.deepEqual(
    calls.map(({ keys, call }) => [keys.accessKeyId, call.endpoint.href, call.region]),
    [
      ['AKIDAWS', 'https://api.ecr.eu-west-1.amazonaws.com/', 'eu-west-1'],
      ['AKIDOWN', 'http://localhost:4600/', 'us-east-1'],
    ],
  );
  await find(HOST);
  assert.equal(calls.length, 2);
  clock.advance(7 * 3600_000);
  await find(HOST);
  assert.equal(calls.length, 3);
});

test('the public gallery answers with one object instead of a list', async () => {
  const { find } = source(() => ({ authorizationData: token('AWS:x') }));
  assert.deepEqual(await find('public.ecr.aws'), { kind: 'password', username: 'AWS', password: 'x' });
});

test('a refusal is told without keys or tokens, and no keys are no failure', async () => {
  const refused = source(() => {
    throw new FetchError({ kind: 'denied', host: 'x', reason: 'UnrecognizedClientException' });
  });
  await assert.rejects(
    async () => refused.find(HOST),
    (error) => error instanceof CredentialError && /UnrecognizedClient/.test(error.message),
  );
  await assert.rejects(async () => source(() => ({})).find(HOST), CredentialError);
});

test('keys come from the environment, else from the profile of the shared file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-aws-'));
  try {
    const path = join(folder, 'credentials');
    await writeFile(
      path,
      '[default]\naws_access_key_id = D\naws_secret_access_key=d\r\n\n[ci]\naws_access_key_id=C\naws_secret_access_key = c=c/+\naws_session_token=t\n[broken]\naws_access_key_id=B\n',
    );
    const file = { AWS_SHARED_CREDENTIALS_FILE: path };
    assert.deepEqual(await findAwsKeys({ ...file, AWS_ACCESS_KEY_ID: 'E', AWS_SECRET_ACCESS_KEY: 'e' }), {
      accessKeyId: 'E',
      secretAccessKey: 'e',
    });
    assert.deepEqual(await findAwsKeys(file), { accessKeyId: 'D', secretAccessKey: 'd' });
    assert.deepEqual(await findAwsKeys({ ...file, AWS_PROFILE: 'ci' }), {
      accessKeyId: 'C',
      secretAccessKey: 'c=c/+',
      sessionToken: 't',
    });
    assert.equal(await findAwsKeys({ ...file, AWS_PROFILE: 'broken' }), undefined);
    assert.equal(await findAwsKeys({ HOME: join(folder, 'nobody') }), undefined);
  } finally {
    await rm(folder, { recursive: true });
  }
});
