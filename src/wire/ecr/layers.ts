import type {
  BatchCheckLayerAvailabilityRequest,
  BatchCheckLayerAvailabilityResponse,
  CompleteLayerUploadRequest,
  CompleteLayerUploadResponse,
  GetDownloadUrlForLayerRequest,
  GetDownloadUrlForLayerResponse,
  InitiateLayerUploadRequest,
  InitiateLayerUploadResponse,
  Layer,
  LayerFailure,
  UploadLayerPartRequest,
  UploadLayerPartResponse,
} from '@aws-sdk/client-ecr';
import { isDigest, type Digest } from '../../core/digest.ts';
import { Fault } from '../../core/fault.ts';
import type { Repository, UploadSession } from '../../registry/registry.ts';
import { DIGEST_RULE } from './faults.ts';
import { detectLayerMediaType } from './layer-media-type.ts';
import { onRepository, type EcrCall } from './operation.ts';
import { LAYER_DIGEST, looksLikeDigest, ON_REPOSITORY } from './shapes.ts';

/** What AWS tells clients to send in one part; they may send up to twice as much. */
const PART_SIZE = 10 * 1024 * 1024;
const MAX_PART_SIZE = 20_971_520;

const UUID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;
const UPLOAD_ID = { type: 'string', max: 256, required: true } as const;

const batchCheckLayerAvailability = onRepository<BatchCheckLayerAvailabilityRequest, BatchCheckLayerAvailabilityResponse>(
  'BatchCheckLayerAvailability',
  {
    type: 'structure',
    members: {
      ...ON_REPOSITORY,
      layerDigests: { type: 'list', of: { type: 'string', max: 1000 }, min: 1, max: 100, required: true },
    },
  },
  async (input, repository, call) => {
    const layers: Layer[] = [];
    const failures: LayerFailure[] = [];
    for (const layerDigest of input.layerDigests) {
      if (looksLikeDigest(layerDigest)) layers.push(await describeLayer(call, repository, layerDigest));
      else if (layerDigest === '')
        failures.push({
          layerDigest,
          failureCode: 'MissingLayerDigest',
          failureReason: 'Invalid request parameters: layer digest cannot be empty',
        });
      else
        failures.push({
          layerDigest,
          failureCode: 'InvalidLayerDigest',
          failureReason: "Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
        });
    }
    return { layers, failures };
  },
);

const initiateLayerUpload = onRepository<InitiateLayerUploadRequest, InitiateLayerUploadResponse>(
  'InitiateLayerUpload',
  { type: 'structure', members: ON_REPOSITORY },
  async (_input, repository, call) => {
    const upload = await call.registry.layers.startUpload(call.caller, repository);
    return { uploadId: upload.id, partSize: PART_SIZE };
  },
);

const uploadLayerPart = onRepository<UploadLayerPartRequest, UploadLayerPartResponse>(
  'UploadLayerPart',
  {
    type: 'structure',
    members: {
      ...ON_REPOSITORY,
      uploadId: UPLOAD_ID,
      partFirstByte: { type: 'integer', min: 0, required: true },
      partLastByte: { type: 'integer', min: 0, required: true },
      layerPartBlob: { type: 'blob', min: 0, max: MAX_PART_SIZE, required: true },
    },
  },
  async (input, repository, call) => {
    const { uploadId, partFirstByte: first, partLastByte: last, layerPartBlob: blob } = input;
    const { offset } = await findUpload(call, repository, uploadId);
    if (last - first + 1 !== blob.length)
      throw new Fault('upload-range-invalid', { repository: repository.name, registryId: repository.account, uploadId, offset });
    const upload = await call.registry.layers.append(call.caller, repository, uploadId, {
      source: oneChunk(blob),
      range: { first, last },
      length: blob.length,
    });
    return { registryId: repository.account, repositoryName: repository.name, uploadId, lastByteReceived: upload.offset - 1 };
  },
);

const completeLayerUpload = onRepository<CompleteLayerUploadRequest, CompleteLayerUploadResponse>(
  'CompleteLayerUpload',
  {
    type: 'structure',
    members: {
      ...ON_REPOSITORY,
      uploadId: UPLOAD_ID,
      layerDigests: { type: 'list', of: LAYER_DIGEST, min: 1, max: 100, required: true },
    },
  },
  async (input, repository, call) => {
    const { uploadId } = input;
    const [given, ...others] = [...new Set(input.layerDigests)];
    if (given === undefined || others.length > 0)
      throw new Fault('parameter-invalid', { member: 'layerDigests', constraint: 'One layer has one digest' });
    const { offset } = await findUpload(call, repository, uploadId);
    if (offset === 0) throw new Fault('upload-empty', { uploadId });
    if (!isDigest(given)) throw new Fault('parameter-invalid', { member: 'layerDigests', constraint: DIGEST_RULE });
    const { digest, existed } = await call.registry.layers.complete(call.caller, repository, uploadId, given);
    if (existed) throw new Fault('blob-exists', { repository: repository.name, registryId: repository.account, digest });
    return { registryId: repository.account, repositoryName: repository.name, uploadId, layerDigest: digest };
  },
);

const getDownloadUrlForLayer = onRepository<GetDownloadUrlForLayerRequest, GetDownloadUrlForLayerResponse>(
  'GetDownloadUrlForLayer',
  { type: 'structure', members: { ...ON_REPOSITORY, layerDigest: { ...LAYER_DIGEST, required: true } } },
  async (input, repository, call) => {
    const facts = { repository: repository.name, registryId: repository.account, digest: input.layerDigest };
    const blob = isDigest(input.layerDigest) ? await call.registry.layers.stat(repository, input.layerDigest) : undefined;
    if (blob === undefined) throw new Fault('blob-unknown', facts);
    if (!(await call.registry.layers.isReferenced(repository, blob.digest))) throw new Fault('blob-inaccessible', facts);
    return { downloadUrl: `${call.registryOrigin}${await call.signDownload(repository, blob.digest)}`, layerDigest: blob.digest };
  },
);

export const layerOperations = {
  BatchCheckLayerAvailability: batchCheckLayerAvailability,
  InitiateLayerUpload: initiateLayerUpload,
  UploadLayerPart: uploadLayerPart,
  CompleteLayerUpload: completeLayerUpload,
  GetDownloadUrlForLayer: getDownloadUrlForLayer,
};

async function describeLayer(call: EcrCall, repository: Repository, layerDigest: string): Promise<Layer> {
  const blob = isDigest(layerDigest) ? await call.registry.layers.stat(repository, layerDigest) : undefined;
  if (blob === undefined) return { layerDigest, layerAvailability: 'UNAVAILABLE' };
  return {
    layerDigest,
    layerAvailability: 'AVAILABLE',
    layerSize: blob.bytes,
    mediaType: await readMediaType(call, repository, blob.digest),
  };
}

/** The registry keeps bytes, not what some manifest calls them; so their first few say what they are. */
async function readMediaType(call: EcrCall, repository: Repository, digest: Digest): Promise<string> {
  const { reader } = await call.registry.layers.open(repository, digest);
  try {
    const head = new Uint8Array(512);
    return detectLayerMediaType(head.subarray(0, await reader.read(head, 0)));
  } finally {
    await reader.close();
  }
}

/** Raises `upload-unknown`, for an identifier that could never be one too. */
async function findUpload(call: EcrCall, repository: Repository, uploadId: string): Promise<UploadSession> {
  if (!UUID.test(uploadId))
    throw new Fault('upload-unknown', { repository: repository.name, registryId: repository.account, uploadId });
  return call.registry.layers.getUpload(repository, uploadId);
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}
