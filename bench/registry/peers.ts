import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../test/support/free-port.ts';

/** A registry under measurement: a process of its own, on this machine. */
export interface Peer {
  name: string;
  url: string;
  /** Sent with every request; Holdfast is measured with authentication on. */
  headers: Record<string, string>;
  /** Of the server process, when it is ours to look at. */
  processId?: number;
  close(): Promise<void>;
}

const launcher = fileURLToPath(new URL('../../bin/holdfast', import.meta.url));

/** Holdfast as people start it, with one repository for each name; also says how long its first answer took. */
export async function startHoldfast(
  repositories: string[],
  env: Record<string, string> = {},
): Promise<Peer & { startMs: number; dataFolder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const port = await freePort();
  const started = performance.now();
  const child = spawn(launcher, ['serve'], {
    env: {
      ...process.env,
      HOLDFAST_DATA: folder,
      HOLDFAST_PORT: String(port),
      HOLDFAST_LOG: 'warn',
      HOLDFAST_RUNTIME: 'none',
      ...env,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const url = `http://127.0.0.1:${port}`;
  await answers(`${url}/v2/`, child);
  const startMs = performance.now() - started;
  // The first answer may come before the file with the key.
  const file = join(folder, 'server.json');
  while (!existsSync(file)) await wait(5);
  const { accessKeyId, secretAccessKey } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
  const { ECR } = await import('@aws-sdk/client-ecr');
  const ecr = new ECR({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: accessKeyId ?? '', secretAccessKey: secretAccessKey ?? '' },
  });
  for (const repositoryName of repositories) await ecr.createRepository({ repositoryName });
  const { authorizationData } = await ecr.getAuthorizationToken({});
  return {
    name: 'holdfast',
    url,
    startMs,
    dataFolder: folder,
    headers: { Authorization: `Basic ${authorizationData?.[0]?.authorizationToken}` },
    ...(child.pid === undefined ? {} : { processId: child.pid }),
    close: () => end(child, folder),
  };
}

/** Debian's docker-registry (distribution 2.8), with its cache in memory and nothing else in its way. */
export async function startDockerRegistry(): Promise<Peer> {
  const folder = mkdtempSync(join(tmpdir(), 'docker-registry-bench-'));
  const port = await freePort();
  const config = join(folder, 'config.yml');
  writeFileSync(
    config,
    JSON.stringify({
      version: '0.1',
      log: { level: 'error', accesslog: { disabled: true } },
      storage: {
        filesystem: { rootdirectory: join(folder, 'data') },
        delete: { enabled: true },
        cache: { blobdescriptor: 'inmemory' },
        maintenance: { uploadpurging: { enabled: false } },
      },
      http: { addr: `127.0.0.1:${port}` },
    }),
  );
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  await answers(`${url}/v2/`, child);
  return {
    name: 'docker-registry',
    url,
    headers: {},
    ...(child.pid === undefined ? {} : { processId: child.pid }),
    close: () => end(child, folder),
  };
}

/** A registry that somebody else has started. `address` may carry a user and a password. */
export async function runningRegistry(address: string): Promise<Peer> {
  const { origin, host, port, username, password } = new URL(address);
  const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  const headers: Record<string, string> = username === '' ? {} : { Authorization: `Basic ${basic}` };
  const response = await fetch(`${origin}/v2/`, { headers });
  if (!response.ok) throw new Error(`${origin}/v2/ gave ${response.status}: a registry that answers there is needed`);
  await response.arrayBuffer();
  const processId = listenerOn(port);
  return { name: host, url: origin, headers, ...(processId === undefined ? {} : { processId }), close: async () => {} };
}

/** The process that listens on a port of this machine, when it may be known. */
function listenerOn(port: string): number | undefined {
  const { stdout } = spawnSync('ss', ['-Hltnp', `sport = :${port}`], { encoding: 'utf8' });
  const found = /pid=(\d+)/.exec(stdout ?? '')?.[1];
  return found === undefined ? undefined : Number(found);
}

/** node:http with an answer of a manifest's size, and nothing else. */
export async function startBareServer(): Promise<Peer> {
  const port = await freePort();
  const source = `const body = Buffer.alloc(1200, 'm');
    require('node:http')
      .createServer((request, response) => response.writeHead(200, { 'Content-Length': body.length }).end(body))
      .listen(${port}, '127.0.0.1');`;
  const child = spawn(process.execPath, ['-e', source], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  await answers(url, child);
  return { name: 'bare server', url, headers: {}, close: () => end(child) };
}

async function end(child: ChildProcess, folder?: string): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  await closed;
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}`);
    const response = await fetch(url).catch(() => undefined);
    await response?.arrayBuffer();
    if (response !== undefined) return;
    await wait(5);
  }
}

/** Bytes of memory that the process uses now, and its highest since the last `resetPeak`. */
export function memoryOf(processId: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${processId}/status`, 'utf8');
  const read = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN) * 1024;
  return { now: read('VmRSS'), peak: read('VmHWM') };
}

export function resetPeak(processId: number): void {
  writeFileSync(`/proc/${processId}/clear_refs`, '5');
}
