import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { type ECR } from '@aws-sdk/client-ecr';
import { digestOf } from '../../../src/core/digest.ts';
import { parseRepositoryName } from '../../../src/core/repository-name.ts';
import { ACCOUNT, awsError, pushImage, useAwsServer, type AwsServer } from '../../support/aws-server.ts';
import { OCI_MANIFEST, NOWHERE, caller, indexOf, bare, basic, repositoryMaker } from '../../support/ecr.ts';

describe("the ECR API's images, asked by the AWS SDK", () => {
  const getServer = useAwsServer();
  const createRepository = repositoryMaker(() => ecr);
  let server: AwsServer;
  let ecr: ECR;
  before(() => {
    server = getServer();
    ecr = server.ecr;
  });

  test('an image is put, got and described', async () => {
    const repositoryName = await createRepository();
    const { manifest, digest } = await pushImage(ecr, repositoryName, 'one', 'v1');
    const got = await ecr.batchGetImage({
      repositoryName,
      imageIds: [{ imageTag: 'v1' }, { imageDigest: digest }, { imageTag: 'v1', imageDigest: digest }],
      acceptedMediaTypes: ['text/plain'],
    });
    assert.deepEqual(got.failures, []);
    const image = { registryId: ACCOUNT, repositoryName, imageManifest: manifest, imageManifestMediaType: OCI_MANIFEST };
    assert.deepEqual(got.images, [
      { ...image, imageId: { imageDigest: digest, imageTag: 'v1' } },
      { ...image, imageId: { imageDigest: digest } },
      { ...image, imageId: { imageDigest: digest, imageTag: 'v1' } },
    ]);
    const [detail] = (await ecr.describeImages({ repositoryName, imageIds: [{ imageTag: 'v1' }] })).imageDetails ?? [];
    const { config, layers } = JSON.parse(manifest) as { config: { size: number }; layers: { size: number }[] };
    assert.ok(detail?.imagePushedAt instanceof Date);
    const { imagePushedAt: _pushed, lastRecordedPullTime: _pulled, ...rest } = detail;
    assert.deepEqual(rest, {
      registryId: ACCOUNT,
      repositoryName,
      imageDigest: digest,
      imageTags: ['v1'],
      imageSizeInBytes: config.size + (layers[0]?.size ?? 0),
      imageManifestMediaType: OCI_MANIFEST,
      artifactMediaType: 'application/vnd.oci.image.config.v1+json',
      imageStatus: 'ACTIVE',
    });
  });

  test('a manifest survives to the byte, whatever is in it', async () => {
    const repositoryName = await createRepository();
    const { config, layer } = await pushImage(ecr, repositoryName, 'bytes');
    const imageManifest = `{\n   "schemaVersion": 2,\t"mediaType": "${OCI_MANIFEST}",\r\n "annotations": {"ключ": "zażółć 🐳 \\u0041 \\" \u2028"},
      "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 1, "digest": "${config}"},
      "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "size": 1, "digest": "${layer}"}]  }\n\n`;
    const put = await ecr.putImage({ repositoryName, imageManifest, imageTag: 'bytes', imageDigest: digestOf(imageManifest) });
    assert.equal(put.image?.imageId?.imageDigest, digestOf(imageManifest));
    assert.equal(put.image?.imageManifest, imageManifest);
    assert.equal(
      (await ecr.batchGetImage({ repositoryName, imageIds: [{ imageTag: 'bytes' }] })).images?.[0]?.imageManifest,
      imageManifest,
    );
    const wire = await fetch(`${server.endpoint}/v2/${repositoryName}/manifests/bytes`, {
      headers: { Authorization: await basic(ecr), Accept: OCI_MANIFEST },
    });
    assert.equal(await wire.text(), imageManifest);
  });

  test('putting the same again, another manifest under a tag, and a tag that is protected', async () => {
    const repositoryName = await createRepository();
    const one = await pushImage(ecr, repositoryName, 'one', 'v1');
    await assert.rejects(
      ecr.putImage({ repositoryName, imageManifest: one.manifest, imageTag: 'v1' }),
      awsError(
        'ImageAlreadyExistsException',
        `Image with digest '${one.digest}' and tag 'v1' already exists in the repository with name '${repositoryName}' in registry with id '${ACCOUNT}'`,
      ),
    );
    await assert.rejects(
      ecr.putImage({ repositoryName, imageManifest: one.manifest }),
      awsError('ImageAlreadyExistsException', /and tag 'null' already exists/),
    );
    const two = await pushImage(ecr, repositoryName, 'two', 'v1');
    const listed = (await ecr.listImages({ repositoryName })).imageIds ?? [];
    assert.deepEqual(
      new Set(listed.map((id) => JSON.stringify(id))),
      new Set([JSON.stringify({ imageDigest: two.digest, imageTag: 'v1' }), JSON.stringify({ imageDigest: one.digest })]),
    );

    assert.deepEqual(await bare(ecr.putImageTagMutability({ repositoryName, imageTagMutability: 'IMMUTABLE' })), {
      registryId: ACCOUNT,
      repositoryName,
      imageTagMutability: 'IMMUTABLE',
    });
    await assert.rejects(
      ecr.putImage({ repositoryName, imageManifest: one.manifest, imageTag: 'v1' }),
      awsError(
        'ImageTagAlreadyExistsException',
        `The image tag 'v1' already exists in the '${repositoryName}' repository and cannot be overwritten because the repository is immutable.`,
      ),
    );
    await assert.rejects(
      ecr.putImage({ repositoryName, imageManifest: two.manifest, imageTag: 'v1' }),
      awsError('ImageAlreadyExistsException'),
    );
    await ecr.putImage({ repositoryName, imageManifest: one.manifest, imageTag: 'v0' });

    const filters = [{ filterType: 'WILDCARD' as const, filter: 'v*' }];
    await ecr.putImageTagMutability({
      repositoryName,
      imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
      imageTagMutabilityExclusionFilters: filters,
    });
    await ecr.putImage({ repositoryName, imageManifest: one.manifest, imageTag: 'v1' });
    await ecr.putImageTagMutability({
      repositoryName,
      imageTagMutability: 'MUTABLE_WITH_EXCLUSION',
      imageTagMutabilityExclusionFilters: filters,
    });
    await assert.rejects(
      ecr.putImage({ repositoryName, imageManifest: two.manifest, imageTag: 'v1' }),
      awsError('ImageTagAlreadyExistsException', /because the tag is immutable\.$/),
    );
  });

  test('what a manifest needs must be there', async () => {
    const repositoryName = await createRepository();
    const { manifest, config } = await pushImage(ecr, repositoryName, 'one');
    const layerless = manifest.replace(
      /"layers":\[.*\]/,
      `"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","size":1,"digest":"${NOWHERE}"}]`,
    );
    await assert.rejects(
      ecr.putImage({ repositoryName, imageManifest: layerless }),
      awsError(
        'LayersNotFoundException',
        `Layers with digests '[${NOWHERE}]' required for pushing image into repository with name '${repositoryName}' in the registry with id '${ACCOUNT}' do not exist`,
      ),
    );
    await assert.rejects(
      ecr.putImage({ repositoryName, imageManifest: indexOf([{ digest: NOWHERE, manifest }]) }),
      awsError(
        'ReferencedImagesNotFoundException',
        new RegExp(`^Images with digests '\\[${NOWHERE}\\]' required for pushing image into repository`),
      ),
    );
    await assert.rejects(
      ecr.putImage({ repositoryName, imageManifest: manifest, imageDigest: config }),
      awsError(
        'ImageDigestDoesNotMatchException',
        `The image with digest '${config}' in repository '${repositoryName}' and registry ID '${ACCOUNT}' does not match the image digest that Amazon ECR has calculated.`,
      ),
    );
    await assert.rejects(
      ecr.putImage({ repositoryName, imageManifest: 'not JSON' }),
      awsError(
        'InvalidParameterException',
        "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'",
      ),
    );
    await assert.rejects(
      ecr.putImage({ repositoryName, imageManifest: manifest, imageManifestMediaType: 'text/plain' }),
      awsError('InvalidParameterException'),
    );
    await assert.rejects(
      ecr.putImage({ repositoryName: 'none', imageManifest: manifest }),
      awsError('RepositoryNotFoundException'),
    );
    for (const imageTag of ['-leading', 'x'.repeat(129)]) {
      await assert.rejects(
        ecr.putImage({ repositoryName, imageManifest: manifest, imageTag }),
        awsError('InvalidParameterException', /'must satisfy regular expression '\[a-zA-Z0-9_\]\[a-zA-Z0-9\._-\]\{0,127\}''$/),
      );
    }
  });

  test('a manifest without a media type needs one from the request, unless it is here already', async () => {
    const repositoryName = await createRepository();
    const { manifest } = await pushImage(ecr, repositoryName, 'one');
    const imageManifest = manifest.replace(`"mediaType":"${OCI_MANIFEST}",`, '');
    await assert.rejects(
      ecr.putImage({ repositoryName, imageManifest, imageTag: 'v1' }),
      awsError('InvalidParameterException', 'image manifest mediatype not provided in manifest or parameter'),
    );
    await ecr.putImage({ repositoryName, imageManifest, imageTag: 'v1', imageManifestMediaType: OCI_MANIFEST });
    const again = await ecr.putImage({ repositoryName, imageManifest, imageTag: 'v2' });
    assert.equal(again.image?.imageManifestMediaType, OCI_MANIFEST);
  });

  test('each identifier of a batch stands for itself', async () => {
    const repositoryName = await createRepository();
    const one = await pushImage(ecr, repositoryName, 'one', 'v1');
    const two = await pushImage(ecr, repositoryName, 'two', 'v2');
    const answer = await ecr.batchGetImage({
      repositoryName,
      imageIds: [
        { imageTag: 'v1' },
        { imageTag: 'none' },
        {},
        { imageDigest: 'nonsense' },
        { imageDigest: NOWHERE },
        { imageTag: 'v1', imageDigest: two.digest },
        { imageTag: 'a b' },
      ],
    });
    assert.deepEqual(
      answer.images?.map((image) => image.imageId),
      [{ imageDigest: one.digest, imageTag: 'v1' }],
    );
    assert.deepEqual(answer.failures, [
      { imageId: { imageTag: 'none' }, failureCode: 'ImageNotFound', failureReason: 'Requested image not found' },
      {
        imageId: {},
        failureCode: 'MissingDigestAndTag',
        failureReason: 'Invalid request parameters: both tag and digest cannot be null',
      },
      {
        imageId: { imageDigest: 'nonsense' },
        failureCode: 'InvalidImageDigest',
        failureReason: "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
      },
      { imageId: { imageDigest: NOWHERE }, failureCode: 'ImageNotFound', failureReason: 'Requested image not found' },
      {
        imageId: { imageDigest: two.digest, imageTag: 'v1' },
        failureCode: 'ImageTagDoesNotMatchDigest',
        failureReason: 'Invalid request parameters: tag does not match the digest',
      },
      {
        imageId: { imageTag: 'a b' },
        failureCode: 'InvalidImageTag',
        failureReason: "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9-_.]+'",
      },
    ]);
    await assert.rejects(
      ecr.batchGetImage({ repositoryName: 'none', imageIds: [{ imageTag: 'v1' }] }),
      awsError('RepositoryNotFoundException'),
    );
  });

  test('deleting by tag, by digest, and what cannot be deleted', async () => {
    const repositoryName = await createRepository();
    const one = await pushImage(ecr, repositoryName, 'one', 'v1');
    await ecr.putImage({ repositoryName, imageManifest: one.manifest, imageTag: 'latest' });
    assert.deepEqual(await bare(ecr.batchDeleteImage({ repositoryName, imageIds: [{ imageTag: 'latest' }] })), {
      imageIds: [{ imageDigest: one.digest, imageTag: 'latest' }],
      failures: [],
    });
    assert.equal((await ecr.describeImages({ repositoryName })).imageDetails?.length, 1);
    assert.deepEqual((await ecr.batchDeleteImage({ repositoryName, imageIds: [{ imageTag: 'v1' }] })).imageIds, [
      { imageDigest: one.digest, imageTag: 'v1' },
    ]);
    assert.deepEqual((await ecr.describeImages({ repositoryName })).imageDetails, []);

    const two = await pushImage(ecr, repositoryName, 'two', 'a');
    await ecr.putImage({ repositoryName, imageManifest: two.manifest, imageTag: 'b' });
    const three = await pushImage(ecr, repositoryName, 'three');
    const deleted = await ecr.batchDeleteImage({
      repositoryName,
      imageIds: [{ imageDigest: two.digest }, { imageDigest: three.digest }, { imageTag: 'a' }, { imageDigest: 'nonsense' }, {}],
    });
    assert.deepEqual(deleted.imageIds, [
      { imageDigest: two.digest, imageTag: 'a' },
      { imageDigest: two.digest, imageTag: 'b' },
      { imageDigest: three.digest },
    ]);
    assert.deepEqual(
      deleted.failures?.map((row) => row.failureCode),
      ['ImageNotFound', 'InvalidImageDigest', 'MissingDigestAndTag'],
    );

    const child = await pushImage(ecr, repositoryName, 'child', 'amd64');
    const list = await ecr.putImage({ repositoryName, imageManifest: indexOf([child]), imageTag: 'multi' });
    const listDigest = list.image?.imageId?.imageDigest;
    for (const imageId of [{ imageDigest: child.digest }, { imageTag: 'amd64' }]) {
      assert.deepEqual(await bare(ecr.batchDeleteImage({ repositoryName, imageIds: [imageId] })), {
        imageIds: [],
        failures: [
          {
            imageId,
            failureCode: 'ImageReferencedByManifestList',
            failureReason: `Requested image referenced by manifest list: [${listDigest}]`,
          },
        ],
      });
    }
    assert.deepEqual(
      (await ecr.batchDeleteImage({ repositoryName, imageIds: [{ imageTag: 'multi', imageDigest: child.digest }] })).failures?.[0]
        ?.failureCode,
      'ImageNotFound',
    );
  });

  test('an image that is held cannot be deleted, and the refusal says by whom', async () => {
    const repositoryName = await createRepository();
    const { digest } = await pushImage(ecr, repositoryName, 'one', 'v1');
    const repository = await server.registry.repositories.get(caller, parseRepositoryName(repositoryName));
    await server.registry.holds.take(caller, repository, { digest, kind: 'service', holder: 'prod/web' });
    for (const imageId of [{ imageDigest: digest }, { imageTag: 'v1' }]) {
      const { imageIds, failures } = await ecr.batchDeleteImage({ repositoryName, imageIds: [imageId] });
      assert.deepEqual(imageIds, []);
      assert.equal(failures?.[0]?.failureCode, 'ImageInUse');
      assert.match(
        String(failures?.[0]?.failureReason),
        /^Requested image is in use: 'sha256:[0-9a-f]{64}' is held by service 'prod\/web' since \d{4}-/,
      );
    }
  });
});
