import { digestOf } from '../../src/core/digest.ts';
import { MediaType } from '../../src/core/media-type.ts';
import type { MetaStore } from '../../src/core/meta-store.ts';
import type { LifecycleTables } from '../../src/lifecycle/schema.ts';
import type { Repository } from '../../src/registry/registry.ts';

const DAY = 86_400_000;
/** Layers of an image that it shares: a base with all, dependencies with ten. One more is its own, as is its configuration. */
const SPREAD = 2_640 * DAY;

/** Rows as years of pushes would leave them, written at once: an image a build, tags, shared layers. The same every time. */
export async function fillRepository(
  meta: MetaStore<LifecycleTables>,
  repository: Repository,
  images: number,
  now: number,
): Promise<void> {
  const each = Math.min(SPREAD / images, 1.2 * DAY);
  for (let from = 0; from < images; from += 10_000) {
    const to = Math.min(images, from + 10_000);
    await meta.transact(async (transaction) => {
      const addBlob = async (name: string, bytes: number): Promise<{ digest: string; bytes: number }> => {
        const digest = digestOf(name);
        const blob = { digest, bytes, stamp: 'bench', created_at: now, corrupt_at: null, verified_at: now };
        await transaction
          .insertInto('blob')
          .values(blob)
          .onConflict((conflict) => conflict.doNothing())
          .execute();
        await transaction
          .insertInto('repository_blob')
          .values({ repository_id: repository.id, digest, lease_until: now })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
        return { digest, bytes };
      };
      for (let index = from; index < to; index++) {
        const pushedAt = Math.floor(now - (images - index) * each + DAY / 4);
        const { id } = await transaction
          .insertInto('manifest')
          .values({
            repository_id: repository.id,
            digest: digestOf(`image ${index}`),
            media_type: MediaType.ociManifest,
            artifact_type: null,
            config_media_type: MediaType.ociConfig,
            subject: null,
            annotations: null,
            size: 700,
            image_size: 110_000_000,
            pushed_at: pushedAt,
            pushed_by: 'bench',
            pulled_at: null,
            archived_at: null,
            activated_at: null,
            body: Buffer.alloc(700, String(index)),
          })
          .returning('id')
          .executeTakeFirstOrThrow();
        const blobs = [
          await addBlob('base', 80_000_000),
          await addBlob(`dependencies ${Math.floor(index / 10)}`, 25_000_000),
          await addBlob(`application ${index}`, 5_000_000),
          await addBlob(`configuration ${index}`, 4_000),
        ];
        await transaction
          .insertInto('manifest_blob')
          .values(blobs.map((blob, at) => ({ manifest_id: id, ...blob, is_shared: at < 2 ? 1 : 0 })))
          .execute();
        const environment = index % 20 === 0 ? ['Prod', 'Stage', 'Test', 'Dev'][(index / 20) % 4] : undefined;
        await transaction
          .insertInto('tag')
          .values(
            [
              String(index),
              ...(environment === undefined ? [] : [`${environment}-${index}`]),
              ...(index % 7 === 0 ? [`env${index % 49}-${index}`] : []),
            ].map((name) => ({ repository_id: repository.id, name, manifest_id: id, updated_at: pushedAt })),
          )
          .execute();
      }
    });
  }
}
