import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { type ECR } from '@aws-sdk/client-ecr';
import { ACCOUNT, awsError, useAwsServer, type AwsServer } from '../../support/aws-server.ts';
import { basic } from '../../support/ecr.ts';

describe("the ECR API's templates, asked by the AWS SDK", () => {
  const getServer = useAwsServer();
  let server: AwsServer;
  let ecr: ECR;
  before(() => {
    server = getServer();
    ecr = server.ecr;
  });

  test('a template is created, changed, listed and deleted', async () => {
    const created = await ecr.createRepositoryCreationTemplate({
      prefix: 'auto/',
      appliedFor: ['CREATE_ON_PUSH'],
      description: 'made by pushes',
      imageTagMutability: 'IMMUTABLE',
      resourceTags: [{ Key: 'by', Value: 'push' }],
    });
    assert.equal(created.registryId, ACCOUNT);
    const { createdAt, updatedAt, ...template } = created.repositoryCreationTemplate ?? {};
    assert.ok(createdAt instanceof Date && updatedAt instanceof Date);
    assert.deepEqual(template, {
      prefix: 'auto/',
      appliedFor: ['CREATE_ON_PUSH'],
      description: 'made by pushes',
      encryptionConfiguration: { encryptionType: 'AES256' },
      imageTagMutability: 'IMMUTABLE',
      resourceTags: [{ Key: 'by', Value: 'push' }],
    });
    await assert.rejects(
      ecr.createRepositoryCreationTemplate({ prefix: 'auto', appliedFor: ['CREATE_ON_PUSH'] }),
      awsError('TemplateAlreadyExistsException'),
    );
    const updated = await ecr.updateRepositoryCreationTemplate({ prefix: 'auto', description: 'changed' });
    assert.equal(updated.repositoryCreationTemplate?.description, 'changed');
    assert.equal(updated.repositoryCreationTemplate?.imageTagMutability, 'IMMUTABLE');
    const root = await ecr.createRepositoryCreationTemplate({ prefix: 'ROOT', appliedFor: ['REPLICATION'] });
    assert.equal(root.repositoryCreationTemplate?.imageTagMutability, 'MUTABLE');
    const list = await ecr.describeRepositoryCreationTemplates({});
    assert.deepEqual(list.repositoryCreationTemplates?.map(({ prefix }) => prefix).sort(), ['ROOT', 'auto/']);
    assert.deepEqual(
      (await ecr.describeRepositoryCreationTemplates({ prefixes: ['ROOT', 'other'] })).repositoryCreationTemplates?.map(
        ({ prefix }) => prefix,
      ),
      ['ROOT'],
    );
    const page = await ecr.describeRepositoryCreationTemplates({ maxResults: 1 });
    assert.equal(
      (await ecr.describeRepositoryCreationTemplates({ maxResults: 1, nextToken: page.nextToken })).repositoryCreationTemplates
        ?.length,
      1,
    );
    for (const prefix of ['auto', 'ROOT']) await ecr.deleteRepositoryCreationTemplate({ prefix });
    await assert.rejects(ecr.deleteRepositoryCreationTemplate({ prefix: 'auto' }), awsError('TemplateNotFoundException'));
    await assert.rejects(ecr.updateRepositoryCreationTemplate({ prefix: 'auto' }), awsError('TemplateNotFoundException'));
    await assert.rejects(
      ecr.createRepositoryCreationTemplate({ prefix: 'Not/Valid', appliedFor: ['CREATE_ON_PUSH'] }),
      awsError('InvalidParameterException', /'prefix'/),
    );
    await assert.rejects(
      ecr.createRepositoryCreationTemplate({ prefix: 'auto', appliedFor: [] }),
      awsError('InvalidParameterException', /'appliedFor'/),
    );
    await assert.rejects(
      ecr.createRepositoryCreationTemplate({
        prefix: 'auto',
        appliedFor: ['CREATE_ON_PUSH'],
        imageTagMutability: 'MUTABLE_WITH_EXCLUSION',
      }),
      awsError('InvalidParameterException', /can't be null/),
    );
  });

  test('a push makes a repository as its template says', async () => {
    const filters = [{ filterType: 'WILDCARD' as const, filter: 'dev*' }];
    await ecr.createRepositoryCreationTemplate({
      prefix: 'pushed',
      appliedFor: ['CREATE_ON_PUSH'],
      imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
      imageTagMutabilityExclusionFilters: filters,
      resourceTags: [{ Key: 'by', Value: 'push' }],
    });
    const response = await fetch(`${server.endpoint}/v2/pushed/by/docker/blobs/uploads/`, {
      method: 'POST',
      headers: { Authorization: await basic(ecr) },
    });
    assert.equal(response.status, 202);
    const [repository] = (await ecr.describeRepositories({ repositoryNames: ['pushed/by/docker'] })).repositories ?? [];
    assert.equal(repository?.imageTagMutability, 'IMMUTABLE_WITH_EXCLUSION');
    assert.deepEqual(repository?.imageTagMutabilityExclusionFilters, filters);
    assert.deepEqual((await ecr.listTagsForResource({ resourceArn: repository?.repositoryArn })).tags, [
      { Key: 'by', Value: 'push' },
    ]);
  });
});
