import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile, readdir, stat, statfs } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PortState } from './machine.ts';
import type { CgroupLayout } from './runtimes.ts';

const patience = 3000;

/** What a program prints of its version, or undefined when it is not there or does not run. */
export async function printedVersion(path: string | undefined, wait = patience): Promise<string | undefined> {
  if (path === undefined) return undefined;
  return new Promise((resolve) => {
    execFile(path, ['--version'], { timeout: wait, env: { LC_ALL: 'C' } }, (error, stdout, stderr) => {
      resolve(error === null ? `${stdout}${stderr}` : undefined);
    });
  });
}

/** Where a program is: on the path, or where only root's path leads. */
export async function findProgram(name: string, path: string | undefined): Promise<string | undefined> {
  const folders = [...(path ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'].filter((folder) => folder !== '');
  for (const folder of folders) {
    if (await may(join(folder, name), constants.X_OK)) return join(folder, name);
  }
  return undefined;
}

/** The Node that npm installed with Holdfast. */
export function bundledNode(): Promise<string | undefined> {
  const root = new URL('../../../', import.meta.url);
  const places = ['node_modules/node/bin/node', '../node/bin/node'].map((place) => fileURLToPath(new URL(place, root)));
  return places.reduce<Promise<string | undefined>>(
    async (found, place) => (await found) ?? printedVersion(place).then((version) => version?.trim()),
    Promise.resolve(undefined),
  );
}

/** The sockets on which an engine may answer, in the order in which clients look. */
export function engineSockets(engine: 'docker' | 'podman', env: Record<string, string | undefined>): string[] {
  if (engine === 'podman') {
    const user = env['XDG_RUNTIME_DIR'];
    return [...(user === undefined ? [] : [join(user, 'podman/podman.sock')]), '/run/podman/podman.sock'];
  }
  const host = env['DOCKER_HOST'];
  if (host === undefined || host === '') return ['/var/run/docker.sock'];
  return host.startsWith('unix://') ? [host.slice('unix://'.length)] : [];
}

/** The first socket on which an engine answers. */
export async function answeringSocket(sockets: string[]): Promise<string | undefined> {
  for (const socketPath of sockets) {
    const answer = await get({ socketPath, path: '/_ping', host: 'localhost' });
    if (answer?.status === 200) return socketPath;
  }
  return undefined;
}

export async function cgroupLayout(root = '/sys/fs/cgroup'): Promise<CgroupLayout> {
  const own = await controllers(join(root, 'cgroup.controllers'));
  if (own !== undefined) return { kind: 'v2', unifiedControllers: [] };
  const unified = await controllers(join(root, 'unified/cgroup.controllers'));
  if (unified !== undefined) return { kind: 'hybrid', unifiedControllers: unified };
  return { kind: (await may(join(root, 'memory'), constants.F_OK)) ? 'v1' : 'none', unifiedControllers: [] };
}

async function controllers(path: string): Promise<string[] | undefined> {
  if (!(await may(path, constants.R_OK))) return undefined;
  return (await readFile(path, 'utf8')).split(/\s+/).filter((name) => name !== '');
}

export async function fuseState(): Promise<'usable' | 'refused' | 'absent'> {
  if (!(await may('/dev/fuse', constants.F_OK))) return 'absent';
  return (await may('/dev/fuse', constants.R_OK | constants.W_OK)) ? 'usable' : 'refused';
}

export interface DataFolder {
  state: 'there' | 'creatable' | 'refused';
  /** Bytes, of the disk that it is or will be on. */
  free: number;
  total: number;
  /** When something in it last changed; only of the folder itself and what lies directly in it. */
  newest?: number;
}

export async function lookAtDataFolder(folder: string): Promise<DataFolder> {
  let existing = folder;
  while (!(await may(existing, constants.F_OK)) && dirname(existing) !== existing) existing = dirname(existing);
  const there = existing === folder;
  const usable = (await stat(existing)).isDirectory() && (await may(existing, constants.W_OK | constants.X_OK));
  const { bavail, blocks, bsize } = await statfs(existing);
  const room = { free: bavail * bsize, total: blocks * bsize };
  if (!usable) return { state: 'refused', ...room };
  return there ? { state: 'there', ...room, newest: await newestChange(folder) } : { state: 'creatable', ...room };
}

async function newestChange(folder: string): Promise<number> {
  const names = (await readdir(folder)).slice(0, 1000);
  const times = await Promise.all(
    [folder, ...names.map((name) => join(folder, name))].map((path) =>
      stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        // A server that runs renames and removes files here.
        (error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT') return 0;
          throw error;
        },
      ),
    ),
  );
  return Math.max(...times);
}

/** Tries to listen, and when another does, asks it whether it is Holdfast. */
export async function portState(host: string, port: number): Promise<PortState> {
  const refusal = await tryToListen(host, port);
  if (refusal === undefined) return 'free';
  if (refusal !== 'EADDRINUSE') return 'refused';
  const asked = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  const answer = await get({ host: asked, port, path: '/healthz' });
  return answer?.server?.toLowerCase().startsWith('holdfast') === true ? 'holdfast' : 'other';
}

function tryToListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? error.message);
    });
    server.listen({ host, port, exclusive: true }, () => {
      server.close(() => {
        resolve(undefined);
      });
    });
  });
}

/** A GET whose body nobody wants; undefined when there was no answer in time. */
function get(where: {
  host: string;
  path: string;
  port?: number;
  socketPath?: string;
}): Promise<{ status: number | undefined; server: string | undefined } | undefined> {
  return new Promise((resolve) => {
    const asked = request({ ...where, agent: false, timeout: patience }, (response) => {
      resolve({ status: response.statusCode, server: header(response.headers['server']) });
      response.destroy();
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => {
      resolve(undefined);
    });
    asked.end();
  });
}

function header(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}

function may(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
