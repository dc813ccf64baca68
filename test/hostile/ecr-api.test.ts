import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ecrCoverage } from '../../src/wire/ecr/operations.ts';
import type { Answer } from '../conformance/http.ts';
import { startTarget } from './hostile-server.ts';

const MIB = 1024 * 1024;
const operations = ecrCoverage().map(({ operation }) => operation);

function expectAwsRefusal(answer: Answer, what: string): void {
  assert.ok(answer.status >= 400 && answer.status < 500, `${what}: ${answer.status} ${answer.body.toString().slice(0, 300)}`);
  const document = JSON.parse(answer.body.toString()) as { __type?: string; message?: string; Message?: string };
  assert.match(document.__type ?? '', /^[A-Za-z.#]+$/, what);
  assert.ok((document.message ?? document.Message ?? '').length < 5000, what);
}

test('32 MiB of JSON, and JSON without end, to every operation', async (t) => {
  const target = await startTarget(t);
  const huge = Buffer.alloc(32 * MIB + 1, ' ');
  huge.write('{"a":"');
  const bodies: Record<string, string | Buffer> = {
    'a hundred thousand levels': `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    'a hundred thousand open objects': '{"a":'.repeat(100_000),
    'a list': '[]',
    'a number': '1e400',
    'nothing that ends': '{"repositoryName":"app"',
    'two names': '{"repositoryName":"app","repositoryName":"other/app"}',
    'not UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
  };
  for (const operation of operations) {
    // Declared as too long, it is refused before it is read.
    expectAwsRefusal(await target.post(operation, huge), `${operation}, 32 MiB`);
    for (const [what, body] of Object.entries(bodies))
      expectAwsRefusal(await target.post(operation, body), `${operation}, ${what}`);
  }
  await target.expectUnharmed();
});

test('members of the wrong kind and of hostile content, to every operation', async (t) => {
  const target = await startTarget(t);
  const values: unknown[] = [
    null,
    true,
    -1,
    1e308,
    '',
    '\u0000',
    '../../../etc/passwd',
    'x'.repeat(100_000),
    [],
    [[]],
    { a: 1 },
    Array.from({ length: 5000 }, () => 'a'),
    '\u202e\ud800',
    "'; drop table manifest; --",
  ];
  for (const operation of operations) {
    for (const value of values) {
      const members = [
        'registryId',
        'repositoryName',
        'repositoryNames',
        'imageIds',
        'imageDigest',
        'imageTag',
        'imageManifest',
        'layerDigests',
        'uploadId',
        'nextToken',
        'maxResults',
        'filter',
        'tags',
        'prefix',
        'policyText',
        'resourceArn',
      ];
      const body = JSON.stringify(Object.fromEntries(members.map((member) => [member, value])));
      const { status, body: answer } = await target.post(operation, body);
      assert.ok(
        status === 200 || (status >= 400 && status < 500),
        `${operation} with ${JSON.stringify(value)?.slice(0, 60)}: ${status} ${answer.toString().slice(0, 300)}`,
      );
    }
  }
  await target.expectUnharmed();
});

test('signatures that are not quite right, over the wire', async (t) => {
  const target = await startTarget(t);
  const set = (headers: [string, string][], name: string, change: (value: string) => string): void => {
    const entry = headers.find(([each]) => each.toLowerCase() === name);
    if (entry !== undefined) entry[1] = change(entry[1]);
    else headers.push([name, change('')]);
  };
  const authorization = (change: (value: string) => string) => (headers: [string, string][]) =>
    set(headers, 'authorization', change);
  const spoiled: Record<string, (headers: [string, string][]) => void> = {
    'one digit of the signature': authorization((value) => value.replace(/.$/, (last) => (last === '0' ? '1' : '0'))),
    'no signature': authorization((value) => value.replace(/Signature=.*/, 'Signature=')),
    'another key': authorization((value) => value.replace(/Credential=[^/]+/, 'Credential=AKIAIOSFODNN7EXAMPLE')),
    'a key with quotes': authorization((value) => value.replace(/Credential=[^/]+/, "Credential=' or '1'='1")),
    'another day': authorization((value) => value.replace(/\/\d{8}\//, '/20150830/')),
    'another region': authorization((value) => value.replace('/us-east-1/', '/eu-west-1/')),
    'another service': authorization((value) => value.replace('/ecr/', '/s3/')),
    'no signed host': authorization((value) => value.replace('host;', '')),
    'an unsigned header': (headers) => set(headers, 'x-amz-security-token', () => 'x'),
    'another operation': (headers) =>
      set(headers, 'x-amz-target', (value) => value.replace('DescribeRepositories', 'DeleteRepository')),
    'another time': (headers) => set(headers, 'x-amz-date', () => '20150830T123600Z'),
    'no time': (headers) => set(headers, 'x-amz-date', () => 'now'),
    'an unsigned payload': (headers) => set(headers, 'x-amz-content-sha256', () => 'UNSIGNED-PAYLOAD'),
    'a streaming payload': (headers) => set(headers, 'x-amz-content-sha256', () => 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'),
    'another algorithm': authorization((value) => value.replace('AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256')),
    'no algorithm': authorization(() => 'none'),
    'a Basic login': authorization(() => target.authorization),
    'two of everything': authorization((value) => `${value}, ${value}`),
    '8 KiB more': authorization((value) => `${value}${' '.repeat(8192)}x`),
    'a thousand signed headers': authorization((value) => value.replace('SignedHeaders=', `SignedHeaders=${'a;'.repeat(1000)}`)),
    'no login at all': (headers) =>
      headers.splice(0, headers.length, ...headers.filter(([name]) => name.toLowerCase() !== 'authorization')),
  };
  assert.equal((await target.post('DescribeRepositories', '{}')).status, 200);
  for (const [what, tamper] of Object.entries(spoiled)) {
    const answer = await target.post('DescribeRepositories', '{}', tamper);
    expectAwsRefusal(answer, what);
    assert.doesNotMatch(answer.body.toString(), /"repositories"/, what);
  }
  await target.expectUnharmed();
});
