import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  InvalidLayerPartException,
  paginateDescribeImages,
  paginateDescribeRepositories,
  paginateListImages,
  type ECR,
} from '@aws-sdk/client-ecr';
import { digestOf } from '../../src/core/digest.ts';
import { parseRepositoryName } from '../../src/core/repository-name.ts';
import { ECR_OPERATIONS, ecrCoverage } from '../../src/wire/ecr/operations.ts';
import { ACCOUNT, awsError, pushImage, pushLayer, useAwsServer, type AwsServer } from '../support/aws-server.ts';

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const NOWHERE = `sha256:${'0'.repeat(64)}`;

describe('the ECR API, asked by the AWS SDK', () => {
  const getServer = useAwsServer();
  let server: AwsServer;
  let ecr: ECR;
  let count = 0;
  before(() => {
    server = getServer();
    ecr = server.ecr;
  });

  async function createRepository(
    settings: Omit<Parameters<ECR['createRepository']>[0], 'repositoryName'> = {},
  ): Promise<string> {
    const repositoryName = `team/app-${++count}`;
    await ecr.createRepository({ repositoryName, ...settings });
    return repositoryName;
  }

  function indexOf(children: { digest: string; manifest: string }[]): string {
    const manifests = children.map(({ digest, manifest }) => ({ mediaType: OCI_MANIFEST, digest, size: manifest.length }));
    return JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  }

  const missing = (name: string) => `The repository with name '${name}' does not exist in the registry with id '${ACCOUNT}'`;

  describe('repositories', () => {
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
      assert.match(
        String(repository?.encryptionConfiguration?.kmsKey),
        /^arn:aws:kms:us-east-1:123456789012:key\/[0-9a-f-]{36}$/,
      );
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
      const caller = { account: ACCOUNT, region: 'us-east-1', principal: 'arn:aws:iam::123456789012:user/test' };
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
      await assert.rejects(
        ecr.listImages({ registryId: '999999999999', repositoryName }),
        awsError('RepositoryNotFoundException'),
      );
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

  describe('images', () => {
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
        imageIds: [
          { imageDigest: two.digest },
          { imageDigest: three.digest },
          { imageTag: 'a' },
          { imageDigest: 'nonsense' },
          {},
        ],
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
        (await ecr.batchDeleteImage({ repositoryName, imageIds: [{ imageTag: 'multi', imageDigest: child.digest }] }))
          .failures?.[0]?.failureCode,
        'ImageNotFound',
      );
    });

    test('an image that is held cannot be deleted, and the refusal says by whom', async () => {
      const repositoryName = await createRepository();
      const { digest } = await pushImage(ecr, repositoryName, 'one', 'v1');
      const caller = { account: ACCOUNT, region: 'us-east-1', principal: 'arn:aws:iam::123456789012:user/test' };
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
      await assert.rejects(
        ecr.describeImages({ repositoryName, nextToken }),
        awsError('InvalidParameterException', /'nextToken'/),
      );
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

  describe('layers', () => {
    test('a layer goes up in parts and comes down by a link', async () => {
      const repositoryName = await createRepository();
      const { uploadId, partSize } = await ecr.initiateLayerUpload({ repositoryName });
      assert.equal(partSize, 10 * 1024 * 1024);
      const part = await ecr.uploadLayerPart({
        repositoryName,
        uploadId,
        partFirstByte: 0,
        partLastByte: 3,
        layerPartBlob: Buffer.from('AAAA'),
      });
      assert.deepEqual(await bare(Promise.resolve(part)), { registryId: ACCOUNT, repositoryName, uploadId, lastByteReceived: 3 });
      for (const [partFirstByte, partLastByte] of [
        [8, 11],
        [0, 3],
        [4, 20],
      ] as const) {
        await assert.rejects(
          ecr.uploadLayerPart({ repositoryName, uploadId, partFirstByte, partLastByte, layerPartBlob: Buffer.from('BBBB') }),
          (error) => {
            assert.ok(error instanceof InvalidLayerPartException, String(error));
            const { registryId, repositoryName: name, uploadId: id, lastValidByteReceived } = error;
            assert.deepEqual(
              { registryId, name, id, lastValidByteReceived },
              { registryId: ACCOUNT, name: repositoryName, id: uploadId, lastValidByteReceived: 3 },
            );
            return true;
          },
        );
      }
      const last = await ecr.uploadLayerPart({
        repositoryName,
        uploadId,
        partFirstByte: 4,
        partLastByte: 7,
        layerPartBlob: Buffer.from('BBBB'),
      });
      assert.equal(last.lastByteReceived, 7);
      const layerDigest = digestOf('AAAABBBB');
      assert.deepEqual(await bare(ecr.completeLayerUpload({ repositoryName, uploadId, layerDigests: [layerDigest] })), {
        registryId: ACCOUNT,
        repositoryName,
        uploadId,
        layerDigest,
      });
      await assert.rejects(
        ecr.completeLayerUpload({ repositoryName, uploadId, layerDigests: [layerDigest] }),
        awsError('UploadNotFoundException'),
      );

      const check = await ecr.batchCheckLayerAvailability({ repositoryName, layerDigests: [layerDigest, NOWHERE, 'nonsense'] });
      assert.deepEqual(check.layers, [
        { layerDigest, layerAvailability: 'AVAILABLE', layerSize: 8, mediaType: 'application/octet-stream' },
        { layerDigest: NOWHERE, layerAvailability: 'UNAVAILABLE' },
      ]);
      assert.deepEqual(
        check.failures?.map(({ layerDigest: digest, failureCode }) => [digest, failureCode]),
        [['nonsense', 'InvalidLayerDigest']],
      );

      await assert.rejects(ecr.getDownloadUrlForLayer({ repositoryName, layerDigest }), awsError('LayerInaccessibleException'));
      await assert.rejects(
        ecr.getDownloadUrlForLayer({ repositoryName, layerDigest: NOWHERE }),
        awsError('LayersNotFoundException'),
      );
      const image = await pushImage(ecr, repositoryName, 'with a layer');
      const link = await ecr.getDownloadUrlForLayer({ repositoryName, layerDigest: image.layer });
      assert.ok(link.downloadUrl?.startsWith(`${server.endpoint}/holdfast/download/`));
      assert.equal(link.layerDigest, image.layer);
      assert.equal(await (await fetch(String(link.downloadUrl))).text(), 'layer with a layer');
      assert.equal((await fetch(`${link.downloadUrl}x`)).status >= 400, true);
    });

    test('what is wrong with an upload is said', async () => {
      const repositoryName = await createRepository();
      await assert.rejects(ecr.initiateLayerUpload({ repositoryName: 'none' }), awsError('RepositoryNotFoundException'));
      const part = { repositoryName, partFirstByte: 0, partLastByte: 1, layerPartBlob: Buffer.from('xx') };
      for (const uploadId of ['does-not-exist', '../../etc/passwd', '00000000-0000-4000-8000-000000000000']) {
        await assert.rejects(ecr.uploadLayerPart({ ...part, uploadId }), awsError('UploadNotFoundException'));
        await assert.rejects(
          ecr.completeLayerUpload({ repositoryName, uploadId, layerDigests: [NOWHERE] }),
          awsError('UploadNotFoundException'),
        );
      }
      const empty = await ecr.initiateLayerUpload({ repositoryName });
      await assert.rejects(
        ecr.completeLayerUpload({ repositoryName, uploadId: empty.uploadId, layerDigests: [NOWHERE] }),
        awsError('EmptyUploadException'),
      );
      await ecr.uploadLayerPart({ ...part, uploadId: empty.uploadId });
      await assert.rejects(
        ecr.completeLayerUpload({ repositoryName, uploadId: empty.uploadId, layerDigests: [NOWHERE] }),
        awsError('InvalidLayerException'),
      );
      const digest = await pushLayer(ecr, repositoryName, 'twice');
      const { uploadId } = await ecr.initiateLayerUpload({ repositoryName });
      await ecr.uploadLayerPart({
        repositoryName,
        uploadId,
        partFirstByte: 0,
        partLastByte: 4,
        layerPartBlob: Buffer.from('twice'),
      });
      await assert.rejects(
        ecr.completeLayerUpload({ repositoryName, uploadId, layerDigests: [digest] }),
        awsError('LayerAlreadyExistsException'),
      );
    });

    test('a part of 20 MiB is taken', async () => {
      const repositoryName = await createRepository();
      const content = Buffer.alloc(20_971_520, 'x');
      assert.equal(await pushLayer(ecr, repositoryName, content), digestOf(content));
    });
  });

  describe('policies', () => {
    const reader = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: '*', Action: ['ecr:BatchGetImage', 'ecr:ListImages'] }],
    };

    test('a repository policy is set, told, enforced and removed', async () => {
      const repositoryName = await createRepository();
      await pushImage(ecr, repositoryName, 'one', 'v1');
      const stranger = server.client({ credentials: await server.createKey(`reader-${count}`, 'pull:elsewhere/*') });
      await assert.rejects(
        stranger.listImages({ repositoryName }),
        awsError(
          'AccessDeniedException',
          `User: arn:aws:iam::${ACCOUNT}:user/reader-${count} is not authorized to perform: ecr:ListImages on resource: arn:aws:ecr:us-east-1:${ACCOUNT}:repository/${repositoryName} because no identity-based policy allows the ecr:ListImages action`,
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
        awsError(
          'AccessDeniedException',
          /ecr:CreateRepository on resource: arn:aws:ecr:us-east-1:123456789012:repository\/mine/,
        ),
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

  describe('templates', () => {
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

  describe('settings', () => {
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

  describe('what is not here', () => {
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
});

/** An answer without what the SDK adds. */
async function bare(answer: Promise<{ $metadata: unknown }>): Promise<Record<string, unknown>> {
  const { $metadata: _added, ...rest } = await answer;
  return rest;
}

async function basic(ecr: ECR): Promise<string> {
  const { authorizationData } = await ecr.getAuthorizationToken({});
  return `Basic ${authorizationData?.[0]?.authorizationToken}`;
}
