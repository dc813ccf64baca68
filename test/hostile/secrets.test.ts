import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ECR } from '@aws-sdk/client-ecr';
import { createHttp } from '../conformance/http.ts';
import { startTarget } from './hostile-server.ts';

const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

test('no secret is in the log at its most talkative, nor in what anybody is told', async (t) => {
  const given = { HOLDFAST_ACCESS_KEY_ID: 'AKIAREDACTIONTEST', HOLDFAST_SECRET_ACCESS_KEY: 'first-key-secret-4f1c9a' };
  const target = await startTarget(t, given);
  const { server, http } = target;
  const answers: string[] = [];
  const say = async (promise: Promise<{ status: number; headers: object; body: Buffer }>): Promise<number> => {
    const answer = await promise;
    answers.push(JSON.stringify(answer.headers), answer.body.toString());
    return answer.status;
  };
  const made = await server.run(['key', 'create', '--user', 'bob', '--allow', 'push:app', '--json']);
  assert.equal(made.code, 0, made.stderr);
  const key = JSON.parse(made.stdout) as { accessKeyId: string; secretAccessKey: string };
  const ecr = new ECR({ endpoint: server.url, region: 'us-east-1', credentials: key, maxAttempts: 1 });
  t.after(() => ecr.destroy());
  const { authorizationData } = await ecr.getAuthorizationToken({});
  const token = Buffer.from(authorizationData?.[0]?.authorizationToken ?? '', 'base64')
    .toString()
    .slice('AWS:'.length);
  const { downloadUrl = '' } = await ecr.getDownloadUrlForLayer({
    repositoryName: 'app',
    layerDigest: target.image.layer.digest,
  });
  const grant = downloadUrl.slice(downloadUrl.lastIndexOf('/') + 1);
  assert.ok(token.length > 20 && grant.length > 20);
  assert.equal(await say(http.send({ method: 'GET', url: downloadUrl })), 200);
  answers.length = 0;

  const logins = {
    'a token': basic('AWS', token),
    'a spoiled token': basic('AWS', `${token}x`),
    'a key': basic(key.accessKeyId, key.secretAccessKey),
    'a key with a wrong user': basic('AKIANOBODY', key.secretAccessKey),
    'a key that is not Basic': `Bearer ${key.secretAccessKey}`,
    'a key without a colon': `Basic ${Buffer.from(key.secretAccessKey).toString('base64')}`,
  };
  for (const authorization of Object.values(logins)) {
    const client = createHttp({ baseUrl: server.url, authorization });
    t.after(() => client.close());
    for (const url of [
      '/v2/',
      '/v2/app/manifests/good',
      '/v2/app/manifests/none',
      '/v2/other/app/tags/list',
      '/v2/_catalog',
      '/holdfast/v1/holds',
      `/v2/app/manifests/${'x'.repeat(300)}`,
    ]) {
      for (const method of ['GET', 'PUT', 'DELETE', 'POST']) await say(client.send({ method, url }));
    }
  }
  for (const spoil of [grant.slice(0, -1), `${grant}x`, grant.toUpperCase()]) {
    for (const url of [
      `/holdfast/download/${spoil}`,
      `/holdfast/download/${spoil}/x`,
      `/holdfast/download//${grant}`,
      `/v2/../holdfast/download/${grant}`,
    ])
      await say(http.send({ method: 'GET', url }));
  }
  await say(target.post('DescribeRepositories', '{}', (headers) => headers.push(['x-amz-security-token', token])));
  await say(target.post('DescribeRepositories', '{"repositoryNames": 5}'));
  await say(target.post('PutImage', JSON.stringify({ repositoryName: 'app', imageManifest: '{' })));
  const others = server.run(['key', 'list', '--json']);
  answers.push((await others).stdout);
  await target.raw(`GET /v2/ HTTP/1.1\r\nHost: x\r\nAuthorization: ${logins['a key']}\r\nX-Bad\0: 1\r\n\r\n`);

  const secrets: Record<string, string> = {
    'the first secret': given.HOLDFAST_SECRET_ACCESS_KEY,
    "bob's secret": key.secretAccessKey,
    'the token': token,
    'the download grant': grant,
    ...Object.fromEntries(
      Object.entries(logins).map(([name, value]) => [`the header of ${name}`, value.slice(value.indexOf(' ') + 1)]),
    ),
    'the first key as a header': target.authorization.slice('Basic '.length),
  };
  const log = server.log();
  assert.ok(log.split('\n').length > 150, 'the log says too little to prove anything');
  for (const [name, secret] of Object.entries(secrets)) {
    assert.ok(secret.length > 10, name);
    const at = log.indexOf(secret);
    assert.equal(at, -1, `${name} is in the log: ${log.slice(Math.max(0, at - 200), at + 100)}`);
    const told = answers.find((answer) => answer.includes(secret));
    assert.equal(told, undefined, `somebody was told ${name}`);
  }
  await target.expectUnharmed();
});
