import { join } from 'node:path';
import { createManualClock } from '../../src/core/clock.ts';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { MediaType } from '../../src/core/media-type.ts';
import type { MetaStore } from '../../src/core/meta-store.ts';
import type { Caller } from '../../src/core/place.ts';
import type { RepositoryName } from '../../src/core/repository-name.ts';
import type { Tag } from '../../src/core/tag.ts';
import { openFileBlobs } from '../../src/drivers/blobs/fs.ts';
import { openSqliteMeta } from '../../src/drivers/meta/sqlite.ts';
import { systemIds } from '../../src/drivers/system/ids.ts';
import { createRegistry } from '../../src/registry/create-registry.ts';
import { registryMigrations } from '../../src/registry/migrations.ts';
import type { Registry, Repository } from '../../src/registry/registry.ts';
import type { RegistryTables } from '../../src/registry/schema.ts';

const DAY = 86_400_000;
const OWNER: Caller = { account: '123456789012', region: 'us-east-1', principal: 'arn:aws:iam::123456789012:user/builder' };

/** What a team has after some years: one image for each build, tagged with the build's number, 29 hours after each other. */
export const OLD_REPOSITORY = { images: 2_200, everyMs: 1.2 * DAY, name: 'my-large-repository' } as const;

/** Builds are numbered from 1; the newest is OLD_REPOSITORY.images. */
export function ageOfBuild(build: number, images: number = OLD_REPOSITORY.images): number {
  return (images - build) * OLD_REPOSITORY.everyMs + DAY / 4;
}

/**
 * Fills a data folder, before a server starts on it, with a repository of builds that are as old as they would be. Images
 * share a base and, ten at a time, their dependencies.
 */
export async function fillDataFolder(dataFolder: string, now: number, images: number = OLD_REPOSITORY.images): Promise<void> {
  const clock = createManualClock(now - ageOfBuild(1, images));
  const meta = await openSqliteMeta<RegistryTables>({
    path: join(dataFolder, 'holdfast.db'),
    migrations: registryMigrations,
    now: () => clock.now(),
  });
  const blobs = await openFileBlobs({ root: join(dataFolder, 'blobs'), log: silentLogger });
  try {
    const registry = createRegistry({ meta: meta as MetaStore<RegistryTables>, blobs, clock, ids: systemIds, log: silentLogger });
    const repository = await registry.repositories.create(OWNER, OLD_REPOSITORY.name as RepositoryName);
    await pushBuilds(registry, repository, images, (build) => clock.set(now - ageOfBuild(build, images)));
    await registry.close();
  } finally {
    await blobs.close();
    await meta.close();
  }
}

/** `at` sets the clock for a build. */
export async function pushBuilds(
  registry: Pick<Registry, 'layers' | 'images'>,
  repository: Repository,
  images: number,
  at: (build: number) => void,
): Promise<Digest[]> {
  const known = new Map<string, { digest: Digest; size: number }>();
  const upload = async (content: string): Promise<{ digest: Digest; size: number }> => {
    const before = known.get(content);
    if (before !== undefined) return before;
    const bytes = Buffer.from(content);
    const digest = digestOf(bytes);
    const { id } = await registry.layers.startUpload(OWNER, repository);
    const source = (async function* () {
      yield bytes;
    })();
    await registry.layers.complete(OWNER, repository, id, digest, { source });
    const blob = { digest, size: bytes.length };
    known.set(content, blob);
    return blob;
  };
  const digests: Digest[] = [];
  for (let build = 1; build <= images; build++) {
    at(build);
    const config = await upload('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}');
    const layers = [await upload('base'), await upload(`dependencies ${Math.floor(build / 10)}`)];
    const body = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MediaType.ociManifest,
        config: { mediaType: MediaType.ociConfig, ...config },
        layers: layers.map((layer) => ({ mediaType: MediaType.ociLayer, ...layer })),
        annotations: { build: String(build) },
      }),
    );
    digests.push((await registry.images.put(OWNER, repository, { body, tags: [String(build) as Tag] })).digest);
  }
  return digests;
}
