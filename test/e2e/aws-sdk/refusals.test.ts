import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { type ECR } from '@aws-sdk/client-ecr';
import { ECR_OPERATIONS, ecrCoverage } from '../../../src/wire/ecr/operations.ts';
import { ACCOUNT, awsError, useAwsServer } from '../../support/aws-server.ts';

describe('what the ECR API does not have here, asked by the AWS SDK', () => {
  const getServer = useAwsServer();
  let ecr: ECR;
  before(() => {
    ecr = getServer().ecr;
  });

  const filled: Record<string, unknown> = {
    repositoryName: 'team/app',
    ecrRepositoryPrefix: 'hub',
    upstreamRegistryUrl: 'registry.example',
    principalArn: `arn:aws:iam::${ACCOUNT}:user/x`,
    imageId: { imageTag: 'v1' },
    lifecyclePolicyText: JSON.stringify({ rules: [], padding: 'x'.repeat(100) }),
    targetStorageClass: 'ARCHIVE',
    replicationConfiguration: { rules: [] },
    signingConfiguration: { rules: [] },
    destination: { region: 'eu-west-1', registryId: ACCOUNT },
    replicationBackfillId: '0',
  };
  for (const { operation, why } of ecrCoverage().filter(({ status }) => status === 'refused')) {
    test(`${operation} says so`, async () => {
      const method = `${operation.charAt(0).toLowerCase()}${operation.slice(1)}` as 'startImageScan';
      await assert.rejects(
        ecr[method](filled as never),
        awsError('ValidationException', `${operation} is not supported by this registry. ${why}`),
      );
    });
  }

  test('the table has every operation once', () => {
    assert.equal(ecrCoverage().length, Object.keys(ECR_OPERATIONS).length);
    assert.ok(ecrCoverage().length >= 58);
  });
});
