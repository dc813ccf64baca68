import { digestAlgorithm, digestOf, type Digest } from '../../src/core/digest.ts';
import { parseManifest, requiredBlobs } from '../../src/core/manifest.ts';
import type { MetaStore } from '../../src/core/meta-store.ts';
import type { BlobStore } from '../../src/registry/ports.ts';
import type { RegistryTables } from '../../src/registry/schema.ts';

export interface InvariantOptions {
  meta: Pick<MetaStore<RegistryTables>, 'read'>;
  blobs: BlobStore;
  /** Images whose push was acknowledged, and that nobody has deleted since. */
  acknowledged?: Iterable<{ repositoryId: number; digest: Digest }>;
  /** Files without a row are wrong when they were last written at or before this time; none are when it is absent. */
  orphansBefore?: number;
}

/**
 * Lists what is wrong in a registry that nobody is writing to; empty when all is well:
 * every image is what its digest says, and all that it needs is there, a member of its repository, and right to the byte;
 * what an image notes of its blobs, their size and whether it has them alone, is so;
 * what can be restored has its blobs; acknowledged images are there; each blob's row has its file, and the reverse.
 */
export async function checkInvariants({ meta, blobs, acknowledged = [], orphansBefore }: InvariantOptions): Promise<string[]> {
  const { read } = meta;
  const wrong: string[] = [];
  const rows = new Map((await read.selectFrom('blob').selectAll().execute()).map((row) => [row.digest, row]));
  const members = new Set(
    (await read.selectFrom('repository_blob').selectAll().execute()).map((row) => `${row.repository_id} ${row.digest}`),
  );
  const images = await read.selectFrom('manifest').select(['id', 'repository_id', 'digest', 'media_type', 'body']).execute();
  const edgeRows = await read.selectFrom('manifest_blob').selectAll().execute();
  const edges = new Set(edgeRows.map((row) => `${row.manifest_id} ${row.digest}`));
  const uses = new Map<string, number>();
  for (const { digest } of edgeRows) uses.set(digest, (uses.get(digest) ?? 0) + 1);
  for (const { manifest_id, digest, bytes, is_shared } of edgeRows) {
    if (bytes !== rows.get(digest)?.bytes) wrong.push(`image ${manifest_id} has ${bytes} as the bytes of ${digest}`);
    if (is_shared === 0 && uses.get(digest) !== 1) wrong.push(`image ${manifest_id} takes ${digest} for its own`);
  }

  for (const row of rows.values()) {
    if (row.corrupt_at !== null) continue;
    const found = await blobs.rehash(row.digest as Digest);
    if (found === undefined) wrong.push(`the blob ${row.digest} has a row and no file`);
    else if (found !== row.digest) wrong.push(`the file of ${row.digest} holds ${found}`);
    const reader = await blobs.open(row.digest as Digest);
    await reader?.close();
    if (reader !== undefined && reader.bytes !== row.bytes)
      wrong.push(`the blob ${row.digest} has ${reader.bytes} bytes, and ${row.bytes} in its row`);
  }
  for (const member of members) {
    const digest = member.slice(member.indexOf(' ') + 1);
    if (!rows.has(digest)) wrong.push(`repository ${member} is a member without a blob`);
  }

  const present = new Set(images.map((image) => `${image.repository_id} ${image.digest}`));
  for (const image of images) {
    const name = `image ${image.digest} in repository ${image.repository_id}`;
    if (digestOf(image.body, digestAlgorithm(image.digest as Digest)) !== image.digest) wrong.push(`${name} has other bytes`);
    const manifest = parseManifest(image.body, image.media_type, digestAlgorithm(image.digest as Digest));
    for (const blob of requiredBlobs(manifest)) {
      if (!rows.has(blob)) wrong.push(`${name} needs the blob ${blob}, which is not there`);
      if (!members.has(`${image.repository_id} ${blob}`)) wrong.push(`${name} needs the blob ${blob}, which is no member`);
      if (!edges.has(`${image.id} ${blob}`)) wrong.push(`${name} does not hold on to its blob ${blob}`);
    }
    for (const child of manifest.children) {
      if (!present.has(`${image.repository_id} ${child.digest}`))
        wrong.push(`${name} needs the image ${child.digest}, which is not there`);
    }
  }
  for (const { repositoryId, digest } of acknowledged) {
    if (!present.has(`${repositoryId} ${digest}`))
      wrong.push(`the acknowledged image ${digest} is not in repository ${repositoryId}`);
  }

  const kept = await read.selectFrom('deleted_blob').selectAll().execute();
  for (const { deleted_manifest_id: id, digest } of kept) {
    if (!rows.has(digest)) wrong.push(`deleted image ${id} cannot be restored: its blob ${digest} is gone`);
  }

  if (orphansBefore !== undefined) {
    for await (const { digest, modifiedAt } of blobs.list()) {
      if (!rows.has(digest) && modifiedAt <= orphansBefore) wrong.push(`the file of ${digest} has no row`);
    }
    const sessions = new Set((await read.selectFrom('upload').select('id').execute()).map((row) => row.id));
    for await (const { uploadId, modifiedAt } of blobs.listUploads()) {
      if (!sessions.has(uploadId) && modifiedAt <= orphansBefore) wrong.push(`the staging file ${uploadId} has no session`);
    }
  }
  return wrong;
}

/** Bytes of all blobs, to hold a collection's report against. */
export async function bytesStored(blobs: BlobStore): Promise<number> {
  let total = 0;
  for await (const { bytes } of blobs.list()) total += bytes;
  return total;
}
