import { createReadStream, type BigIntStats } from 'node:fs';
import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import { arch } from 'node:os';
import { join } from 'node:path';
import type { BlobContent, PushContent } from '../client/push.ts';
import { digestOf } from '../core/digest.ts';
import { MediaType } from '../core/media-type.ts';
import type { TarInput } from '../core/tar-writer.ts';
import { writeTar } from '../core/tar-writer.ts';
import { CommandFailure, UsageError } from './command.ts';
import { printable } from './format.ts';
import type { FileTree } from './push-source.ts';
import { packLayer, READ_BYTES, type Scratch } from './push-temporary.ts';

/** How the image of a plain folder is started. */
export interface ImageSettings {
  cmd?: string[];
  entrypoint?: string[];
  /** `NAME=value`. */
  env: string[];
  workdir?: string;
  user?: string;
  /** `80/tcp`. */
  ports: string[];
  labels: Record<string, string>;
  /** `linux/amd64`. */
  platform: string;
}

const EPOCH = '1970-01-01T00:00:00Z';
const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A folder as the tree of an OCI layout. */
export function folderTree(path: string): FileTree {
  return {
    where: path,
    async size(name) {
      try {
        const stats = await stat(join(path, name));
        return stats.isFile() ? stats.size : undefined;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
        throw error;
      }
    },
    open: (name) => createReadStream(join(path, name), { highWaterMark: READ_BYTES }),
  };
}

/**
 * An image of one layer that holds a folder: files sorted by name, owned by root, without times, so that the same folder
 * gives the same digest wherever and whenever it is pushed.
 */
export async function readFolder(
  path: string,
  settings: ImageSettings,
  scratch: Scratch,
  onBytes: (count: number) => void,
): Promise<PushContent> {
  const layer = await packLayer(writeTar(walk(Buffer.from(path))), scratch.path('layer'), onBytes);
  const config = Buffer.from(JSON.stringify(imageConfig(settings, layer.diffId)));
  const configBlob: BlobContent = { digest: digestOf(config), bytes: config.length, open: () => once(config) };
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config: { mediaType: MediaType.ociConfig, digest: configBlob.digest, size: config.length },
      layers: [{ mediaType: MediaType.ociLayerGzip, digest: layer.digest, size: layer.bytes }],
    }),
  );
  return { root: { digest: digestOf(bytes), mediaType: MediaType.ociManifest, bytes }, children: [], blobs: [configBlob, layer] };
}

/** `linux/` and the processor of this machine, as images name it. */
export function machinePlatform(): string {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm64: 'arm64', arm: 'arm/v7' };
  return `linux/${names[arch()] ?? arch()}`;
}

/** As image-spec, config.md, has it; members that say nothing are left out. */
function imageConfig({ cmd, entrypoint, env, workdir, user, ports, labels, platform }: ImageSettings, diffId: string): object {
  const [os, architecture, variant] = platform.split('/');
  const hasPath = env.some((each) => each.startsWith('PATH='));
  return {
    created: EPOCH,
    architecture,
    os,
    ...(variant === undefined ? {} : { variant }),
    config: {
      ...(user === undefined ? {} : { User: user }),
      ...(ports.length === 0 ? {} : { ExposedPorts: Object.fromEntries(ports.map((port) => [port, {}])) }),
      Env: hasPath ? env : [DEFAULT_PATH, ...env],
      ...(entrypoint === undefined ? {} : { Entrypoint: entrypoint }),
      ...(cmd === undefined ? {} : { Cmd: cmd }),
      ...(workdir === undefined ? {} : { WorkingDir: workdir }),
      ...(Object.keys(labels).length === 0 ? {} : { Labels: labels }),
    },
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created: EPOCH, created_by: 'holdfast push' }],
  };
}

/** Everything below a folder, parents before children, by the bytes of the names. Raises CommandFailure for what no layer can hold. */
async function* walk(folder: Buffer, prefix: Buffer = Buffer.alloc(0)): AsyncGenerator<TarInput> {
  const names = await readdir(folder, { encoding: 'buffer' });
  names.sort((one, other) => Buffer.compare(one, other));
  for (const name of names) {
    const path = Buffer.concat([folder, Buffer.from('/'), name]);
    const entry = Buffer.concat([prefix, name]);
    const stats = await lstat(path, { bigint: true });
    const mode = Number(stats.mode & 0o7777n);
    if (stats.isDirectory()) {
      const below = Buffer.concat([entry, Buffer.from('/')]);
      yield { name: below, type: 'folder', mode };
      yield* walk(path, below);
    } else if (stats.isSymbolicLink()) {
      yield { name: entry, type: 'symbolic-link', mode: 0o777, linkName: await readlink(path, { encoding: 'buffer' }) };
    } else if (stats.isFile()) {
      const size = Number(stats.size);
      // Opened only to be read: an empty file would keep its descriptor.
      yield { name: entry, type: 'file', mode, size, ...(size === 0 ? {} : { body: createReadStream(path) }) };
    } else {
      throw new CommandFailure(`${printable(path.toString())} is ${kindOf(stats)}, which an image cannot hold.`, {
        kind: 'source-invalid',
        advice: 'Remove it from the folder.',
      });
    }
  }
}

function kindOf(stats: BigIntStats): string {
  if (stats.isSocket()) return 'a socket';
  return stats.isFIFO() ? 'a pipe' : 'a device';
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Reads `--env`, `--label`, `--port` and `--platform`. Raises UsageError. */
export function readSettings(given: {
  env: string[];
  labels: string[];
  ports: string[];
  platform: string | undefined;
}): Pick<ImageSettings, 'env' | 'labels' | 'ports' | 'platform'> {
  for (const each of given.env)
    if (!/^[^=\0]+=[^\0]*$/.test(each)) throw new UsageError(`--env wants NAME=VALUE, not "${printable(each.slice(0, 100))}".`);
  const labels = given.labels.map((each): [string, string] => {
    const equals = each.indexOf('=');
    if (equals < 1) throw new UsageError(`--label wants NAME=VALUE, not "${printable(each.slice(0, 100))}".`);
    return [each.slice(0, equals), each.slice(equals + 1)];
  });
  const ports = given.ports.map((each) => {
    const [, port, protocol = 'tcp'] = /^([0-9]{1,5})(?:\/(tcp|udp|sctp))?$/.exec(each) ?? [];
    if (port === undefined || Number(port) < 1 || Number(port) > 65_535)
      throw new UsageError(`--port wants 1 to 65535, or 53/udp, not "${printable(each.slice(0, 100))}".`);
    return `${Number(port)}/${protocol}`;
  });
  const platform = given.platform ?? machinePlatform();
  if (!/^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9]+)?$/.test(platform))
    throw new UsageError(`--platform wants a name like linux/amd64, not "${printable(platform.slice(0, 100))}".`);
  return { env: given.env, labels: Object.fromEntries(labels), ports, platform };
}
