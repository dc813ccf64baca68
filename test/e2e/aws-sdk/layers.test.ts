import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { InvalidLayerPartException, type ECR } from '@aws-sdk/client-ecr';
import { digestOf } from '../../../src/core/digest.ts';
import { ACCOUNT, awsError, pushImage, pushLayer, useAwsServer, type AwsServer } from '../../support/aws-server.ts';
import { NOWHERE, bare, repositoryMaker } from '../../support/ecr.ts';

describe("the ECR API's layers, asked by the AWS SDK", () => {
  const getServer = useAwsServer();
  const createRepository = repositoryMaker(() => ecr);
  let server: AwsServer;
  let ecr: ECR;
  before(() => {
    server = getServer();
    ecr = server.ecr;
  });

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
