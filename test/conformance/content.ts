import { createHash, randomBytes, randomUUID } from 'node:crypto';

export type Algorithm = 'sha256' | 'sha512';
export const ALGORITHMS: readonly Algorithm[] = ['sha256', 'sha512'];

export interface Blob {
  bytes: Buffer;
  digest: string;
}

export interface Manifest extends Blob {
  mediaType: string;
}

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  artifactType?: string;
  [member: string]: unknown;
}

export const TYPES = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  empty: 'application/vnd.oci.empty.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
} as const;

export function digestOf(bytes: Buffer, algorithm: Algorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

export function blobOf(bytes: Buffer, algorithm: Algorithm = 'sha256'): Blob {
  return { bytes, digest: digestOf(bytes, algorithm) };
}

/** Content that nobody has seen before. */
export function freshBlob(size: number, algorithm: Algorithm = 'sha256'): Blob {
  return blobOf(randomBytes(size), algorithm);
}

export function freshConfig(algorithm: Algorithm = 'sha256'): Blob {
  return blobOf(
    Buffer.from(
      JSON.stringify({ architecture: 'amd64', os: 'linux', created: randomUUID(), rootfs: { type: 'layers', diff_ids: [] } }),
    ),
    algorithm,
  );
}

export const EMPTY_JSON = blobOf(Buffer.from('{}'));

export function descriptor(blob: Blob, mediaType: string, more: Record<string, unknown> = {}): Descriptor {
  return { mediaType, digest: blob.digest, size: blob.bytes.length, ...more };
}

export function manifestOf(document: Record<string, unknown>, algorithm: Algorithm = 'sha256', space?: number): Manifest {
  return { ...blobOf(Buffer.from(JSON.stringify(document, undefined, space)), algorithm), mediaType: String(document.mediaType) };
}

export function imageManifest(
  config: Blob,
  layers: Blob[],
  more: Record<string, unknown> = {},
  algorithm: Algorithm = 'sha256',
): Manifest {
  return manifestOf(
    {
      schemaVersion: 2,
      mediaType: TYPES.manifest,
      config: descriptor(config, TYPES.config),
      layers: layers.map((layer) => descriptor(layer, TYPES.layer)),
      ...more,
    },
    algorithm,
  );
}

export function indexManifest(
  children: Manifest[],
  more: Record<string, unknown> = {},
  algorithm: Algorithm = 'sha256',
): Manifest {
  return manifestOf(
    {
      schemaVersion: 2,
      mediaType: TYPES.index,
      manifests: children.map((child) =>
        descriptor(child, child.mediaType, { platform: { os: 'linux', architecture: 'amd64' } }),
      ),
      ...more,
    },
    algorithm,
  );
}
