import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { paginateDescribeImages, paginateListImages, type ECR } from '@aws-sdk/client-ecr';
import { ACCOUNT, awsError, pushImage, useAwsServer } from '../../support/aws-server.ts';
import { OCI_MANIFEST, repositoryMaker } from '../../support/ecr.ts';

describe("the ECR API's lists of images, asked by the AWS SDK", () => {
  const getServer = useAwsServer();
  const createRepository = repositoryMaker(() => ecr);
  let ecr: ECR;
  before(() => {
    ecr = getServer().ecr;
  });

  test('images are listed in pages, by tag status', async () => {
    const repositoryName = await createRepository();
    const pushed = [];
    for (let index = 0; index < 5; index++)
      pushed.push(await pushImage(ecr, repositoryName, `image ${index}`, index % 2 === 0 ? `t${index}` : undefined));
    for (const tag of ['x1', 'x2', 'x3'])
      await ecr.putImage({ repositoryName, imageManifest: String(pushed[0]?.manifest), imageTag: tag });
    const rows: string[] = [];
    for await (const page of paginateListImages({ client: ecr, pageSize: 2 }, { repositoryName })) {
      assert.ok((page.imageIds?.length ?? 0) <= 2);
      rows.push(...(page.imageIds ?? []).map(({ imageDigest, imageTag }) => `${imageDigest} ${imageTag ?? '-'}`));
    }
    const [zero, first, second, third, fourth] = pushed.map(({ digest }) => digest);
    const expected = [
      ...['t0', 'x1', 'x2', 'x3'].map((tag) => `${zero} ${tag}`),
      `${first} -`,
      `${second} t2`,
      `${third} -`,
      `${fourth} t4`,
    ];
    assert.deepEqual([...rows].sort(), [...expected].sort());
    const details: string[] = [];
    for await (const page of paginateDescribeImages({ client: ecr, pageSize: 2 }, { repositoryName }))
      details.push(...(page.imageDetails ?? []).map(({ imageDigest }) => String(imageDigest)));
    assert.deepEqual([...details].sort(), pushed.map(({ digest }) => String(digest)).sort());
    assert.equal((await ecr.listImages({ repositoryName, filter: { tagStatus: 'UNTAGGED' } })).imageIds?.length, 2);
    assert.equal((await ecr.listImages({ repositoryName, filter: { tagStatus: 'TAGGED' } })).imageIds?.length, 6);
    const untagged = (await ecr.describeImages({ repositoryName, filter: { tagStatus: 'UNTAGGED' } })).imageDetails ?? [];
    assert.deepEqual(
      untagged.map((detail) => detail.imageTags),
      [undefined, undefined],
    );
    assert.deepEqual((await ecr.listImages({ repositoryName, filter: { imageStatus: 'ARCHIVED' } })).imageIds, []);
    const { nextToken } = await ecr.listImages({ repositoryName, maxResults: 1 });
    await assert.rejects(ecr.describeImages({ repositoryName, nextToken }), awsError('InvalidParameterException', /'nextToken'/));
    await assert.rejects(
      ecr.describeImages({ repositoryName, imageIds: [{ imageTag: 't0' }], maxResults: 2 }),
      awsError('InvalidParameterException', /'maxResults'/),
    );
  });

  test('describing an image that is not there fails as a whole', async () => {
    const repositoryName = await createRepository();
    await pushImage(ecr, repositoryName, 'one', 'v1');
    await assert.rejects(
      ecr.describeImages({ repositoryName, imageIds: [{ imageTag: 'v1' }, { imageTag: 'none' }] }),
      awsError(
        'ImageNotFoundException',
        `The image with imageId {imageDigest:'null', imageTag:'none'} does not exist within the repository with name '${repositoryName}' in the registry with id '${ACCOUNT}'`,
      ),
    );
    await assert.rejects(
      ecr.describeImages({ repositoryName, imageIds: [{}] }),
      awsError('InvalidParameterException', /both tag and digest cannot be null/),
    );
  });

  test('referrers of an image are listed', async () => {
    const repositoryName = await createRepository();
    const subject = await pushImage(ecr, repositoryName, 'subject', 'v1');
    const about = { mediaType: OCI_MANIFEST, digest: subject.digest, size: subject.manifest.length };
    const signature = await pushImage(ecr, repositoryName, 'signature', undefined, {
      subject: about,
      artifactType: 'application/vnd.example.signature',
      annotations: { by: 'test' },
    });
    await pushImage(ecr, repositoryName, 'sbom', undefined, { subject: about, artifactType: 'application/spdx+json' });
    const { referrers } = await ecr.listImageReferrers({
      repositoryName,
      subjectId: { imageDigest: subject.digest },
      filter: { artifactTypes: ['application/vnd.example.signature'] },
    });
    assert.deepEqual(referrers, [
      {
        digest: signature.digest,
        mediaType: OCI_MANIFEST,
        artifactType: 'application/vnd.example.signature',
        size: signature.manifest.length,
        annotations: { by: 'test' },
        artifactStatus: 'ACTIVE',
      },
    ]);
    const first = await ecr.listImageReferrers({ repositoryName, subjectId: { imageDigest: subject.digest }, maxResults: 1 });
    const second = await ecr.listImageReferrers({
      repositoryName,
      subjectId: { imageDigest: subject.digest },
      maxResults: 1,
      nextToken: first.nextToken,
    });
    assert.equal(new Set([...(first.referrers ?? []), ...(second.referrers ?? [])].map(({ digest }) => digest)).size, 2);
    assert.equal(second.nextToken, undefined);
    assert.equal(
      (await ecr.describeImages({ repositoryName, imageIds: [{ imageDigest: signature.digest }] })).imageDetails?.[0]
        ?.subjectManifestDigest,
      subject.digest,
    );
    await assert.rejects(
      ecr.listImageReferrers({ repositoryName: 'none', subjectId: { imageDigest: subject.digest } }),
      awsError('RepositoryNotFoundException'),
    );
  });
});
