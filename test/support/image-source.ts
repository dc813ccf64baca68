import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { MediaType } from '../../src/core/media-type.ts';
import type { Cleanup } from './cleanup.ts';

/** A folder that goes away with the test. */
export async function temporaryFolder(test: Cleanup): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-test-'));
  test.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder with these files; a name that ends with `@` is a symbolic link to its content. */
export async function writeTree(folder: string, files: Record<string, string | Uint8Array>): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name.replace(/@$/, ''));
    await mkdir(dirname(path), { recursive: true });
    if (name.endsWith('@')) await symlink(content.toString(), path);
    else await writeFile(path, content);
  }
  return folder;
}

export interface LayoutImage {
  digest: Digest;
  /** Of the descriptor in index.json. */
  descriptor: Record<string, unknown>;
  /** Below blobs/, by digest. */
  blobs: Map<Digest, Buffer>;
}

/** An image of one layer that is not a real tar archive, told apart by its text. */
export function buildImage(
  text: string,
  platform: { os: string; architecture: string } = { os: 'linux', architecture: 'amd64' },
): LayoutImage {
  const layer = Buffer.from(`layer ${text}`);
  const config = Buffer.from(
    JSON.stringify({ ...platform, config: { Labels: { text } }, rootfs: { type: 'layers', diff_ids: [digestOf(layer)] } }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config: { mediaType: MediaType.ociConfig, digest: digestOf(config), size: config.length },
      layers: [{ mediaType: MediaType.ociLayer, digest: digestOf(layer), size: layer.length }],
    }),
  );
  const digest = digestOf(manifest);
  return {
    digest,
    descriptor: { mediaType: MediaType.ociManifest, digest, size: manifest.length, platform },
    blobs: new Map([layer, config, manifest].map((bytes) => [digestOf(bytes), bytes])),
  };
}

/** An index of images. */
export function buildIndex(...images: LayoutImage[]): LayoutImage {
  const index = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: images.map((image) => image.descriptor) }),
  );
  const digest = digestOf(index);
  return {
    digest,
    descriptor: { mediaType: MediaType.ociIndex, digest, size: index.length },
    blobs: new Map([...images.flatMap((image) => [...image.blobs]), [digest, index]]),
  };
}

/** The files of an OCI layout (image-spec, image-layout.md). Names go into the annotation that tools use for tags. */
export function layoutFiles(...images: (LayoutImage & { name?: string })[]): Record<string, string | Buffer> {
  const manifests = images.map(({ descriptor, name }) =>
    name === undefined ? descriptor : { ...descriptor, annotations: { 'org.opencontainers.image.ref.name': name } },
  );
  return {
    'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
    'index.json': JSON.stringify({ schemaVersion: 2, manifests }),
    ...Object.fromEntries(
      images.flatMap((image) => [...image.blobs].map(([digest, bytes]) => [`blobs/${digest.replace(':', '/')}`, bytes])),
    ),
  };
}
