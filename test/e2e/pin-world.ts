import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { MediaType } from '../../src/core/media-type.ts';

const holdfast = new URL('../../bin/holdfast', import.meta.url).pathname;

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** A folder of files, and `holdfast` run in it as a process. */
export interface Tree {
  folder: string;
  write(files: Record<string, string | Uint8Array>): Promise<void>;
  read(path: string): Promise<string>;
  run(args: string[], env?: Record<string, string>): Promise<Ran>;
  remove(): Promise<void>;
}

export async function createTree(): Promise<Tree> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-pin-'));
  return {
    folder,
    async write(files) {
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), content);
      }
    },
    read: (path) => readFile(join(folder, path), 'utf8'),
    run: (args, env = {}) => run(folder, holdfast, args, env),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A process with only what it needs of this one's environment, so that no login of the machine leaks into a test. */
export function run(folder: string, program: string, args: string[], env: Record<string, string> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      program,
      args,
      { cwd: folder, env: { PATH: process.env['PATH'], HOME: folder, ...env }, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr });
      },
    );
  });
}

export interface DebianRegistry {
  /** `127.0.0.1:port`. */
  host: string;
  stop(): Promise<void>;
}

/** The distribution registry that Debian packages, on a free port with an empty store. */
export async function startDebianRegistry(): Promise<DebianRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-registry-'));
  const config = join(folder, 'config.yml');
  await writeFile(
    config,
    `version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: ${folder}/data\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:0\n`,
  );
  const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  const host = await new Promise<string>((resolve, reject) => {
    let log = '';
    const look = (chunk: Buffer): void => {
      log += chunk.toString();
      const found = /listening on (127\.0\.0\.1:\d+)/.exec(log)?.[1];
      if (found) resolve(found);
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.on('error', reject);
    child.on('exit', () => reject(new Error(`docker-registry ended: ${log}`)));
  });
  return {
    host,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface Pushed {
  digest: string;
  /** Of the images of an index. */
  children: string[];
}

interface Place {
  host: string;
  path: string;
  headers: Record<string, string>;
}

/** Pushes an image whose content follows from `seed`, or an index of one image a platform. */
export async function push(
  host: string,
  path: string,
  tag: string,
  seed: string,
  platforms: string[] = [],
  authorization?: string,
): Promise<Pushed> {
  const at: Place = { host, path, headers: authorization === undefined ? {} : { authorization } };
  if (platforms.length === 0)
    return { digest: await putManifest(at, tag, MediaType.ociManifest, await imageManifest(at, seed, 'amd64')), children: [] };
  const manifests = [];
  for (const platform of platforms) {
    const [os = '', architecture = ''] = platform.split('/');
    const bytes = await imageManifest(at, `${seed} ${platform}`, architecture);
    const digest = await putManifest(at, digestOf(bytes), MediaType.ociManifest, bytes);
    manifests.push({ mediaType: MediaType.ociManifest, digest, size: bytes.length, platform: { os, architecture } });
  }
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests }));
  return {
    digest: await putManifest(at, tag, MediaType.ociIndex, index),
    children: manifests.map(({ digest }) => digest),
  };
}

export async function deleteManifest(host: string, path: string, digest: string): Promise<void> {
  const answer = await fetch(`http://${host}/v2/${path}/manifests/${digest}`, { method: 'DELETE' });
  if (answer.status !== 202) throw new Error(`DELETE answered ${answer.status}`);
}

async function imageManifest({ host, path, headers }: Place, seed: string, architecture: string): Promise<Buffer> {
  const config = Buffer.from(JSON.stringify({ os: 'linux', architecture, rootfs: { type: 'layers', diff_ids: [] }, seed }));
  const start = await fetch(`http://${host}/v2/${path}/blobs/uploads/`, { method: 'POST', headers });
  const location = new URL(start.headers.get('location') ?? '', `http://${host}`);
  location.searchParams.set('digest', digestOf(config));
  const put = await fetch(location, {
    method: 'PUT',
    body: new Uint8Array(config),
    headers: { ...headers, 'content-type': 'application/octet-stream' },
  });
  if (put.status !== 201) throw new Error(`PUT of a blob answered ${put.status}`);
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config: { mediaType: MediaType.ociConfig, digest: digestOf(config), size: config.length },
      layers: [],
    }),
  );
}

async function putManifest({ host, path, headers }: Place, name: string, mediaType: string, bytes: Buffer): Promise<string> {
  const answer = await fetch(`http://${host}/v2/${path}/manifests/${name}`, {
    method: 'PUT',
    body: new Uint8Array(bytes),
    headers: { ...headers, 'content-type': mediaType },
  });
  if (answer.status !== 201) throw new Error(`PUT of a manifest answered ${answer.status}: ${await answer.text()}`);
  return digestOf(bytes);
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
