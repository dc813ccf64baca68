import { digestAlgorithm, digestOf, type Digest } from '../../core/digest.ts';
import { Fault } from '../../core/fault.ts';
import type { BlobStore } from '../../registry/ports.ts';

interface Entry {
  content: Uint8Array;
  stamp: string;
  modifiedAt: number;
}

/** Blobs that last as long as the process. `now`: milliseconds since the epoch. */
export function createMemoryBlobs({ now }: { now: () => number }): BlobStore & {
  /** Changes bytes of a blob behind the store's back, as a failing disk does; false when there is none. */
  corrupt(digest: Digest): boolean;
} {
  const uploads = new Map<string, Entry>();
  const blobs = new Map<Digest, Entry>();
  const quarantined = new Map<Digest, Entry>();
  let writes = 0;
  const entry = (content: Uint8Array): Entry => ({ content, stamp: `memory:${++writes}`, modifiedAt: now() });

  return {
    async createUpload(uploadId) {
      if (uploads.has(uploadId)) throw new Error(`there is an upload ${uploadId} already`);
      uploads.set(uploadId, entry(new Uint8Array()));
    },

    async append(uploadId, offset, source, limit) {
      const upload = uploads.get(uploadId);
      if (upload === undefined || upload.content.length < offset) return undefined;
      const head = upload.content.subarray(0, offset);
      uploads.set(uploadId, entry(head));
      const parts = [head];
      let total = 0;
      for await (const chunk of source) {
        total += chunk.length;
        if (total > limit) throw new Fault('blob-too-large', { limit });
        parts.push(Uint8Array.from(chunk));
      }
      // Discarded while the bytes came in: there is nothing to append to any more.
      if (!uploads.has(uploadId)) return undefined;
      uploads.set(uploadId, entry(Buffer.concat(parts)));
      return offset + total;
    },

    async uploadDigest(uploadId, size, algorithm) {
      const upload = uploads.get(uploadId);
      if (upload === undefined || upload.content.length < size) return undefined;
      return digestOf(upload.content.subarray(0, size), algorithm);
    },

    async publish(uploadId, digest) {
      const upload = uploads.get(uploadId);
      if (upload === undefined) throw new Error(`there is no upload ${uploadId}`);
      const blob = entry(upload.content);
      blobs.set(digest, blob);
      uploads.delete(uploadId);
      return blob.stamp;
    },

    async confirm(digest) {
      return blobs.get(digest)?.stamp;
    },

    async discardUpload(uploadId) {
      uploads.delete(uploadId);
    },

    async *listUploads() {
      for (const [uploadId, { modifiedAt }] of [...uploads]) yield { uploadId, modifiedAt };
    },

    async open(digest) {
      const blob = blobs.get(digest);
      if (blob === undefined) return undefined;
      const { content, stamp } = blob;
      return {
        bytes: content.length,
        stamp,
        async read(into, position) {
          const part = content.subarray(position, position + into.length);
          into.set(part);
          return part.length;
        },
        async close() {},
      };
    },

    async rehash(digest) {
      const blob = blobs.get(digest);
      return blob === undefined ? undefined : digestOf(blob.content, digestAlgorithm(digest));
    },

    async quarantine(digest) {
      const blob = blobs.get(digest);
      if (blob !== undefined) quarantined.set(digest, blob);
      blobs.delete(digest);
    },

    async remove(digest) {
      const bytes = blobs.get(digest)?.content.length ?? 0;
      blobs.delete(digest);
      return bytes;
    },

    async *list() {
      for (const [digest, { content, modifiedAt }] of [...blobs]) yield { digest, bytes: content.length, modifiedAt };
    },

    async room() {
      return undefined;
    },

    async close() {},

    corrupt(digest) {
      const blob = blobs.get(digest);
      if (blob === undefined) return false;
      blobs.set(digest, entry(Buffer.concat([blob.content.subarray(0, -1), Buffer.from([(blob.content.at(-1) ?? 0) ^ 1])])));
      return true;
    },
  };
}
