import type { Kysely } from 'kysely';
import type { Digest } from '../core/digest.ts';
import { chunksOf } from '../registry/image-rows.ts';
import type { StoredLifecycleImage } from './read-images.ts';
import type { LifecycleTables } from './schema.ts';

export interface BytesFreed {
  /** Of blobs that no other image needs, in whatever repository: each counted once. */
  bytes: number;
  /** Referrers of the images that go: they follow them. */
  referrers: number;
  /** Entries of indexes that go and that no other index lists: plain images from then on, which a later run judges. */
  entries: number;
  /** What comes free, all told, once those entries have gone too. */
  bytesWithEntries: number;
}

/** What comes free on the disk when the images go, once their grace period has ended. */
export async function readBytesFreed(
  database: Kysely<LifecycleTables>,
  images: readonly StoredLifecycleImage[],
  going: ReadonlySet<Digest>,
): Promise<BytesFreed> {
  const now = withReferrers(images, going);
  const later = withReferrers(images, withEntries(images, now));
  const entries = [...later].filter((digest) => !now.has(digest)).length;
  const ids = new Map(images.filter(({ digest }) => later.has(digest)).map(({ id, digest }) => [id, now.has(digest)]));

  const uses = new Map<string, { now: number; later: number }>();
  for (const chunk of chunksOf([...ids.keys()])) {
    const edges = await database
      .selectFrom('manifest_blob')
      .select(['manifest_id', 'digest'])
      .where('manifest_id', 'in', chunk)
      .execute();
    for (const { manifest_id, digest } of edges) {
      let use = uses.get(digest);
      if (use === undefined) uses.set(digest, (use = { now: 0, later: 0 }));
      use.later++;
      if (ids.get(manifest_id) === true) use.now++;
    }
  }

  let [bytes, bytesWithEntries] = [0, 0];
  for (const chunk of chunksOf([...uses.keys()])) {
    const blobs = await database
      .selectFrom('blob')
      .select((builder) => [
        'blob.digest',
        'blob.bytes',
        builder
          .selectFrom('manifest_blob')
          .select((inner) => inner.fn.countAll<number>().as('count'))
          .whereRef('manifest_blob.digest', '=', 'blob.digest')
          .as('uses'),
      ])
      .where('blob.digest', 'in', chunk)
      .execute();
    for (const blob of blobs) {
      const use = uses.get(blob.digest);
      if (use?.now === Number(blob.uses)) bytes += blob.bytes;
      if (use?.later === Number(blob.uses)) bytesWithEntries += blob.bytes;
    }
  }
  return { bytes, referrers: now.size - going.size, entries, bytesWithEntries };
}

function withReferrers(images: readonly StoredLifecycleImage[], going: ReadonlySet<Digest>): Set<Digest> {
  const all = new Set(going);
  const referrers = images.filter(({ subject }) => subject !== undefined);
  for (let before = -1; before !== all.size; ) {
    before = all.size;
    for (const { digest, subject } of referrers) if (subject !== undefined && all.has(subject)) all.add(digest);
  }
  return all;
}

function withEntries(images: readonly StoredLifecycleImage[], going: ReadonlySet<Digest>): Set<Digest> {
  const all = new Set(going);
  const present = new Set(images.map(({ digest }) => digest));
  const indexes = images.filter(({ children }) => children !== undefined);
  for (let before = -1; before !== all.size; ) {
    before = all.size;
    const kept = new Set(indexes.filter(({ digest }) => !all.has(digest)).flatMap(({ children }) => children ?? []));
    for (const { digest, children = [] } of indexes) {
      if (!all.has(digest)) continue;
      for (const child of children) if (present.has(child) && !kept.has(child)) all.add(child);
    }
  }
  return all;
}
