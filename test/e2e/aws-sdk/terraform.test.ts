import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  paginateDescribeImages,
  paginateListImages,
  type CreateRepositoryCommandInput,
  type ECR,
  type Repository,
} from '@aws-sdk/client-ecr';
import { ACCOUNT, awsError, pushImage, useAwsServer, type AwsServer } from '../../support/aws-server.ts';

// The calls of Terraform's AWS provider 6, resource by resource: create, read as a second plan reads, update, delete, and
// what tells it that a thing is gone. A field that comes back otherwise than it was sent would be drift in every plan.
describe("Terraform's aws_ecr_* resources, call by call", () => {
  const getServer = useAwsServer();
  let server: AwsServer;
  let ecr: ECR;
  before(() => {
    server = getServer();
    ecr = server.ecr;
  });

  /** What the provider's read of a repository takes over. */
  const readRepository = async (name: string): Promise<Record<string, unknown>> => {
    const found = await ecr.describeRepositories({ repositoryNames: [name] });
    assert.equal(found.repositories?.length, 1);
    const { createdAt, ...repository } = found.repositories?.[0] ?? ({} as Repository);
    assert.ok(createdAt instanceof Date);
    const { tags } = await ecr.listTagsForResource({ resourceArn: String(repository.repositoryArn) });
    return { ...repository, tags: Object.fromEntries((tags ?? []).map(({ Key, Value }) => [Key, Value])) };
  };
  const usual = (name: string): Record<string, unknown> => ({
    registryId: ACCOUNT,
    repositoryName: name,
    repositoryArn: `arn:aws:ecr:us-east-1:${ACCOUNT}:repository/${name}`,
    repositoryUri: `${server.host}/${name}`,
    imageTagMutability: 'MUTABLE',
    imageScanningConfiguration: { scanOnPush: false },
    encryptionConfiguration: { encryptionType: 'AES256' },
    tags: {},
  });

  test('aws_ecr_repository', async () => {
    const name = 'infra/app';
    // A block that is not written is not sent.
    await ecr.createRepository({ repositoryName: name, imageTagMutability: 'MUTABLE' });
    assert.deepEqual(await readRepository(name), usual(name));
    assert.deepEqual(await readRepository(name), usual(name), 'the second plan');

    const filters = [
      { filterType: 'WILDCARD' as const, filter: 'latest*' },
      { filterType: 'WILDCARD' as const, filter: 'dev-*' },
    ];
    const there = { repositoryName: name, registryId: ACCOUNT };
    await ecr.putImageTagMutability({
      ...there,
      imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
      imageTagMutabilityExclusionFilters: filters,
    });
    await ecr.putImageScanningConfiguration({ ...there, imageScanningConfiguration: { scanOnPush: true } });
    const resourceArn = String(usual(name)['repositoryArn']);
    await ecr.tagResource({ resourceArn, tags: ['env', 'team'].map((Key) => ({ Key, Value: `of ${Key}` })) });
    assert.deepEqual(await readRepository(name), {
      ...usual(name),
      imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
      imageTagMutabilityExclusionFilters: filters,
      imageScanningConfiguration: { scanOnPush: true },
      tags: { env: 'of env', team: 'of team' },
    });

    await ecr.putImageTagMutability({ ...there, imageTagMutability: 'MUTABLE' });
    await ecr.putImageScanningConfiguration({ ...there, imageScanningConfiguration: {} });
    await ecr.untagResource({ resourceArn, tagKeys: ['env', 'team'] });
    assert.deepEqual(await readRepository(name), usual(name));

    await pushImage(ecr, name, 'one', 'v1');
    await assert.rejects(ecr.deleteRepository({ ...there, force: false }), awsError('RepositoryNotEmptyException'));
    await ecr.deleteRepository({ ...there, force: true });
    await assert.rejects(ecr.describeRepositories({ repositoryNames: [name] }), awsError('RepositoryNotFoundException'));
    await assert.rejects(ecr.deleteRepository({ ...there, force: true }), awsError('RepositoryNotFoundException'));
  });

  test('aws_ecr_repository with everything at its creation', async () => {
    const create = async (repositoryName: string, encryption: CreateRepositoryCommandInput['encryptionConfiguration']) => {
      await ecr.createRepository({
        repositoryName,
        imageTagMutability: 'MUTABLE_WITH_EXCLUSION',
        imageTagMutabilityExclusionFilters: [{ filterType: 'WILDCARD', filter: 'v*' }],
        imageScanningConfiguration: { scanOnPush: true },
        encryptionConfiguration: encryption,
        tags: [{ Key: 'Name', Value: repositoryName }],
      });
      const read = await readRepository(repositoryName);
      assert.deepEqual(read, {
        ...usual(repositoryName),
        imageTagMutability: 'MUTABLE_WITH_EXCLUSION',
        imageTagMutabilityExclusionFilters: [{ filterType: 'WILDCARD', filter: 'v*' }],
        imageScanningConfiguration: { scanOnPush: true },
        encryptionConfiguration: read['encryptionConfiguration'],
        tags: { Name: repositoryName },
      });
      return read['encryptionConfiguration'];
    };
    // The key that is filled in is computed: it must stay, or the repository would be replaced.
    const filled = (await create('infra/kms', { encryptionType: 'KMS' })) as { encryptionType: string; kmsKey: string };
    assert.match(filled.kmsKey, /^arn:aws:kms:us-east-1:/);
    assert.deepEqual((await readRepository('infra/kms'))['encryptionConfiguration'], filled);
    const own = { encryptionType: 'KMS' as const, kmsKey: `arn:aws:kms:us-east-1:${ACCOUNT}:key/0a1b` };
    assert.deepEqual(await create('infra/own-key', own), own);
    assert.deepEqual(await create('infra/dsse', { ...own, encryptionType: 'KMS_DSSE' }), { ...own, encryptionType: 'KMS_DSSE' });
  });

  test('aws_ecr_repository_policy', async () => {
    const repositoryName = 'infra/policed';
    await ecr.createRepository({ repositoryName });
    const gone = awsError('RepositoryPolicyNotFoundException');
    await assert.rejects(ecr.getRepositoryPolicy({ repositoryName }), gone);
    // Keys are sorted before they are sent; what comes back is compared by its meaning, and is the same text anyway.
    const policyText = (sid: string): string =>
      `{"Statement":[{"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::${ACCOUNT}:root"},"Sid":"${sid}"}],"Version":"2012-10-17"}`;
    for (const sid of ['first', 'second']) {
      await ecr.setRepositoryPolicy({ repositoryName, policyText: policyText(sid) });
      const { registryId, policyText: read } = await ecr.getRepositoryPolicy({ repositoryName });
      assert.deepEqual({ registryId, read }, { registryId: ACCOUNT, read: policyText(sid) });
    }
    await ecr.deleteRepositoryPolicy({ registryId: ACCOUNT, repositoryName });
    await assert.rejects(ecr.deleteRepositoryPolicy({ registryId: ACCOUNT, repositoryName }), gone);
    // The provider asks again for two minutes where it reads "Invalid repository policy provided": not for what we never take.
    const never = policyText('x').replace('"Sid"', '"Condition":{"StringEquals":{"aws:PrincipalTag/team":"x"}},"Sid"');
    await assert.rejects(ecr.setRepositoryPolicy({ repositoryName, policyText: never }), (error: Error) => {
      assert.doesNotMatch(error.message, /Invalid repository policy provided/);
      return awsError('InvalidParameterException', /not supported/)(error);
    });
    await ecr.deleteRepository({ repositoryName });
    await assert.rejects(ecr.getRepositoryPolicy({ repositoryName }), awsError('RepositoryNotFoundException'));
    await assert.rejects(ecr.deleteRepositoryPolicy({ repositoryName }), awsError('RepositoryNotFoundException'));
  });

  test('aws_ecr_lifecycle_policy, from aws_ecr_lifecycle_policy_document', async () => {
    const repositoryName = 'infra/tidy';
    await ecr.createRepository({ repositoryName });
    const gone = awsError('LifecyclePolicyNotFoundException');
    await assert.rejects(ecr.getLifecyclePolicy({ repositoryName }), gone);
    const document = (days: number): object => ({
      rules: [
        {
          action: { type: 'expire' },
          description: 'Old releases',
          rulePriority: 2,
          selection: {
            countNumber: days,
            countType: 'sinceImagePushed',
            countUnit: 'days',
            tagStatus: 'tagged',
            tagPrefixList: ['v'],
          },
        },
        {
          action: { targetStorageClass: 'archive', type: 'transition' },
          rulePriority: 3,
          selection: { countNumber: 90, countType: 'sinceImagePulled', countUnit: 'days', tagStatus: 'any' },
        },
        {
          action: { type: 'expire' },
          rulePriority: 4,
          selection: {
            countNumber: 90,
            countType: 'sinceImageTransitioned',
            countUnit: 'days',
            storageClass: 'archive',
            tagStatus: 'any',
          },
        },
        {
          action: { type: 'expire' },
          rulePriority: 1,
          selection: { countNumber: 3, countType: 'imageCountMoreThan', tagStatus: 'untagged' },
        },
      ],
    });
    for (const days of [14, 30]) {
      const lifecyclePolicyText = JSON.stringify(document(days));
      const put = await ecr.putLifecyclePolicy({ repositoryName, lifecyclePolicyText });
      assert.deepEqual([put.registryId, put.repositoryName], [ACCOUNT, repositoryName]);
      const read = await ecr.getLifecyclePolicy({ repositoryName });
      assert.deepEqual(
        [read.registryId, read.repositoryName, read.lifecyclePolicyText],
        [ACCOUNT, repositoryName, lifecyclePolicyText],
      );
    }
    await ecr.deleteLifecyclePolicy({ repositoryName });
    await assert.rejects(ecr.deleteLifecyclePolicy({ repositoryName }), gone);
    await ecr.deleteRepository({ repositoryName });
    await assert.rejects(ecr.getLifecyclePolicy({ repositoryName }), awsError('RepositoryNotFoundException'));
  });

  test('aws_ecr_registry_policy', async () => {
    const policyText = JSON.stringify({
      Statement: [
        {
          Action: ['ecr:ReplicateImage'],
          Effect: 'Allow',
          Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` },
          Resource: [`arn:aws:ecr:us-east-1:${ACCOUNT}:repository/*`],
          Sid: 'test',
        },
      ],
      Version: '2012-10-17',
    });
    assert.equal((await ecr.putRegistryPolicy({ policyText })).registryId, ACCOUNT);
    const { registryId, policyText: read } = await ecr.getRegistryPolicy({});
    assert.deepEqual([registryId, read], [ACCOUNT, policyText]);
    await ecr.deleteRegistryPolicy({});
    await assert.rejects(ecr.getRegistryPolicy({}), awsError('RegistryPolicyNotFoundException'));
    await assert.rejects(ecr.deleteRegistryPolicy({}), awsError('RegistryPolicyNotFoundException'));
  });

  test('aws_ecr_registry_scanning_configuration', async () => {
    const filter = (text: string) => ({ filter: text, filterType: 'WILDCARD' as const });
    const rules = [
      { scanFrequency: 'SCAN_ON_PUSH' as const, repositoryFilters: [filter('example'), filter('infra/*')] },
      { scanFrequency: 'CONTINUOUS_SCAN' as const, repositoryFilters: [filter('*')] },
    ];
    for (const configuration of [
      { scanType: 'ENHANCED' as const, rules },
      { scanType: 'BASIC' as const, rules: rules.slice(0, 1) },
      { scanType: 'BASIC' as const, rules: [] },
    ]) {
      await ecr.putRegistryScanningConfiguration(configuration);
      const { registryId, scanningConfiguration } = await ecr.getRegistryScanningConfiguration({});
      assert.deepEqual([registryId, scanningConfiguration], [ACCOUNT, configuration]);
    }
  });

  test('aws_ecr_repository_creation_template', async () => {
    const prefix = 'infra';
    const read = async (): Promise<Record<string, unknown>> => {
      const found = await ecr.describeRepositoryCreationTemplates({ prefixes: [prefix] });
      assert.equal(found.registryId, ACCOUNT);
      assert.equal(found.repositoryCreationTemplates?.length, 1);
      const { createdAt: _created, updatedAt: _updated, ...template } = found.repositoryCreationTemplates[0] ?? {};
      return template;
    };
    await ecr.createRepositoryCreationTemplate({ prefix, appliedFor: ['CREATE_ON_PUSH'], imageTagMutability: 'MUTABLE' });
    const plain = {
      prefix,
      appliedFor: ['CREATE_ON_PUSH'],
      imageTagMutability: 'MUTABLE',
      encryptionConfiguration: { encryptionType: 'AES256' },
    };
    assert.deepEqual(await read(), plain);

    const filled = {
      appliedFor: ['REPLICATION' as const, 'CREATE_ON_PUSH' as const],
      customRoleArn: `arn:aws:iam::${ACCOUNT}:role/maker`,
      description: 'of the walk',
      encryptionConfiguration: { encryptionType: 'KMS' as const, kmsKey: `arn:aws:kms:us-east-1:${ACCOUNT}:key/0a1b` },
      imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION' as const,
      imageTagMutabilityExclusionFilters: [{ filterType: 'WILDCARD' as const, filter: 'latest*' }],
      lifecyclePolicy: JSON.stringify({
        rules: [
          {
            action: { type: 'expire' },
            rulePriority: 1,
            selection: { countNumber: 1, countType: 'imageCountMoreThan', tagStatus: 'untagged' },
          },
        ],
      }),
      repositoryPolicy: `{"Statement":[{"Action":"ecr:BatchGetImage","Effect":"Allow","Principal":"*"}],"Version":"2012-10-17"}`,
      resourceTags: [{ Key: 'Foo', Value: 'Bar' }],
    };
    await ecr.updateRepositoryCreationTemplate({ prefix, ...filled });
    assert.deepEqual(await read(), { prefix, ...filled });

    // What is taken out of the configuration is sent as an empty text, and must read as one.
    await ecr.updateRepositoryCreationTemplate({
      prefix,
      customRoleArn: '',
      description: '',
      imageTagMutability: 'MUTABLE',
      lifecyclePolicy: '',
      repositoryPolicy: '',
      resourceTags: [],
    });
    const emptied = await read();
    for (const member of ['customRoleArn', 'description', 'lifecyclePolicy', 'repositoryPolicy'])
      assert.equal(emptied[member] ?? '', '', member);
    assert.deepEqual(emptied['resourceTags'] ?? [], []);
    assert.equal(emptied['imageTagMutability'], 'MUTABLE');
    assert.equal(emptied['imageTagMutabilityExclusionFilters'], undefined);

    // An emptied template makes a repository all the same.
    const { authorizationData } = await ecr.getAuthorizationToken({});
    const pushed = await fetch(`${server.endpoint}/v2/infra/from-template/blobs/uploads/`, {
      method: 'POST',
      headers: { Authorization: `Basic ${authorizationData?.[0]?.authorizationToken}` },
    });
    assert.equal(pushed.status, 202);
    const { encryptionConfiguration } = filled;
    assert.deepEqual(await readRepository('infra/from-template'), { ...usual('infra/from-template'), encryptionConfiguration });

    await ecr.deleteRepositoryCreationTemplate({ prefix });
    await assert.rejects(ecr.deleteRepositoryCreationTemplate({ prefix }), awsError('TemplateNotFoundException'));
    assert.deepEqual((await ecr.describeRepositoryCreationTemplates({ prefixes: [prefix] })).repositoryCreationTemplates, []);
  });

  test('aws_ecr_account_setting', async () => {
    for (const [name, value] of [
      ['BASIC_SCAN_TYPE_VERSION', 'AWS_NATIVE'],
      ['REGISTRY_POLICY_SCOPE', 'V2'],
    ] as const) {
      await ecr.putAccountSetting({ name, value });
      const read = await ecr.getAccountSetting({ name });
      assert.deepEqual([read.name, read.value], [name, value]);
    }
  });

  test('the data sources aws_ecr_image, _images, _repository, _repositories and _authorization_token', async () => {
    const repositoryName = 'infra/read';
    await ecr.createRepository({ repositoryName });
    const first = await pushImage(ecr, repositoryName, 'first', 'v1');
    const second = await pushImage(ecr, repositoryName, 'second', 'latest');
    await pushImage(ecr, repositoryName, 'third');
    const images = [];
    for await (const page of paginateDescribeImages({ client: ecr }, { registryId: ACCOUNT, repositoryName }))
      images.push(...(page.imageDetails ?? []));
    assert.equal(images.length, 3);
    for (const image of images) {
      assert.deepEqual([image.registryId, image.repositoryName], [ACCOUNT, repositoryName]);
      assert.ok(image.imagePushedAt instanceof Date && Number(image.imageSizeInBytes) > 0);
    }
    for (const imageId of [{ imageTag: 'v1' }, { imageDigest: first.digest }, { imageDigest: first.digest, imageTag: 'v1' }]) {
      const { imageDetails } = await ecr.describeImages({ registryId: ACCOUNT, repositoryName, imageIds: [imageId] });
      assert.deepEqual(
        imageDetails?.map(({ imageDigest, imageTags }) => ({ imageDigest, imageTags })),
        [{ imageDigest: first.digest, imageTags: ['v1'] }],
      );
    }
    const ids = [];
    for await (const page of paginateListImages({ client: ecr }, { repositoryName })) ids.push(...(page.imageIds ?? []));
    assert.deepEqual(ids.map(({ imageTag }) => imageTag ?? '-').sort(), ['-', 'latest', 'v1']);
    assert.ok(ids.some(({ imageDigest, imageTag }) => imageTag === 'latest' && imageDigest === second.digest));
    await assert.rejects(
      ecr.describeImages({ repositoryName, imageIds: [{ imageTag: 'none' }] }),
      awsError('ImageNotFoundException'),
    );
    const { authorizationData } = await ecr.getAuthorizationToken({ registryIds: [ACCOUNT] });
    assert.equal(authorizationData?.[0]?.proxyEndpoint, server.endpoint);
    assert.ok((await ecr.describeRepositories({})).repositories?.some((found) => found.repositoryName === repositoryName));
  });
});
