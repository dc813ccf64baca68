import type { Digest } from '../../../core/digest.ts';

export interface UnpackedImage {
  digest: Digest;
  /** Of its layers, in any order. */
  diffIds: Digest[];
  /** Milliseconds since the epoch. */
  usedAt: number;
}

export interface UnusedRequest {
  images: UnpackedImage[];
  /** Bytes of each layer that is there. */
  layers: ReadonlyMap<Digest, number>;
  /** What a task has, or may start from at any moment. */
  isNeeded: (digest: Digest) => boolean;
  /** Layers that stay whatever becomes of their images. */
  heldLayers: ReadonlySet<Digest>;
  /** Milliseconds that an image stays which nobody needs. */
  keepFor: number;
  /** Bytes that all those may have together; beyond it those used longest ago go. */
  mostBytes: number;
  now: number;
}

/** Which images are let go of, and which layers nothing of what is left has. Pure. */
export function chooseUnused(request: UnusedRequest): { images: Digest[]; layers: Digest[]; bytes: number } {
  const { images, layers, isNeeded, heldLayers, keepFor, mostBytes, now } = request;
  const kept = new Set(heldLayers);
  const others: UnpackedImage[] = [];
  for (const image of images) {
    if (isNeeded(image.digest)) for (const diffId of image.diffIds) kept.add(diffId);
    else others.push(image);
  }
  const dropped: Digest[] = [];
  let cached = 0;
  for (const { digest, diffIds, usedAt } of others.sort((a, b) => b.usedAt - a.usedAt)) {
    const own = [...new Set(diffIds)].filter((diffId) => !kept.has(diffId));
    const bytes = cached + sum(own, layers);
    if (now - usedAt > keepFor || bytes > mostBytes) {
      dropped.push(digest);
      continue;
    }
    cached = bytes;
    for (const diffId of own) kept.add(diffId);
  }
  const unused = [...layers.keys()].filter((diffId) => !kept.has(diffId));
  return { images: dropped, layers: unused, bytes: sum(unused, layers) };
}

function sum(diffIds: Digest[], layers: ReadonlyMap<Digest, number>): number {
  return diffIds.reduce((bytes, diffId) => bytes + (layers.get(diffId) ?? 0), 0);
}
