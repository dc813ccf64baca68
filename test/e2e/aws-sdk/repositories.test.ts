import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { paginateDescribeRepositories, type ECR } from '@aws-sdk/client-ecr';
import { parseRepositoryName } from '../../../src/core/repository-name.ts';
import { ACCOUNT, awsError, pushImage, useAwsServer, type AwsServer } from '../../support/aws-server.ts';
import { caller, repositoryMaker } from '../../support/ecr.ts';

describe("the ECR API's repositories, asked by the AWS SDK", () => {
  const getServer = useAwsServer();
  const createRepository = repositoryMaker(() => ecr);
  let server: AwsServer;
  let ecr: ECR;
  before(() => {
    server = getServer();
    ecr = server.ecr;
  });

  const missing = (name: string) => `The repository with name '${name}' does not exist in the registry with id '${ACCOUNT}'`;

  test('a repository is created, described and deleted', async () => {
    const { repository } = await ecr.createRepository({ repositoryName: 'first' });
    assert.ok(repository?.createdAt instanceof Date && Math.abs(repository.createdAt.getTime() - Date.now()) < 60_000);
    assert.deepEqual(repository, {
      repositoryArn: `arn:aws:ecr:us-east-1:${ACCOUNT}:repository/first`,
      registryId: ACCOUNT,
      repositoryName: 'first',
      repositoryUri: `${server.host}/first`,
      createdAt: repository.createdAt,
      imageTagMutability: 'MUTABLE',
      imageScanningConfiguration: { scanOnPush: false },
      encryptionConfiguration: { encryptionType: 'AES256' },
    });
    await assert.rejects(
      ecr.createRepository({ repositoryName: 'first' }),
      awsError(
        'RepositoryAlreadyExistsException',
        `The repository with name 'first' already exists in the registry with id '${ACCOUNT}'`,
      ),
    );
    assert.deepEqual((await ecr.describeRepositories({ repositoryNames: ['first'], registryId: ACCOUNT })).repositories, [
      repository,
    ]);
    assert.deepEqual((await ecr.deleteRepository({ repositoryName: 'first' })).repository, repository);
    await assert.rejects(
      ecr.describeRepositories({ repositoryNames: ['first'] }),
      awsError('RepositoryNotFoundException', missing('first')),
    );
    await assert.rejects(
      ecr.deleteRepository({ repositoryName: 'first' }),
      awsError('RepositoryNotFoundException', missing('first')),
    );
  });

  test('every setting is kept and told', async () => {
    const filters = [{ filterType: 'WILDCARD' as const, filter: 'dev-*' }];
    const { repository } = await ecr.createRepository({
      repositoryName: 'settings',
      imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
      imageTagMutabilityExclusionFilters: filters,
      imageScanningConfiguration: { scanOnPush: true },
      encryptionConfiguration: { encryptionType: 'KMS' },
      tags: [{ Key: 'team', Value: 'a' }],
    });
    assert.equal(repository?.imageTagMutability, 'IMMUTABLE_WITH_EXCLUSION');
    assert.deepEqual(repository?.imageTagMutabilityExclusionFilters, filters);
    assert.deepEqual(repository?.imageScanningConfiguration, { scanOnPush: true });
    assert.match(String(repository?.encryptionConfiguration?.kmsKey), /^arn:aws:kms:us-east-1:123456789012:key\/[0-9a-f-]{36}$/);
    assert.deepEqual((await ecr.listTagsForResource({ resourceArn: repository?.repositoryArn })).tags, [
      { Key: 'team', Value: 'a' },
    ]);
  });

  test('filters and modes belong together', async () => {
    const filters = [{ filterType: 'WILDCARD' as const, filter: 'dev-*' }];
    await assert.rejects(
      ecr.createRepository({ repositoryName: 'unfit', imageTagMutability: 'MUTABLE_WITH_EXCLUSION' }),
      awsError(
        'InvalidParameterException',
        "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as MUTABLE_WITH_EXCLUSION'",
      ),
    );
    await assert.rejects(
      ecr.createRepository({ repositoryName: 'unfit', imageTagMutabilityExclusionFilters: filters }),
      awsError('InvalidParameterException', /not allowed when imageTagMutability is set to MUTABLE'$/),
    );
    const stars = [{ filterType: 'WILDCARD' as const, filter: 'a*b*c*' }];
    await assert.rejects(
      ecr.createRepository({
        repositoryName: 'unfit',
        imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
        imageTagMutabilityExclusionFilters: stars,
      }),
      awsError('InvalidParameterException', /more than two wildcards/),
    );
    await assert.rejects(ecr.describeRepositories({ repositoryNames: ['unfit'] }), awsError('RepositoryNotFoundException'));
  });

  test('a repository with images is deleted by force only, and not while an image is held', async () => {
    const repositoryName = await createRepository();
    const { digest } = await pushImage(ecr, repositoryName, 'one', 'v1');
    await assert.rejects(
      ecr.deleteRepository({ repositoryName }),
      awsError(
        'RepositoryNotEmptyException',
        `The repository with name '${repositoryName}' in registry with id '${ACCOUNT}' cannot be deleted because it still contains images`,
      ),
    );
    const repository = await server.registry.repositories.get(caller, parseRepositoryName(repositoryName));
    const hold = await server.registry.holds.take(caller, repository, { digest, kind: 'service', holder: 'prod/web' });
    await assert.rejects(
      ecr.deleteRepository({ repositoryName, force: true }),
      awsError('RepositoryNotEmptyException', /in use: .* held by service 'prod\/web' since 20/),
    );
    await server.registry.holds.release(caller, hold.id);
    await ecr.deleteRepository({ repositoryName, force: true });
  });

  test('another registry has nothing', async () => {
    const repositoryName = await createRepository();
    await assert.rejects(
      ecr.describeRepositories({ registryId: '999999999999', repositoryNames: [repositoryName] }),
      awsError(
        'RepositoryNotFoundException',
        `The repository with name '${repositoryName}' does not exist in the registry with id '999999999999'`,
      ),
    );
    await assert.rejects(ecr.listImages({ registryId: '999999999999', repositoryName }), awsError('RepositoryNotFoundException'));
    await assert.rejects(ecr.listImages({ registryId: '1', repositoryName }), awsError('RepositoryNotFoundException'));
    assert.deepEqual((await ecr.describeRepositories({ registryId: '999999999999' })).repositories, []);
    await assert.rejects(
      ecr.createRepository({ registryId: '999999999999', repositoryName: 'abroad' }),
      awsError('InvalidParameterException', /'registryId'/),
    );
  });

  test('repositories come in pages', async () => {
    const names = Array.from({ length: 7 }, (_, index) => `pages/number-${index}`);
    for (const repositoryName of names) await ecr.createRepository({ repositoryName });
    const seen: string[] = [];
    for await (const page of paginateDescribeRepositories({ client: ecr, pageSize: 3 }, {})) {
      assert.ok((page.repositories?.length ?? 0) <= 3);
      seen.push(...(page.repositories ?? []).map((repository) => String(repository.repositoryName)));
    }
    assert.equal(new Set(seen).size, seen.length);
    assert.deepEqual(
      seen.filter((name) => name.startsWith('pages/')),
      names,
    );
    await assert.rejects(
      ecr.describeRepositories({ nextToken: 'garbage' }),
      awsError('InvalidParameterException', /'nextToken'/),
    );
    await assert.rejects(
      ecr.describeRepositories({ repositoryNames: names.slice(0, 1), maxResults: 3 }),
      awsError('InvalidParameterException', /'maxResults'/),
    );
  });

  test('regions are apart, and their registry has a name of its own', async () => {
    const europe = server.client({ region: 'eu-west-1' });
    const { repository } = await europe.createRepository({ repositoryName: 'first-in-europe' });
    const port = server.host.split(':')[1];
    assert.equal(repository?.repositoryUri, `${ACCOUNT}.dkr.ecr.eu-west-1.localhost:${port}/first-in-europe`);
    assert.equal(repository?.repositoryArn, `arn:aws:ecr:eu-west-1:${ACCOUNT}:repository/first-in-europe`);
    await assert.rejects(
      ecr.describeRepositories({ repositoryNames: ['first-in-europe'] }),
      awsError('RepositoryNotFoundException'),
    );
    await assert.rejects(
      server.client({ region: 'ap-south-1' }).describeRegistry({}),
      awsError('InvalidSignatureException', /'ap-south-1'/),
    );
  });

  test('the scan flag of a repository is set', async () => {
    const repositoryName = await createRepository();
    const answer = await ecr.putImageScanningConfiguration({
      repositoryName,
      imageScanningConfiguration: { scanOnPush: true },
    });
    assert.deepEqual(answer.imageScanningConfiguration, { scanOnPush: true });
    assert.equal(
      (await ecr.describeRepositories({ repositoryNames: [repositoryName] })).repositories?.[0]?.imageScanningConfiguration
        ?.scanOnPush,
      true,
    );
    await assert.rejects(
      ecr.putImageScanningConfiguration({ repositoryName: 'none', imageScanningConfiguration: {} }),
      awsError('RepositoryNotFoundException'),
    );
  });
});
