import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ECR_TARGET as ECR, postToAws as post, type AwsAnswer as Answer } from '../../../test/support/aws-post.ts';
import { useAwsServer } from '../../../test/support/aws-server.ts';

function assertError(answer: Answer, type: string, message: RegExp): void {
  assert.equal(answer.json['__type'], type, answer.text);
  assert.match(String(answer.json['message']), message);
  assert.equal(answer.status, 400);
  assert.equal(answer.headers['x-amzn-errortype'], type);
  assert.equal(answer.headers['content-type'], 'application/x-amz-json-1.1');
  assert.match(String(answer.headers['x-amzn-requestid']), /^[0-9a-f-]{36}$/);
  assert.ok(answer.headers['date'], 'clients correct their clock by it');
}

describe('the AWS JSON protocol', () => {
  const server = useAwsServer();

  test('a good request is answered in the protocol', async () => {
    const answer = await post(server(), {});
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/x-amz-json-1.1');
    assert.match(String(answer.headers['x-amzn-requestid']), /^[0-9a-f-]{36}$/);
    assert.deepEqual(answer.json, { registryId: '123456789012', replicationConfiguration: { rules: [] } });
  });

  test('an empty body is an empty object', async () => {
    assert.equal((await post(server(), { body: '' })).status, 200);
  });

  test('the target is looked at before anything else', async () => {
    for (const target of [
      '',
      'Nonsense',
      `${ECR}.`,
      `${ECR}.Nonsense`,
      `${ECR}.constructor`,
      `${ECR}.__proto__`,
      'AmazonEC2ContainerServiceV2.ListClusters',
    ]) {
      assertError(await post(server(), { target, body: 'not JSON', sign: false }), 'UnknownOperationException', /operation/);
    }
  });

  test('the signature is looked at before the body', async () => {
    assertError(
      await post(server(), { sign: false, body: 'not JSON' }),
      'MissingAuthenticationTokenException',
      /Missing Authentication Token/,
    );
    const flip = (headers: [string, string][]) => {
      for (const header of headers)
        if (header[0] === 'authorization') header[1] = header[1].replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
    };
    assertError(
      await post(server(), { tamper: flip, body: 'not JSON' }),
      'InvalidSignatureException',
      /does not match the signature you provided/,
    );
    const otherKey = (headers: [string, string][]) => {
      for (const header of headers)
        if (header[0] === 'authorization') header[1] = header[1].replace(/Credential=[^/]+/, 'Credential=AKIANOBODYNOBODY1234');
    };
    assertError(
      await post(server(), { tamper: otherKey }),
      'UnrecognizedClientException',
      /^The security token included in the request is invalid\.$/,
    );
    const otherTarget = (headers: [string, string][]) => {
      for (const header of headers) if (header[0] === 'x-amz-target') header[1] = `${ECR}.DescribeRepositories`;
    };
    assertError(await post(server(), { tamper: otherTarget }), 'InvalidSignatureException', /does not match/);
  });

  test('a signature for another service or region is refused', async () => {
    assertError(await post(server(), { service: 'ecs' }), 'InvalidSignatureException', /correct service: 'ecr'/);
    assertError(await post(server(), { region: 'mars-1' }), 'InvalidSignatureException', /valid region.*us-east-1, eu-west-1/);
    assert.equal((await post(server(), { region: 'eu-west-1' })).status, 200);
  });

  test('the body is JSON, an object, and has each member once', async () => {
    for (const body of [
      'not JSON',
      '{"repositoryName":',
      '[]',
      '"text"',
      'null',
      '{"a":1,"a":2}',
      `${'['.repeat(100)}${']'.repeat(100)}`,
    ]) {
      assertError(await post(server(), { body }), 'SerializationException', /body/);
    }
    assertError(
      await post(server(), { target: `${ECR}.DescribeRepositories`, body: '{"maxResults":"7"}' }),
      'SerializationException',
      /STRING_VALUE cannot be converted to Integer at 'maxResults'/,
    );
  });

  test('then the shape is looked at, in the words of ECR', async () => {
    const cases: [operation: string, input: object, message: string][] = [
      [
        'DescribeRepositories',
        { maxResults: 1001 },
        "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value less than or equal to 1000'",
      ],
      ['CreateRepository', {}, "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'Member must not be null'"],
      [
        'CreateRepository',
        { repositoryName: 'Upper' },
        "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(\\/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*''",
      ],
      [
        'CreateRepository',
        { repositoryName: 'a' },
        "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'Member must have length greater than or equal to 2'",
      ],
      [
        'PutImageTagMutability',
        { repositoryName: 'team/app', imageTagMutability: 'invalid' },
        "Invalid parameter at 'imageTagMutability' failed to satisfy constraint: 'Member must satisfy enum value set: [IMMUTABLE, MUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION]'",
      ],
      [
        'PutImage',
        { repositoryName: 'team/app', imageManifest: '{}', imageTag: 'a+b' },
        "Invalid parameter at 'imageTag' failed to satisfy constraint: 'must satisfy regular expression '[a-zA-Z0-9-_.]+''",
      ],
      [
        'BatchGetImage',
        { repositoryName: 'team/app', imageIds: [] },
        "Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length greater than or equal to 1'",
      ],
    ];
    for (const [operation, input, message] of cases) {
      const answer = await post(server(), { target: `${ECR}.${operation}`, body: JSON.stringify(input) });
      assertError(answer, 'InvalidParameterException', /./);
      assert.equal(answer.json['message'], message);
    }
  });

  test('a body may be as long as its operation needs, and no longer', async () => {
    const text = `{"unknown":"${'x'.repeat(8 * 1024 * 1024)}"}`;
    assertError(await post(server(), { body: text }), 'RequestEntityTooLargeException', /8388608 bytes/);
    assertError(
      await post(server(), { target: `${ECR}.UploadLayerPart`, body: text }),
      'InvalidParameterException',
      /repositoryName/,
    );
  });

  test('sts says who the caller is', async () => {
    const answer = await post(server(), {
      target: '',
      service: 'sts',
      contentType: 'application/x-www-form-urlencoded; charset=utf-8',
      body: 'Action=GetCallerIdentity&Version=2011-06-15',
    });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['content-type'], 'text/xml');
    assert.match(answer.text, /<Arn>arn:aws:iam::123456789012:user\/admin<\/Arn>.*<Account>123456789012<\/Account>/);
    const unsigned = await post(server(), {
      target: '',
      sign: false,
      contentType: 'application/x-www-form-urlencoded',
      body: 'Action=GetCallerIdentity',
    });
    assert.equal(unsigned.status, 400);
    assert.match(unsigned.text, /<Code>MissingAuthenticationToken<\/Code>/);
    const other = await post(server(), {
      target: '',
      service: 'sts',
      contentType: 'application/x-www-form-urlencoded',
      body: 'Action=AssumeRole',
    });
    assert.match(other.text, /<Code>InvalidAction<\/Code>/);
  });
});
