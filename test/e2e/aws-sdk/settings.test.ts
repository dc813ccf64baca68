import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { type ECR } from '@aws-sdk/client-ecr';
import { ACCOUNT, awsError, useAwsServer, type AwsServer } from '../../support/aws-server.ts';
import { bare, repositoryMaker } from '../../support/ecr.ts';

describe("the ECR API's settings, asked by the AWS SDK", () => {
  const getServer = useAwsServer();
  const createRepository = repositoryMaker(() => ecr);
  let server: AwsServer;
  let ecr: ECR;
  before(() => {
    server = getServer();
    ecr = server.ecr;
  });

  test('account settings', async () => {
    assert.deepEqual(await bare(ecr.getAccountSetting({ name: 'BASIC_SCAN_TYPE_VERSION' })), {
      name: 'BASIC_SCAN_TYPE_VERSION',
      value: 'AWS_NATIVE',
    });
    assert.deepEqual(await bare(ecr.putAccountSetting({ name: 'BLOB_MOUNTING', value: 'DISABLED' })), {
      name: 'BLOB_MOUNTING',
      value: 'DISABLED',
    });
    assert.equal((await ecr.getAccountSetting({ name: 'BLOB_MOUNTING' })).value, 'DISABLED');
    await ecr.putAccountSetting({ name: 'BLOB_MOUNTING', value: 'ENABLED' });
    await assert.rejects(
      ecr.putAccountSetting({ name: 'BLOB_MOUNTING', value: 'PERHAPS' }),
      awsError('ValidationException', /ENABLED, DISABLED/),
    );
    await assert.rejects(ecr.getAccountSetting({ name: 'constructor' }), awsError('ValidationException', /no account setting/));
  });

  test('the scanning configuration of the registry and of repositories', async () => {
    assert.deepEqual(await bare(ecr.getRegistryScanningConfiguration({})), {
      registryId: ACCOUNT,
      scanningConfiguration: { scanType: 'BASIC', rules: [] },
    });
    const matching = await createRepository();
    await ecr.createRepository({ repositoryName: 'scan/none' });
    const filter = { filter: matching, filterType: 'WILDCARD' as const };
    const rules = [{ scanFrequency: 'SCAN_ON_PUSH' as const, repositoryFilters: [filter] }];
    const put = await ecr.putRegistryScanningConfiguration({ scanType: 'BASIC', rules });
    assert.deepEqual(put.registryScanningConfiguration, { scanType: 'BASIC', rules });
    assert.deepEqual((await ecr.getRegistryScanningConfiguration({})).scanningConfiguration, { scanType: 'BASIC', rules });
    const { scanningConfigurations, failures } = await ecr.batchGetRepositoryScanningConfiguration({
      repositoryNames: [matching, 'scan/none', 'not/there'],
    });
    const arn = (name: string) => `arn:aws:ecr:us-east-1:${ACCOUNT}:repository/${name}`;
    assert.deepEqual(scanningConfigurations, [
      {
        repositoryArn: arn(matching),
        repositoryName: matching,
        scanOnPush: false,
        scanFrequency: 'SCAN_ON_PUSH',
        appliedScanFilters: [filter],
      },
      {
        repositoryArn: arn('scan/none'),
        repositoryName: 'scan/none',
        scanOnPush: false,
        scanFrequency: 'MANUAL',
        appliedScanFilters: [],
      },
    ]);
    assert.deepEqual(failures, [
      { repositoryName: 'not/there', failureCode: 'REPOSITORY_NOT_FOUND', failureReason: 'REPOSITORY_NOT_FOUND' },
    ]);
    await assert.rejects(
      ecr.putRegistryScanningConfiguration({ rules: [{ scanFrequency: 'CONTINUOUS_SCAN', repositoryFilters: [filter] }] }),
      awsError('ValidationException', /ENHANCED/),
    );
    await ecr.putRegistryScanningConfiguration({ scanType: 'BASIC', rules: [] });
  });

  test('the registry describes itself', async () => {
    assert.deepEqual(await bare(ecr.describeRegistry({})), { registryId: ACCOUNT, replicationConfiguration: { rules: [] } });
  });

  test('resource tags are added, overwritten, listed and removed', async () => {
    const repositoryName = await createRepository({ tags: [{ Key: 'a', Value: '1' }] });
    const resourceArn = `arn:aws:ecr:us-east-1:${ACCOUNT}:repository/${repositoryName}`;
    assert.deepEqual(
      await bare(
        ecr.tagResource({
          resourceArn,
          tags: [
            { Key: 'b', Value: '2' },
            { Key: 'a', Value: '3' },
          ],
        }),
      ),
      {},
    );
    assert.deepEqual((await ecr.listTagsForResource({ resourceArn })).tags, [
      { Key: 'a', Value: '3' },
      { Key: 'b', Value: '2' },
    ]);
    assert.deepEqual(await bare(ecr.untagResource({ resourceArn, tagKeys: ['a', 'none'] })), {});
    assert.deepEqual((await ecr.listTagsForResource({ resourceArn })).tags, [{ Key: 'b', Value: '2' }]);
    const fifty = Array.from({ length: 50 }, (_, index) => ({ Key: `key-${index}`, Value: '' }));
    await assert.rejects(ecr.tagResource({ resourceArn, tags: fifty }), awsError('TooManyTagsException'));
    await assert.rejects(
      ecr.tagResource({ resourceArn, tags: [{ Key: 'aws:mine', Value: '' }] }),
      awsError('InvalidTagParameterException', /reserved/),
    );
    await assert.rejects(
      ecr.tagResource({ resourceArn: 'nonsense', tags: [] }),
      awsError('InvalidParameterException', "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'"),
    );
    await assert.rejects(ecr.listTagsForResource({ resourceArn: `${resourceArn}-not` }), awsError('RepositoryNotFoundException'));
    await assert.rejects(
      ecr.untagResource({ resourceArn: `${resourceArn}-not`, tagKeys: [] }),
      awsError('RepositoryNotFoundException'),
    );
  });

  test('an authorization token opens the registry wire', async () => {
    const { authorizationData } = await ecr.getAuthorizationToken({ registryIds: [ACCOUNT] });
    assert.equal(authorizationData?.length, 1);
    const [row] = authorizationData ?? [];
    assert.equal(row?.proxyEndpoint, server.endpoint);
    assert.ok(row?.expiresAt instanceof Date && row.expiresAt.getTime() > Date.now() + 11 * 3600_000);
    const [user, password, ...rest] = Buffer.from(String(row.authorizationToken), 'base64').toString().split(':');
    assert.equal(user, 'AWS');
    assert.ok(password !== undefined && password.length > 20 && rest.length === 0, 'the aws CLI splits at every colon');
    assert.equal(
      (await fetch(`${server.endpoint}/v2/`, { headers: { Authorization: `Basic ${row.authorizationToken}` } })).status,
      200,
    );
    await assert.rejects(
      ecr.getAuthorizationToken({ registryIds: ['999999999999'] }),
      awsError('InvalidParameterException', /999999999999/),
    );
  });
});
