import { sql, type Kysely } from 'kysely';
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
  const ids = images.filter(({ digest }) => later.has(digest));
  const [first, rest] = [ids.filter(({ digest }) => now.has(digest)), ids.filter(({ digest }) => !now.has(digest))];

  // Most blobs are one image's own: those are added up by the database, and only shared ones are counted here.
  const shared = new Map<string, { now: number; later: number }>();
  let [bytes, bytesWithEntries] = [0, 0];
  for (const [part, isNow] of [
    [first, true],
    [rest, false],
  ] as const) {
    for (const chunk of chunksOf(part.map(({ id }) => id))) {
      for (const { digest, uses, own } of await readUses(database, chunk)) {
        if (digest === '') {
          bytesWithEntries += Number(own);
          if (isNow) bytes += Number(own);
          continue;
        }
        let use = shared.get(digest);
        if (use === undefined) shared.set(digest, (use = { now: 0, later: 0 }));
        use.later += Number(uses);
        if (isNow) use.now += Number(uses);
      }
    }
  }
  for (const chunk of chunksOf([...shared.keys()])) {
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
      const use = shared.get(blob.digest);
      if (use?.now === Number(blob.uses)) bytes += blob.bytes;
      if (use?.later === Number(blob.uses)) bytesWithEntries += blob.bytes;
    }
  }
  return { bytes, referrers: now.size - going.size, entries, bytesWithEntries };
}

/** One row for each blob that other images need as well, and one, without a digest, for all that none does. */
async function readUses(
  database: Kysely<LifecycleTables>,
  manifests: number[],
): Promise<{ digest: string; uses: number; own: number | null }[]> {
  const { rows } = await sql<{ digest: string; uses: number; own: number | null }>`
    select digest, count(*) as uses, sum(own) as own from (
      select case when is_shared then used.digest else '' end as digest,
        case when is_shared then 0 else (select bytes from blob where blob.digest = used.digest) end as own
      from (
        select manifest_blob.digest, (
          select count(*) from (select 1 from manifest_blob as other where other.digest = manifest_blob.digest limit 2) as two
        ) > 1 as is_shared
        from manifest_blob where manifest_blob.manifest_id in (${sql.join(manifests)})
      ) as used
    ) as counted
    group by digest`.execute(database);
  return rows;
}

function withReferrers(images: readonly StoredLifecycleImage[], going: ReadonlySet<Digest>): Set<Digest> {
  const all = new Set(going);
  const referrers = images.filter(({ subject }) => subject !== undefined);
  for (let before = -1; before !== all.size;) {
    before = all.size;
    for (const { digest, subject } of referrers) if (subject !== undefined && all.has(subject)) all.add(digest);
  }
  return all;
}

function withEntries(images: readonly StoredLifecycleImage[], going: ReadonlySet<Digest>): Set<Digest> {
  const all = new Set(going);
  const present = new Set(images.map(({ digest }) => digest));
  const indexes = images.filter(({ children }) => children !== undefined);
  for (let before = -1; before !== all.size;) {
    before = all.size;
    const kept = new Set(indexes.filter(({ digest }) => !all.has(digest)).flatMap(({ children }) => children ?? []));
    for (const { digest, children = [] } of indexes) {
      if (!all.has(digest)) continue;
      for (const child of children) if (present.has(child) && !kept.has(child)) all.add(child);
    }
  }
  return all;
}
