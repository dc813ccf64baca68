import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Peer } from './peers.ts';

/** Clients are processes of their own, the same for every peer. */

export interface Blob {
  path: string;
  digest: string;
  bytes: number;
}

/** Random bytes in a file. */
export function makeBlob(path: string, bytes: number): Blob {
  const piece = Math.min(bytes, 8 * 1024 * 1024);
  const file = openSync(path, 'w');
  const hash = createHash('sha256');
  for (let written = 0; written < bytes; written += piece) {
    const chunk = randomBytes(Math.min(piece, bytes - written));
    hash.update(chunk);
    writeSync(file, chunk);
  }
  closeSync(file);
  return { path, bytes, digest: `sha256:${hash.digest('hex')}` };
}

async function curl(args: string[]): Promise<string> {
  const child = spawn('curl', ['-sS', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (code !== 0) throw new Error(`curl ended with ${String(code)}`);
  return out;
}

function headerArguments(peer: Peer): string[] {
  return Object.entries(peer.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
}

export async function startUpload(peer: Peer, repository: string): Promise<string> {
  const response = await fetch(`${peer.url}/v2/${repository}/blobs/uploads/`, { method: 'POST', headers: peer.headers });
  const location = response.headers.get('location');
  if (response.status !== 202 || location === null) throw new Error(`${peer.name}: POST uploads gave ${response.status}`);
  return new URL(location, peer.url).href;
}

function closing(location: string, digest: string): string {
  return `${location}${location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;
}

/** Seconds from the first request to the last answer. */
export async function pushMonolithic(peer: Peer, repository: string, blob: Blob): Promise<number> {
  const started = performance.now();
  const location = await startUpload(peer, repository);
  const status = await curl([
    ...headerArguments(peer),
    '-H',
    'Expect:',
    '-H',
    'Content-Type: application/octet-stream',
    '-o',
    '/dev/null',
    '-w',
    '%{http_code}',
    '-X',
    'PUT',
    '-T',
    blob.path,
    closing(location, blob.digest),
  ]);
  if (status !== '201') throw new Error(`${peer.name}: PUT gave ${status}`);
  return (performance.now() - started) / 1000;
}

/** As docker does: one PATCH without a length, then an empty PUT. */
export async function pushStreamed(peer: Peer, repository: string, blob: Blob): Promise<number> {
  const started = performance.now();
  const location = await startUpload(peer, repository);
  const head = await curl([
    ...headerArguments(peer),
    '-H',
    'Expect:',
    '-H',
    'Transfer-Encoding: chunked',
    '-H',
    'Content-Type: application/octet-stream',
    '-o',
    '/dev/null',
    '-D',
    '-',
    '-X',
    'PATCH',
    '-T',
    blob.path,
    location,
  ]);
  const next = /^location: (.*?)\r?$/im.exec(head)?.[1];
  if (next === undefined) throw new Error(`${peer.name}: PATCH gave ${head}`);
  const response = await fetch(closing(new URL(next, peer.url).href, blob.digest), { method: 'PUT', headers: peer.headers });
  if (response.status !== 201) throw new Error(`${peer.name}: PUT gave ${response.status}`);
  return (performance.now() - started) / 1000;
}

/** 64 chunks of equal size over one connection, by a client process of its own. */
export async function pushChunked(peer: Peer, repository: string, blob: Blob): Promise<number> {
  const started = performance.now();
  const location = await startUpload(peer, repository);
  await runChild('chunked-push.ts', [location, blob.path, blob.digest, JSON.stringify(peer.headers)]);
  return (performance.now() - started) / 1000;
}

export async function pull(peer: Peer, repository: string, blob: Blob): Promise<number> {
  const out = await curl([
    ...headerArguments(peer),
    '-o',
    '/dev/null',
    '-w',
    '%{http_code} %{size_download} %{time_total}',
    `${peer.url}/v2/${repository}/blobs/${blob.digest}`,
  ]);
  const [status, size, seconds] = out.split(' ');
  if (status !== '200' || Number(size) !== blob.bytes) throw new Error(`${peer.name}: GET gave ${out}`);
  return Number(seconds);
}

/** All at once, in one curl; seconds until the last is there. */
export async function pullParallel(peer: Peer, repository: string, blobs: Blob[], configFile: string): Promise<number> {
  const lines = blobs.flatMap((blob) => [`url = "${peer.url}/v2/${repository}/blobs/${blob.digest}"`, 'output = "/dev/null"']);
  const headers = Object.entries(peer.headers).map(([name, value]) => `header = "${name}: ${value}"`);
  writeFileSync(configFile, [...headers, ...lines].join('\n'));
  const started = performance.now();
  await curl(['--no-progress-meter', '-Z', '--parallel-immediate', '--parallel-max', String(blobs.length), '-K', configFile]);
  return (performance.now() - started) / 1000;
}

export interface LoadResult {
  perSecond: number;
  /** Milliseconds. */
  median: number;
  p99: number;
}

/** Requests over 64 connections for some seconds, from a process that only counts answers. */
export async function load(
  peer: Peer,
  method: 'GET' | 'HEAD',
  path: string,
  seconds: number,
  connections = 64,
): Promise<LoadResult> {
  return JSON.parse(
    await runChild('load.ts', [peer.url, method, path, String(seconds), String(connections), JSON.stringify(peer.headers)]),
  ) as LoadResult;
}

async function runChild(script: string, args: string[]): Promise<string> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (code !== 0) throw new Error(`${script} ended with ${String(code)}`);
  return out;
}
