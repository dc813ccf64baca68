import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { type ECR } from '@aws-sdk/client-ecr';
import { ACCOUNT, awsError, pushImage, useAwsServer, type AwsServer } from '../../support/aws-server.ts';
import { bare, repositoryMaker } from '../../support/ecr.ts';

describe("the ECR API's policies, asked by the AWS SDK", () => {
  const getServer = useAwsServer();
  const createRepository = repositoryMaker(() => ecr);
  let server: AwsServer;
  let ecr: ECR;
  before(() => {
    server = getServer();
    ecr = server.ecr;
  });

  const reader = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: '*', Action: ['ecr:BatchGetImage', 'ecr:ListImages'] }],
  };

  test('a repository policy is set, told, enforced and removed', async () => {
    const repositoryName = await createRepository();
    await pushImage(ecr, repositoryName, 'one', 'v1');
    const stranger = server.client({ credentials: await server.createKey('reader', 'pull:elsewhere/*') });
    await assert.rejects(
      stranger.listImages({ repositoryName }),
      awsError(
        'AccessDeniedException',
        `User: arn:aws:iam::${ACCOUNT}:user/reader is not authorized to perform: ecr:ListImages on resource: arn:aws:ecr:us-east-1:${ACCOUNT}:repository/${repositoryName} because no identity-based policy allows the ecr:ListImages action`,
      ),
    );
    await assert.rejects(
      ecr.getRepositoryPolicy({ repositoryName }),
      awsError(
        'RepositoryPolicyNotFoundException',
        `Repository policy does not exist for the repository with name '${repositoryName}' in the registry with id '${ACCOUNT}'`,
      ),
    );
    const policyText = JSON.stringify(reader, undefined, 2);
    const expected = { registryId: ACCOUNT, repositoryName, policyText };
    assert.deepEqual(await bare(ecr.setRepositoryPolicy({ repositoryName, policyText })), expected);
    assert.deepEqual(await bare(ecr.getRepositoryPolicy({ repositoryName })), expected);
    assert.equal((await stranger.listImages({ repositoryName })).imageIds?.length, 1);
    await assert.rejects(
      stranger.batchDeleteImage({ repositoryName, imageIds: [{ imageTag: 'v1' }] }),
      awsError('AccessDeniedException'),
    );
    assert.deepEqual(await bare(ecr.deleteRepositoryPolicy({ repositoryName })), expected);
    await assert.rejects(stranger.listImages({ repositoryName }), awsError('AccessDeniedException'));
    await assert.rejects(ecr.deleteRepositoryPolicy({ repositoryName }), awsError('RepositoryPolicyNotFoundException'));
  });

  test('a policy that is none, cannot be enforced, or locks its author out', async () => {
    const repositoryName = await createRepository();
    const invalid = awsError(
      'InvalidParameterException',
      "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'",
    );
    for (const policyText of [
      'not JSON',
      '{}',
      '{"Version":"2012-10-17","Statement":[{"Effect":"Perhaps","Principal":"*","Action":"ecr:*"}]}',
    ])
      await assert.rejects(ecr.setRepositoryPolicy({ repositoryName, policyText }), invalid);
    const federated = JSON.stringify({ Statement: [{ Effect: 'Allow', Principal: { Federated: 'x' }, Action: 'ecr:*' }] });
    await assert.rejects(
      ecr.setRepositoryPolicy({ repositoryName, policyText: federated }),
      awsError('InvalidParameterException', /Federated.*not supported/),
    );
    const closed = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Deny', Principal: '*', Action: 'ecr:*' }] });
    await assert.rejects(
      ecr.setRepositoryPolicy({ repositoryName, policyText: closed }),
      awsError('InvalidParameterException', /Use force/),
    );
    await ecr.setRepositoryPolicy({ repositoryName, policyText: closed, force: true });
    await assert.rejects(
      ecr.listImages({ repositoryName }),
      awsError('AccessDeniedException', /with an explicit deny in a resource-based policy$/),
    );
  });

  test('who may not see a repository is not told whether it exists', async () => {
    const stranger = server.client({ credentials: await server.createKey('stranger', 'pull:elsewhere/*') });
    const repositoryName = await createRepository();
    for (const name of [repositoryName, 'never-made'])
      await assert.rejects(stranger.listImages({ repositoryName: name }), awsError('AccessDeniedException'));
    await assert.rejects(
      stranger.createRepository({ repositoryName: 'mine' }),
      awsError('AccessDeniedException', /ecr:CreateRepository on resource: arn:aws:ecr:us-east-1:123456789012:repository\/mine/),
    );
    await assert.rejects(stranger.describeRepositories({}), awsError('AccessDeniedException'));
    await stranger.getAuthorizationToken({});
  });

  test('the registry policy', async () => {
    await assert.rejects(
      ecr.getRegistryPolicy({}),
      awsError('RegistryPolicyNotFoundException', `Registry policy does not exist in the registry with id '${ACCOUNT}'`),
    );
    await assert.rejects(ecr.deleteRegistryPolicy({}), awsError('RegistryPolicyNotFoundException'));
    await assert.rejects(
      ecr.putRegistryPolicy({ policyText: '{}' }),
      awsError(
        'InvalidParameterException',
        "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid registry policy provided'",
      ),
    );
    const deny = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Deny', Principal: '*', Action: 'ecr:*', Resource: '*' }],
    });
    await assert.rejects(
      ecr.putRegistryPolicy({ policyText: deny }),
      awsError('InvalidParameterException', /Deny is not supported in a registry policy/),
    );
    const policyText = JSON.stringify(reader);
    const expected = { registryId: ACCOUNT, policyText };
    assert.deepEqual(await bare(ecr.putRegistryPolicy({ policyText })), expected);
    assert.deepEqual(await bare(ecr.getRegistryPolicy({})), expected);
    assert.deepEqual(await bare(ecr.deleteRegistryPolicy({})), expected);
  });
});
