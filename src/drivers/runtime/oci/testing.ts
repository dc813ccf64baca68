import { containerSpec as plainContainer } from '../../../orchestrator/supervise/testing.ts';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import { gzipSync } from 'node:zlib';
import { ContainerError } from '../../../core/container-error.ts';
import { digestOf, type Digest } from '../../../core/digest.ts';
import { MediaType } from '../../../core/media-type.ts';
import { writeTar, type TarInput } from '../../../core/tar-writer.ts';
import type { PinnedImage } from '../../../orchestrator/container-engine.ts';
import type { ContainerSpec, TaskSpec } from '../../../orchestrator/ports.ts';
import type { ImageSource } from './image-source.ts';

/** Why tests of containers cannot run here; `false` when they can. */
export async function reasonToSkip(): Promise<string | false> {
  if (os.userInfo().uid !== 0) return 'needs root';
  for (const path of ['/bin/busybox', '/usr/bin/unshare', '/usr/sbin/nft', '/usr/bin/setfattr'])
    if ((await fs.stat(path).catch(() => undefined)) === undefined) return `needs ${path}`;
  return false;
}

/** Images that are made on the spot and given by the source. */
export interface TestImages {
  source: ImageSource;
  /** Bytes of every answer so far, by digest, so that a test can say what was asked for. */
  asked: string[];
  add(layers: TarInput[][], config?: Record<string, unknown>): Promise<Digest>;
  addBlob(bytes: Uint8Array): Digest;
  /** What `resolve` knows, by reference. */
  tags: Map<string, Digest>;
}

export function createTestImages(): TestImages {
  const blobs = new Map<string, Uint8Array>();
  const asked: string[] = [];
  const tags = new Map<string, Digest>();
  function addBlob(bytes: Uint8Array): Digest {
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return digest;
  }
  function get(digest: string): Uint8Array {
    asked.push(digest);
    const bytes = blobs.get(digest);
    if (bytes === undefined) throw new ContainerError('CannotPullContainerError', `${digest}: not found`);
    return bytes;
  }
  return {
    asked,
    tags,
    addBlob,
    async add(layers, config = {}) {
      const archives = await Promise.all(layers.map(tarOf));
      const layerBytes = archives.map((archive) => gzipSync(archive, { level: 1 }));
      const configBytes = Buffer.from(
        JSON.stringify({
          architecture: { x64: 'amd64' }[os.arch() as string] ?? os.arch(),
          os: 'linux',
          config,
          rootfs: { type: 'layers', diff_ids: archives.map((archive) => digestOf(archive)) },
        }),
      );
      const manifest = {
        schemaVersion: 2,
        mediaType: MediaType.ociManifest,
        config: { mediaType: MediaType.ociConfig, digest: addBlob(configBytes), size: configBytes.length },
        layers: layerBytes.map((bytes) => ({ mediaType: MediaType.ociLayerGzip, digest: addBlob(bytes), size: bytes.length })),
      };
      return addBlob(Buffer.from(JSON.stringify(manifest)));
    },
    source: {
      async resolve({ reference }) {
        const digest = tags.get(reference);
        if (digest !== undefined) return digest;
        throw new ContainerError('CannotPullContainerError', `failed to resolve ref ${reference}: ${reference}: not found`);
      },
      manifest: (_image, digest) => Promise.resolve({ bytes: get(digest) }),
      async *blob(_image, digest) {
        const bytes = get(digest);
        for (let at = 0; at < bytes.length; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024);
      },
    },
  };
}

export async function tarOf(entries: TarInput[]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(entries)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export function file(name: string, text: string | Buffer, more: Partial<TarInput> = {}): TarInput {
  const bytes = Buffer.from(text);
  return { name, type: 'file', size: bytes.length, body: [bytes], ...more };
}

export function folder(name: string, more: Partial<TarInput> = {}): TarInput {
  return { name, type: 'folder', mode: 0o755, ...more };
}

export function link(name: string, linkName: string, type: 'symbolic-link' | 'hard-link' = 'symbolic-link'): TarInput {
  return { name, linkName, type };
}

/** What a file has that may do this much more, by bits of capabilities(7), from its start on. */
export function capable(...bits: number[]): Pick<TarInput, 'xattrs'> {
  const value = Buffer.alloc(20);
  value.writeUInt32LE(0x0200_0001);
  for (const bit of bits) value.writeUInt32LE(value.readUInt32LE(4) | (1 << bit), 4);
  return { xattrs: new Map([['security.capability', value]]) };
}

/** A small system: busybox under the names of what tests run. */
export async function busyboxLayer(): Promise<TarInput[]> {
  const busybox = await fs.readFile('/bin/busybox');
  const tools = 'sh ls cat sleep id echo wget httpd nc ip kill mkdir touch readlink stat dd hostname env ln rm ping'.split(' ');
  return [
    folder('bin'),
    folder('tmp', { mode: 0o1777 }),
    folder('etc'),
    file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n'),
    file('etc/group', 'root:x:0:\napp:x:1001:\nextra:x:2000:app\n'),
    file('bin/busybox', busybox, { mode: 0o755 }),
    ...tools.map((tool) => link(`bin/${tool}`, 'busybox')),
  ];
}

export function pinned(digest: Digest): PinnedImage {
  return { written: 'test/image:1', reference: `test/image@${digest}`, digest };
}

export function containerSpec(name: string, more: Partial<ContainerSpec> = {}): ContainerSpec {
  return plainContainer(name, { image: { written: 'test/image:1', reference: 'test/image:1' }, stopTimeout: 1000, ...more });
}

export function taskSpec(
  id: string,
  networkMode: TaskSpec['networkMode'],
  containers: ContainerSpec[],
  more: Partial<TaskSpec> = {},
): TaskSpec {
  return {
    id,
    arn: `arn:aws:ecs:us-east-1:123456789012:task/test/${id}`,
    clusterArn: 'arn:aws:ecs:us-east-1:123456789012:cluster/test',
    clusterName: 'test',
    accountId: '123456789012',
    region: 'us-east-1',
    family: 'test',
    revision: 1,
    taskDefinitionArn: 'arn:aws:ecs:us-east-1:123456789012:task-definition/test:1',
    launchType: 'EC2',
    networkMode,
    containers,
    volumes: [],
    tags: {},
    ...more,
  };
}
