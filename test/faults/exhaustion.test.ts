import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ECR } from '@aws-sdk/client-ecr';
import { blobOf } from '../conformance/content.ts';
import { createHttp, type Http } from '../conformance/http.ts';
import { plainEnv, startHoldfast } from '../support/server.ts';

interface Told {
  url: string;
  accessKeyId: string;
  secretAccessKey: string;
}

const authorizationOf = ({ accessKeyId, secretAccessKey }: Pick<Told, 'accessKeyId' | 'secretAccessKey'>) =>
  `Basic ${Buffer.from(`${accessKeyId}:${secretAccessKey}`).toString('base64')}`;

function openHttp(t: TestContext, baseUrl: string, authorization: string): Http {
  const http = createHttp({ baseUrl, authorization });
  t.after(() => http.close());
  return http;
}

async function createRepository(told: Told): Promise<void> {
  const ecr = new ECR({ endpoint: told.url, region: 'us-east-1', credentials: told });
  await ecr.createRepository({ repositoryName: 'app' });
  ecr.destroy();
}

/** A push and a pull, as anybody else does them meanwhile. */
async function expectService(http: Http): Promise<void> {
  const blob = blobOf(randomBytes(100_000));
  const opened = await http.send({ method: 'POST', url: '/v2/app/blobs/uploads/' });
  assert.equal(opened.status, 202, opened.body.toString());
  const pushed = await http.send({ method: 'PUT', url: `${opened.headers.location}?digest=${blob.digest}`, body: blob.bytes });
  assert.equal(pushed.status, 201, pushed.body.toString());
  const pulled = await http.send({ method: 'GET', url: `/v2/app/blobs/${blob.digest}` });
  assert.ok(pulled.body.equals(blob.bytes));
  assert.equal((await http.send({ method: 'GET', url: '/healthz' })).status, 200);
}

async function connectTo(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
  return socket;
}

test('2,000 idle connections and 50 pushes at a byte a second leave everybody else their service', async (t) => {
  const server = await startHoldfast(t);
  const told = { url: server.url, ...server.credentials };
  await createRepository(told);
  const authorization = authorizationOf(told);
  const http = openHttp(t, server.url, authorization);
  await expectService(http);
  const before = await residentBytes(server.processId);

  const sockets: Socket[] = [];
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  for (let opened = 0; opened < 2000; opened += 100)
    sockets.push(...(await Promise.all(Array.from({ length: 100 }, () => connectTo(server.url)))));
  const slow = sockets.slice(0, 50);
  for (const socket of slow) {
    const { headers } = await http.send({ method: 'POST', url: '/v2/app/blobs/uploads/' });
    socket.write(
      `PATCH ${headers.location} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Length: 1000000\r\n\r\n`,
    );
  }
  const dripping = setInterval(() => slow.forEach((socket) => socket.writable && socket.write('x')), 1000);
  t.after(() => clearInterval(dripping));

  for (let round = 0; round < 20; round++) await expectService(http);
  assert.equal(sockets.filter((socket) => !socket.destroyed).length, 2000, 'idle connections are kept');
  const grown = (await residentBytes(server.processId)) - before;
  assert.ok(grown < 128 * 1024 * 1024, `${grown} bytes more for 2,000 connections`);
});

test('out of file descriptors, the server turns down what it cannot do, and comes back by itself', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-few-'));
  const holdfast = fileURLToPath(new URL('../../bin/holdfast', import.meta.url));
  const env = {
    ...plainEnv(),
    HOME: folder,
    HOLDFAST_DATA: folder,
    HOLDFAST_PORT: '0',
    HOLDFAST_RUNTIME: 'none',
    HOLDFAST_LOG: 'warn',
  };
  const child = spawn('sh', ['-c', 'ulimit -n 256; exec "$0" serve', holdfast], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  const log: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => log.push(chunk));
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true });
  });
  await once(child.stdout, 'data');
  const told = JSON.parse(await readFile(join(folder, 'server.json'), 'utf8')) as Told;
  await createRepository(told);
  const http = openHttp(t, told.url, authorizationOf(told));
  await expectService(http);

  const sockets = await Promise.all(Array.from({ length: 400 }, () => connectTo(told.url)));
  const statuses = new Map<string, number>();
  for (let round = 0; round < 10; round++) {
    const answer = await http.send({ method: 'POST', url: '/v2/app/blobs/uploads/' }).catch(() => undefined);
    const said = answer === undefined ? 'cut' : String(answer.status);
    statuses.set(said, (statuses.get(said) ?? 0) + 1);
  }
  assert.equal(statuses.get('500'), undefined, `${Buffer.concat(log).toString().slice(0, 2000)}`);
  assert.equal(child.exitCode, null, 'the server has ended');
  for (const socket of sockets) socket.destroy();
  for (;;) {
    // Connections end on the server's side a moment after they do here.
    const answer = await http.send({ method: 'POST', url: '/v2/app/blobs/uploads/' }).catch(() => undefined);
    if (answer?.status === 202) break;
  }
  await expectService(http);
  t.diagnostic(`with no descriptor left: ${[...statuses].map(([status, count]) => `${status} ${count} times`).join(', ')}`);
});

async function residentBytes(processId: number): Promise<number> {
  const status = await readFile(`/proc/${processId}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
