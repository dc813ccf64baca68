import { digestAlgorithm, type Digest, type DigestAlgorithm } from '../core/digest.ts';
import { Fault, isFault } from '../core/fault.ts';
import { recordAudit } from './audit.ts';
import { writeBlobRow, writeMembership, type BlobContext } from './blob-rows.ts';
import type { BlobStamp } from './ports.ts';
import type { Chunk, Layers, Repository, UploadSession } from './registry.ts';
import { readRepository } from './repository-rows.ts';

/** ECR's limit for a layer: 52,000 MiB. */
export const LAYER_LIMIT = 52_000 * 1024 * 1024;

/** How often a session under way says that it is alive, at least. */
const TOUCH_MILLISECONDS = 60_000;

/** A session may be lost with the power supply, as its staged bytes may be, which nobody has flushed either: its client begins anew. */
const UNFLUSHED = { survives: 'kill' } as const;

type Uploads = Pick<Layers, 'startUpload' | 'getUpload' | 'append' | 'complete' | 'cancelUpload'>;

interface Session extends UploadSession {
  algorithm: DigestAlgorithm;
}

/**
 * Upload sessions: a row that knows how many bytes count, and a staging file that has at least those. A chunk counts when
 * the row says so, which is after all its bytes were written; so one that breaks off has never been.
 */
export function createUploads(context: BlobContext, { layerLimit = LAYER_LIMIT }: { layerLimit?: number } = {}): Uploads {
  const { meta, blobs, clock, ids, log, locks, options } = context;
  /** Sessions that a request of this process is working on. */
  const busy = new Set<string>();
  // An idle session protects its repository's layers no longer than a lease.
  const touchEvery = Math.min(TOUCH_MILLISECONDS, options.leaseMs / 3);

  const unknown = (repository: Repository, uploadId: string) =>
    new Fault('upload-unknown', { repository: repository.name, registryId: repository.account, uploadId });

  async function exclusively<T>(uploadId: string, work: () => Promise<T>): Promise<T> {
    if (busy.has(uploadId)) throw new Fault('upload-busy', { uploadId });
    busy.add(uploadId);
    try {
      return await work();
    } finally {
      busy.delete(uploadId);
    }
  }

  async function getSession(repository: Repository, uploadId: string): Promise<Session> {
    const row = await meta.read
      .selectFrom('upload')
      .select(['id', 'offset', 'algorithm'])
      .where('id', '=', uploadId)
      .where('repository_id', '=', repository.id)
      .executeTakeFirst();
    if (row === undefined) throw unknown(repository, uploadId);
    return { id: row.id, offset: row.offset, algorithm: row.algorithm as DigestAlgorithm };
  }

  /** Ends a session whose bytes are worth nothing. */
  async function drop(uploadId: string): Promise<void> {
    await meta.transact((transaction) => transaction.deleteFrom('upload').where('id', '=', uploadId).execute());
    await blobs.discardUpload(uploadId);
  }

  async function touch(repository: Repository, uploadId: string, offset?: number): Promise<void> {
    const { numUpdatedRows } = await meta.transact(
      (transaction) =>
        transaction
          .updateTable('upload')
          .set({ updated_at: clock.now(), ...(offset === undefined ? {} : { offset }) })
          .where('id', '=', uploadId)
          .executeTakeFirstOrThrow(),
      UNFLUSHED,
    );
    // Its repository was deleted while the bytes came in.
    if (Number(numUpdatedRows) === 0) throw unknown(repository, uploadId);
  }

  /** The chunk's bytes; fails where they end early, so that the store cuts the file back. */
  async function* checked(
    repository: Repository,
    session: Session,
    chunk: Chunk,
    expected: number | undefined,
  ): AsyncIterable<Uint8Array> {
    let received = 0;
    let touched = clock.monotonic();
    try {
      for await (const bytes of chunk.source) {
        received += bytes.length;
        if (expected !== undefined && received > expected) throw new Fault('upload-incomplete', { expected, received });
        yield bytes;
        if (clock.monotonic() - touched < touchEvery) continue;
        touched = clock.monotonic();
        await touch(repository, session.id);
      }
    } catch (error) {
      if (isFault(error)) throw error;
      // The client went away. Where it had not said how much there would be, it was to be one byte more at least.
      throw new Fault('upload-incomplete', { expected: expected ?? received + 1, received }, { cause: error });
    }
    if (expected !== undefined && received !== expected) throw new Fault('upload-incomplete', { expected, received });
  }

  /** `isLast`: where the staging file is gone, it may have become the blob already; the chunk's bytes are counted then. */
  async function write(repository: Repository, session: Session, chunk: Chunk, { isLast = false } = {}): Promise<Session> {
    const { range, length } = chunk;
    const rangeLength = range === undefined ? undefined : range.last - range.first + 1;
    const misplaced = range !== undefined && (range.first !== session.offset || range.last < range.first);
    if (misplaced || (rangeLength !== undefined && length !== undefined && rangeLength !== length)) {
      const { id: uploadId, offset } = session;
      throw new Fault('upload-range-invalid', { repository: repository.name, registryId: repository.account, uploadId, offset });
    }
    const expected = rangeLength ?? length;
    const tooLarge = () => new Fault('blob-too-large', { limit: layerLimit });
    if (session.offset + (expected ?? 0) > layerLimit) throw tooLarge();
    const source = checked(repository, session, chunk, expected);
    const offset = await blobs.append(session.id, session.offset, source, layerLimit - session.offset).catch((error: unknown) => {
      throw isFault(error, 'blob-too-large') ? tooLarge() : error;
    });
    if (offset !== undefined) return { ...session, offset };
    if (!isLast) {
      await drop(session.id);
      throw unknown(repository, session.id);
    }
    let end = session.offset;
    for await (const bytes of source) {
      end += bytes.length;
      if (end > layerLimit) throw tooLarge();
    }
    return { ...session, offset: end };
  }

  /** Under the digest's lock: makes the blob's bytes durable and known, once. Gives the stamp to record, if they are new. */
  async function settle(uploadId: string, digest: Digest): Promise<BlobStamp | undefined> {
    const row = await meta.read
      .selectFrom('blob')
      .select(['stamp', 'corrupt_at'])
      .where('digest', '=', digest)
      .executeTakeFirst();
    if (row?.corrupt_at === null) {
      const reader = await blobs.open(digest);
      const isSame = reader?.stamp === row.stamp;
      await reader?.close();
      if (isSame) return undefined;
    }
    return blobs.publish(uploadId, digest);
  }

  return {
    async startUpload(caller, repository, { algorithm = 'sha256' } = {}) {
      const id = ids.uuid();
      await blobs.createUpload(id, algorithm);
      const now = clock.now();
      try {
        await meta.transact(async (transaction) => {
          await readRepository(transaction, repository);
          const row = {
            id,
            repository_id: repository.id,
            algorithm,
            offset: 0,
            started_at: now,
            updated_at: now,
            principal: caller.principal,
          };
          await transaction.insertInto('upload').values(row).execute();
        }, UNFLUSHED);
      } catch (error) {
        await blobs.discardUpload(id);
        throw error;
      }
      return { id, offset: 0 };
    },

    async getUpload(repository, uploadId) {
      const { id, offset } = await getSession(repository, uploadId);
      return { id, offset };
    },

    append: (_caller, repository, uploadId, chunk) =>
      exclusively(uploadId, async () => {
        const { id, offset } = await write(repository, await getSession(repository, uploadId), chunk);
        await touch(repository, id, offset);
        return { id, offset };
      }),

    complete: (caller, repository, uploadId, digest, chunk) =>
      exclusively(uploadId, async () => {
        let session = await getSession(repository, uploadId);
        if (chunk !== undefined) session = await write(repository, session, chunk, { isLast: true });
        const computed = await blobs.uploadDigest(uploadId, session.offset, digestAlgorithm(digest));
        if (computed !== undefined && computed !== digest) {
          await drop(uploadId);
          throw new Fault('blob-digest-mismatch', { given: digest, computed });
        }
        return locks(digest, async () => {
          let stamp: BlobStamp | undefined;
          if (computed !== undefined) stamp = await settle(uploadId, digest);
          else {
            // Nothing staged any more: an earlier attempt may have died between making the blob and saying so.
            stamp = await findPublished(context, digest, session.offset);
            if (stamp === undefined) {
              await drop(uploadId);
              throw unknown(repository, uploadId);
            }
          }
          const now = clock.now();
          const existed = await meta.transact(async (transaction) => {
            await readRepository(transaction, repository);
            if (stamp !== undefined) await writeBlobRow(transaction, { digest, bytes: session.offset, stamp, now });
            const wasMember = await writeMembership(transaction, repository, digest, now + options.leaseMs);
            await transaction.deleteFrom('upload').where('id', '=', uploadId).execute();
            const detail = { digest, bytes: session.offset, existed: wasMember };
            await recordAudit(transaction, caller, { at: now, action: 'blob.push', repository: repository.name, detail });
            return wasMember;
          });
          // Freeing gigabytes takes the file system a while, and the client need not wait for it.
          blobs
            .discardUpload(uploadId)
            .catch((error: unknown) => log.warn('a staging file stays for the collector', { uploadId, error: String(error) }));
          return { digest, bytes: session.offset, existed };
        });
      }),

    cancelUpload: (_caller, repository, uploadId) =>
      exclusively(uploadId, async () => {
        await getSession(repository, uploadId);
        await drop(uploadId);
      }),
  };
}

/** The stamp of a blob whose bytes are there and right, whatever its row says; under the digest's lock. */
async function findPublished({ blobs }: BlobContext, digest: Digest, bytes: number): Promise<BlobStamp | undefined> {
  const reader = await blobs.open(digest);
  if (reader === undefined) return undefined;
  await reader.close();
  if (reader.bytes !== bytes || (await blobs.rehash(digest)) !== digest) return undefined;
  const stamp = await blobs.confirm(digest);
  return stamp === reader.stamp ? stamp : undefined;
}
