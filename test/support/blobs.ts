import type { TestContext } from 'node:test';
import { createManualClock } from '../../src/core/clock.ts';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { silentLogger, type Logger } from '../../src/core/logger.ts';
import type { Tag } from '../../src/core/tag.ts';
import type { RepositoryName } from '../../src/core/repository-name.ts';
import { createMemoryBlobs } from '../../src/drivers/blobs/memory.ts';
import { createRegistry, type RegistryDependencies, type RegistryRoom } from '../../src/registry/create-registry.ts';
import type { BlobReader, BlobStore } from '../../src/registry/ports.ts';
import type { Repository } from '../../src/registry/registry.ts';
import { caller, createCountingIds, imageManifest, openTestMeta } from './registry.ts';

export interface BlobRegistry {
  registry: RegistryRoom;
  blobs: BlobStore;
  meta: Awaited<ReturnType<typeof openTestMeta>>;
  clock: ReturnType<typeof createManualClock>;
  create(name?: string): Promise<Repository>;
  /** Uploads a blob as a client does, without asking whether it is there. */
  upload(repository: Repository, content: string | Uint8Array): Promise<Digest>;
  /** Uploads a config and a layer, and puts an image on them; the same `content` gives the same digests. */
  push(repository: Repository, content: string, tag?: string, extra?: Record<string, unknown>): Promise<Digest>;
}

export const configOf = (content: string) => `config of ${content}`;
export const layerOf = (content: string) => `layer of ${content}`;

/** A whole registry with blobs, in memory unless `blobs` are given, and a clock that stands still. */
export async function createBlobRegistry(
  test: Pick<TestContext, 'after'>,
  options: { blobs?: BlobStore; settings?: RegistryDependencies['settings']; log?: Logger } = {},
): Promise<BlobRegistry> {
  const meta = await openTestMeta(test);
  const clock = createManualClock(1_700_000_000_000);
  const blobs = options.blobs ?? createMemoryBlobs(clock);
  const settings = options.settings ?? {};
  const registry = createRegistry({ meta, blobs, clock, ids: createCountingIds(), log: options.log ?? silentLogger, settings });

  const upload = async (repository: Repository, content: string | Uint8Array): Promise<Digest> => {
    const session = await registry.layers.startUpload(caller, repository);
    const digest = digestOf(content);
    await registry.layers.complete(caller, repository, session.id, digest, { source: chunks(content) });
    return digest;
  };
  return {
    registry,
    blobs,
    meta,
    clock,
    create: (name = 'team/app') => registry.repositories.create(caller, name as RepositoryName),
    upload,
    async push(repository, content, tag, extra = {}) {
      await upload(repository, configOf(content));
      await upload(repository, layerOf(content));
      const { body } = imageManifest(configOf(content), [layerOf(content)], extra);
      return (await registry.images.put(caller, repository, { body, tags: tag === undefined ? [] : [tag as Tag] })).digest;
    },
  };
}

export async function* chunks(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

/** Reads a blob to its end and closes the reader. */
export async function readBlob({ reader }: { reader: BlobReader }): Promise<string> {
  const buffer = new Uint8Array(reader.bytes + 1);
  try {
    let at = 0;
    for (let bytes = -1; bytes !== 0; at += bytes) bytes = await reader.read(buffer.subarray(at), at);
    return Buffer.from(buffer.subarray(0, at)).toString();
  } finally {
    await reader.close();
  }
}
