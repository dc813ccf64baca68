import type { Digest, DigestAlgorithm } from '../core/digest.ts';

/**
 * Where blob bytes live. Content-addressed and global: which repository may see a blob is in the database only.
 *
 * Promises, held by every driver (`src/registry/blob-store.contract.ts`):
 * - Once `publish` has resolved the blob survives a killed process and a lost power supply.
 * - A blob is there whole or not at all, under every interruption.
 * - A failed flush makes the store refuse every later write (`storage-failed`): the operating system may have dropped
 *   the data, so asking again and saying "OK" would be a lie. A full disk is `storage-full`, and passes.
 *
 * The store does no locking between `publish` and `remove` of one digest: the registry holds a lock for each digest.
 */
export interface BlobStore {
  /** Makes an empty staging file for an upload session, to be hashed by `algorithm` (sha256 when absent) as it grows. */
  createUpload(uploadId: string, algorithm?: DigestAlgorithm): Promise<void>;
  /**
   * Writes `source` behind the first `offset` bytes of the staging file (anything beyond them is cut off first) and
   * gives the new length. When `source` fails, or gives more than `limit` bytes (`blob-too-large`), the file is cut
   * back to `offset` and the error comes through. One call at a time for each upload. A chunk is done with when the
   * next is asked for: the source may use its memory again. `undefined`, with nothing written, when the staging file is
   * gone or shorter than `offset` (power was lost before its bytes reached the disk): the session is to begin anew.
   */
  append(uploadId: string, offset: number, source: AsyncIterable<Uint8Array>, limit: number): Promise<number | undefined>;
  /**
   * The digest of the first `size` bytes of the staging file; `undefined` when it is gone or shorter. Instant when one
   * process took all of them and the algorithm was known.
   */
  uploadDigest(uploadId: string, size: number, algorithm: DigestAlgorithm): Promise<Digest | undefined>;
  /** Makes the staging file durable and then the blob `digest`. Replaces a blob of the same digest. The upload is gone afterwards. */
  publish(uploadId: string, digest: Digest): Promise<BlobStamp>;
  /**
   * Makes durable what a `publish` that was interrupted may have left behind: its bytes are whole, its name may not be
   * flushed. `undefined` when there is no such blob.
   */
  confirm(digest: Digest): Promise<BlobStamp | undefined>;
  /** Removes the staging file; fine if there is none. */
  discardUpload(uploadId: string): Promise<void>;
  /** Staging files, for finding the ones that no session owns. */
  listUploads(): AsyncIterable<{ uploadId: string; modifiedAt: number }>;

  /** Opens a blob for reading, or gives `undefined` when there is none. The reader must be closed. */
  open(digest: Digest): Promise<BlobReader | undefined>;
  /** Reads the whole blob and gives the digest of what is there, in the algorithm of `digest`; `undefined` when there is none. */
  rehash(digest: Digest): Promise<Digest | undefined>;
  /** Moves a corrupt blob out of the way, for a person to look at; it is no longer there for `open`. */
  quarantine(digest: Digest): Promise<void>;
  /** Removes a blob; fine if there is none. Gives the bytes that came free. */
  remove(digest: Digest): Promise<number>;
  /** Blobs, for finding the ones that no row owns. */
  list(): AsyncIterable<{ digest: Digest; bytes: number; modifiedAt: number }>;
  /** Bytes free and in all where the blobs are, when the store can tell. */
  room(): Promise<{ free: number; total: number } | undefined>;
  close(): Promise<void>;
}

/**
 * Identifies one state of a blob's storage: it changes with every write to it, by whoever. The registry keeps the stamp
 * of the bytes that it verified, and hashes the blob again before it serves any under another stamp.
 */
export type BlobStamp = string;

export interface BlobReader {
  readonly bytes: number;
  readonly stamp: BlobStamp;
  /** Fills `into` from `position`; gives the count of bytes read, 0 at the end. Calls may overlap. */
  read(into: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}
