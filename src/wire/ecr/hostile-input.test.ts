import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ECR_TARGET, postToAws } from '../../../test/support/aws-post.ts';
import { pushImage, useAwsServer } from '../../../test/support/aws-server.ts';
import { ECR_OPERATIONS } from './operations.ts';

/** Members that some operation takes, each with a value that is fine by itself. */
const FINE: Record<string, unknown> = {
  registryId: '123456789012',
  repositoryName: 'team/app',
  repositoryNames: ['team/app'],
  imageIds: [{ imageTag: 'v1' }],
  imageTag: 'v1',
  imageDigest: `sha256:${'0'.repeat(64)}`,
  imageManifest: '{"schemaVersion":2}',
  imageManifestMediaType: 'application/vnd.oci.image.manifest.v1+json',
  layerDigest: `sha256:${'0'.repeat(64)}`,
  layerDigests: [`sha256:${'0'.repeat(64)}`],
  uploadId: '00000000-0000-4000-8000-000000000000',
  partFirstByte: 0,
  partLastByte: 0,
  layerPartBlob: 'AA==',
  subjectId: { imageDigest: `sha256:${'0'.repeat(64)}` },
  filter: { tagStatus: 'ANY' },
  maxResults: 1,
  nextToken: 'token',
  resourceArn: 'arn:aws:ecr:us-east-1:123456789012:repository/team/app',
  tags: [{ Key: 'a', Value: 'b' }],
  tagKeys: ['a'],
  prefix: 'team',
  prefixes: ['team'],
  appliedFor: ['CREATE_ON_PUSH'],
  name: 'BLOB_MOUNTING',
  value: 'ENABLED',
  policyText: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:ListImages"}]}',
  rules: [],
  imageTagMutability: 'MUTABLE',
  imageTagMutabilityExclusionFilters: [{ filterType: 'WILDCARD', filter: 'a*' }],
  imageScanningConfiguration: { scanOnPush: true },
  encryptionConfiguration: { encryptionType: 'AES256' },
  resourceTags: [{ Key: 'a', Value: 'b' }],
  registryIds: ['123456789012'],
};

const HOSTILE: unknown[] = [
  -1,
  1e308,
  0.5,
  '',
  '\u0000',
  '../../../etc/passwd',
  '%2e%2e%2f',
  "'; DROP TABLE repository; --",
  'x'.repeat(100_000),
  '\ud800',
  'sha256:',
  `sha256:${'A'.repeat(64)}`,
  `sha256:${'0'.repeat(65)}`,
  [],
  [[]],
  [null],
  [''],
  ['\u0000'],
  [{}],
  Array.from({ length: 1001 }, () => 'x'),
  {},
  { __proto__: null, constructor: 1, toString: 2 },
  { imageDigest: '\u0000', imageTag: '\u0000' },
];

describe('hostile input', () => {
  const server = useAwsServer();
  before(async () => {
    await server().ecr.createRepository({ repositoryName: 'team/app' });
    await pushImage(server().ecr, 'team/app', 'one', 'v1');
  });

  // What deletes comes last, so that the others have something to work on.
  const operations = Object.keys(ECR_OPERATIONS);
  const isDeletion = (operation: string) => operation.includes('Delete');
  for (const operation of [...operations.filter((name) => !isDeletion(name)), ...operations.filter(isDeletion)]) {
    test(`${operation} answers all of it, and never as if the fault were its own`, async () => {
      const send = (member: string, value: unknown) =>
        postToAws(server(), { target: `${ECR_TARGET}.${operation}`, body: JSON.stringify({ ...FINE, [member]: value }) });
      for (const member of Object.keys(FINE)) {
        // No member is a truth value, so an operation that reads this one names it.
        const probe = await send(member, true);
        if (!probe.text.includes(`at '${member}'`)) continue;
        for (const value of HOSTILE) {
          const answer = await send(member, value);
          assert.ok(
            answer.status === 200 || answer.status === 400,
            `${member}: ${JSON.stringify(value).slice(0, 300)} gave ${answer.status} ${answer.text.slice(0, 300)}`,
          );
          assert.ok(answer.status === 200 || typeof answer.json['__type'] === 'string');
          assert.ok(answer.text.length < 1_000_000);
        }
      }
    });
  }
});
