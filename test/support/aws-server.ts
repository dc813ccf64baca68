import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext } from 'node:test';
import { ECR, ECRServiceException } from '@aws-sdk/client-ecr';
import { createAccess, type Access } from '../../src/access/access.ts';
import { accessMigrations } from '../../src/access/migrations.ts';
import type { AccessTables } from '../../src/access/schema.ts';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { silentLogger } from '../../src/core/logger.ts';
import type { MetaStore } from '../../src/core/meta-store.ts';
import { openFileBlobs } from '../../src/drivers/blobs/fs.ts';
import { systemClock } from '../../src/drivers/system/clock.ts';
import { systemIds } from '../../src/drivers/system/ids.ts';
import { createLifecycle } from '../../src/lifecycle/create-lifecycle.ts';
import type { Lifecycle } from '../../src/lifecycle/lifecycle.ts';
import { lifecycleMigrations } from '../../src/lifecycle/migrations.ts';
import type { LifecycleTables } from '../../src/lifecycle/schema.ts';
import { createRegistry } from '../../src/registry/create-registry.ts';
import { registryMigrations } from '../../src/registry/migrations.ts';
import type { Registry } from '../../src/registry/registry.ts';
import type { RegistryTables } from '../../src/registry/schema.ts';
import { createAuthenticate } from '../../src/wire/aws/authenticate.ts';
import { createAwsHandler } from '../../src/wire/aws/handler.ts';
import { createJsonProtocol } from '../../src/wire/aws/json-protocol.ts';
import { createStsProtocol } from '../../src/wire/aws/sts.ts';
import { createEcrFaults } from '../../src/wire/ecr/faults.ts';
import { createEcrService } from '../../src/wire/ecr/service.ts';
import { closeHttpServer, createHttpServer } from '../../src/wire/http/server.ts';
import { createOciWire } from '../../src/wire/oci/handler.ts';
import { createMeta } from './meta.ts';

export const ACCOUNT = '123456789012';
export const REGIONS = ['us-east-1', 'eu-west-1'];

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
}

export interface AwsServer {
  /** `http://127.0.0.1:port`. */
  endpoint: string;
  /** `127.0.0.1:port`. */
  host: string;
  credentials: Credentials;
  registry: Registry;
  lifecycle: Lifecycle;
  access: Access;
  ecr: ECR;
  /** Another client: another region, or another key. */
  client(options?: { region?: string; credentials?: Credentials }): ECR;
  /** The key of somebody who may do less. */
  createKey(userName: string, ...allow: string[]): Promise<Credentials>;
}

/** One server for all tests of a `describe`. The function gives it once they run. */
export function useAwsServer(): () => AwsServer {
  let server: AwsServer | undefined;
  const cleanups: (() => unknown)[] = [];
  before(async () => {
    server = await startAwsServer({ after: (cleanup) => void cleanups.push(cleanup as () => unknown) });
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });
  return () => {
    if (server === undefined) throw new Error('the server is there only while tests run');
    return server;
  };
}

/** A whole server on a free port: SQLite and files in a folder that goes away with the test, and both wires. */
export async function startAwsServer(test: Pick<TestContext, 'after'>): Promise<AwsServer> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-aws-'));
  const clock = systemClock;
  const ids = systemIds;
  const meta = await createMeta<RegistryTables & AccessTables>(
    [...registryMigrations, ...accessMigrations, ...lifecycleMigrations],
    clock.now,
  );
  const blobs = await openFileBlobs({ root: join(folder, 'blobs'), log: silentLogger });
  const registry = createRegistry({ meta: meta as unknown as MetaStore<RegistryTables>, blobs, clock, ids, log: silentLogger });
  const lifecycle = createLifecycle({
    meta: meta as unknown as MetaStore<LifecycleTables>,
    registry,
    clock,
    ids,
    log: silentLogger,
    graceMs: 24 * 60 * 60 * 1000,
    flushPulls: () => registry.flushPulls(),
  });
  const access = createAccess({
    meta: meta as unknown as MetaStore<AccessTables>,
    clock,
    ids,
    account: ACCOUNT,
    regions: REGIONS,
  });
  const first = await access.ensureFirstKey({});
  if (first === undefined) throw new Error('a new database has no first key');
  const { accessKeyId, secretAccessKey } = first;

  const authenticate = createAuthenticate(access);
  const service = createEcrService({ registry, lifecycle, access, clock, address: { regions: REGIONS } });
  const aws = createAwsHandler({
    json: createJsonProtocol({ services: [service], authenticate }),
    sts: createStsProtocol({ authenticate, userId: (principal) => principal.accessKeyId, faults: createEcrFaults() }),
  });
  const oci = createOciWire({ registry, access, places: { account: ACCOUNT, regions: REGIONS } });
  const server = createHttpServer({ handlers: { ...oci, aws }, clock, ids, log: silentLogger });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const endpoint = `http://${host}`;
  const clients: ECR[] = [];
  test.after(async () => {
    for (const client of clients) client.destroy();
    await closeHttpServer(server, 1000);
    await lifecycle.close();
    await blobs.close();
    await meta.close();
    await rm(folder, { recursive: true });
  });

  const client: AwsServer['client'] = ({ region = 'us-east-1', credentials = { accessKeyId, secretAccessKey } } = {}) => {
    const made = new ECR({ endpoint, region, credentials, maxAttempts: 1 });
    clients.push(made);
    return made;
  };
  return {
    endpoint,
    host,
    credentials: { accessKeyId, secretAccessKey },
    registry,
    lifecycle,
    access,
    client,
    ecr: client(),
    async createKey(userName, ...allow) {
      const key = await access.keys.create({ userName, allow });
      return { accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey };
    },
  };
}

export interface PushedImage {
  manifest: string;
  digest: Digest;
  config: Digest;
  layer: Digest;
}

/** Uploads a blob through the layer operations. */
export async function pushLayer(ecr: ECR, repositoryName: string, content: string | Uint8Array): Promise<Digest> {
  const layerPartBlob = Buffer.from(content);
  const digest = digestOf(layerPartBlob);
  const { layers } = await ecr.batchCheckLayerAvailability({ repositoryName, layerDigests: [digest] });
  if (layers?.[0]?.layerAvailability === 'AVAILABLE') return digest;
  const { uploadId } = await ecr.initiateLayerUpload({ repositoryName });
  await ecr.uploadLayerPart({
    repositoryName,
    uploadId,
    partFirstByte: 0,
    partLastByte: layerPartBlob.length - 1,
    layerPartBlob,
  });
  await ecr.completeLayerUpload({ repositoryName, uploadId, layerDigests: [digest] });
  return digest;
}

/** Pushes an image whose content is told apart by a text; `members` go into its manifest. */
export async function pushImage(
  ecr: ECR,
  repositoryName: string,
  text: string,
  imageTag?: string,
  members: Record<string, unknown> = {},
): Promise<PushedImage> {
  const contents = {
    config: JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Labels: { text } },
      rootfs: { type: 'layers', diff_ids: [] },
    }),
    layer: `layer ${text}`,
  };
  const config = await pushLayer(ecr, repositoryName, contents.config);
  const layer = await pushLayer(ecr, repositoryName, contents.layer);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config, size: contents.config.length },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: layer, size: contents.layer.length }],
    ...members,
  });
  await ecr.putImage({ repositoryName, imageManifest: manifest, ...(imageTag === undefined ? {} : { imageTag }) });
  return { manifest, digest: digestOf(manifest), config, layer };
}

/** For `assert.rejects`: the exception of this name, its message matching. */
export function awsError(name: string, message?: string | RegExp): (error: unknown) => true {
  return (error) => {
    if (!(error instanceof ECRServiceException)) throw error;
    const matches =
      message === undefined || (typeof message === 'string' ? error.message === message : message.test(error.message));
    if (error.name !== name || !matches)
      throw new Error(`expected ${name}: ${message}\n     got ${error.name}: ${error.message}`);
    return true;
  };
}
