import type { TestContext } from 'node:test';
import { createManualClock } from '../../src/core/clock.ts';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import type { IdSource } from '../../src/core/ids.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { MediaType } from '../../src/core/media-type.ts';
import type { MetaStore } from '../../src/core/meta-store.ts';
import type { Caller } from '../../src/core/place.ts';
import type { RepositoryName } from '../../src/core/repository-name.ts';
import { lifecycleMigrations } from '../../src/lifecycle/migrations.ts';
import { createAuditLog } from '../../src/registry/audit.ts';
import { defaultRegistryOptions, type RegistryContext, type RegistryOptions } from '../../src/registry/context.ts';
import { createHolds } from '../../src/registry/holds.ts';
import { createImages } from '../../src/registry/images.ts';
import { registryMigrations } from '../../src/registry/migrations.ts';
import { createPullTimes } from '../../src/registry/pull-times.ts';
import type { AuditLog, Holds, Images, Repositories, Repository, TagHistory } from '../../src/registry/registry.ts';
import { createRepositories } from '../../src/registry/repositories.ts';
import type { RegistryTables } from '../../src/registry/schema.ts';
import { createTagHistory } from '../../src/registry/tag-history.ts';
import { openMeta } from './meta.ts';

export const caller: Caller = { account: '123456789012', region: 'us-east-1', principal: 'arn:aws:iam::123456789012:user/ann' };

/** Identifiers that differ, and are the same in every run. */
export function createCountingIds(): IdSource {
  let count = 0;
  return {
    uuid: () => `00000000-0000-4000-8000-${String(++count).padStart(12, '0')}`,
    bytes: (length) => new Uint8Array(length).fill(++count & 0xff),
  };
}

/** A metadata database with the registry's tables, in a folder that goes away with the test. */
export async function openTestMeta(
  test: Pick<TestContext, 'after'>,
): Promise<MetaStore<RegistryTables> & { close(): Promise<void> }> {
  return openMeta<RegistryTables>(test, [...registryMigrations, ...lifecycleMigrations]);
}

export interface TestRegistry {
  context: RegistryContext;
  clock: ReturnType<typeof createManualClock>;
  images: Images;
  holds: Holds;
  repositories: Repositories;
  tags: TagHistory;
  audit: AuditLog;
  flushPulls(): Promise<number>;
  /** A new repository. */
  create(name?: string, settings?: Parameters<Repositories['create']>[2]): Promise<Repository>;
  /** Makes a blob a member of the repository, as a finished upload does; its bytes are nowhere. */
  addBlob(repository: Repository, content: string): Promise<Digest>;
  /** A pushable image whose blobs are in the repository; the same `content` gives the same digest. */
  buildImage(repository: Repository, content: string, extra?: Record<string, unknown>): Promise<BuiltManifest>;
  /** Builds and pushes. */
  push(repository: Repository, content: string, ...tags: string[]): Promise<Digest>;
}

export interface BuiltManifest {
  body: Uint8Array;
  mediaType: string;
  digest: Digest;
}

/** The parts of the registry that need no blob store, on a database of their own and a clock that stands still. */
export async function createTestRegistry(
  test: Pick<TestContext, 'after'>,
  options: Partial<Omit<RegistryOptions, 'limits'>> & { limits?: Partial<RegistryOptions['limits']> } = {},
): Promise<TestRegistry> {
  const meta = await openTestMeta(test);
  const clock = createManualClock(1_700_000_000_000);
  const context: RegistryContext = {
    meta,
    clock,
    ids: createCountingIds(),
    log: silentLogger,
    options: { ...defaultRegistryOptions, ...options, limits: { ...defaultRegistryOptions.limits, ...options.limits } },
  };
  const pulls = createPullTimes(context);
  const images = createImages(context, pulls);
  const repositories = createRepositories(context);

  const addBlob = async (repository: Repository, content: string): Promise<Digest> => {
    const digest = digestOf(content);
    await meta.transact(async (transaction) => {
      const now = clock.now();
      await transaction
        .insertInto('blob')
        .values({ digest, bytes: content.length, stamp: 'test', created_at: now, corrupt_at: null, verified_at: now })
        .onConflict((conflict) => conflict.column('digest').doUpdateSet({ corrupt_at: null }))
        .execute();
      await transaction
        .insertInto('repository_blob')
        .values({ repository_id: repository.id, digest, lease_until: now + context.options.leaseMs })
        .onConflict((conflict) => conflict.columns(['repository_id', 'digest']).doNothing())
        .execute();
    });
    return digest;
  };

  const buildImage = async (
    repository: Repository,
    content: string,
    extra: Record<string, unknown> = {},
  ): Promise<BuiltManifest> => {
    const [config, layer] = [`config of ${content}`, `layer of ${content}`];
    await addBlob(repository, config);
    await addBlob(repository, layer);
    return imageManifest(config, [layer], extra);
  };

  return {
    context,
    clock,
    images,
    repositories,
    holds: createHolds(context),
    tags: createTagHistory(context),
    audit: createAuditLog(context),
    flushPulls: pulls.flush,
    create: (name = 'team/app', settings) => repositories.create(caller, name as RepositoryName, settings),
    addBlob,
    buildImage,
    async push(repository, content, ...tags) {
      const { body } = await buildImage(repository, content);
      return (await images.put(caller, repository, { body, tags: tags as never[] })).digest;
    },
  };
}

/** An OCI image manifest on contents given as text. */
export function imageManifest(config: string, layers: string[], extra: Record<string, unknown> = {}): BuiltManifest {
  return built({
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    config: { mediaType: MediaType.ociConfig, digest: digestOf(config), size: config.length },
    layers: layers.map((layer) => ({ mediaType: MediaType.ociLayerGzip, digest: digestOf(layer), size: layer.length })),
    ...extra,
  });
}

/** An OCI index on manifests. */
export function indexManifest(children: Digest[], extra: Record<string, unknown> = {}): BuiltManifest {
  return built({
    schemaVersion: 2,
    mediaType: MediaType.ociIndex,
    manifests: children.map((digest) => ({ mediaType: MediaType.ociManifest, digest, size: 1 })),
    ...extra,
  });
}

function built(document: { mediaType: string; [member: string]: unknown }): BuiltManifest {
  const body = Buffer.from(JSON.stringify(document));
  return { body, mediaType: document.mediaType, digest: digestOf(body) };
}
