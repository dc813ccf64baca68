import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import { ECR } from '@aws-sdk/client-ecr';
import { signRequest } from '../../src/core/sigv4.ts';
import { blobOf, freshConfig, imageManifest, type Blob, type Manifest } from '../conformance/content.ts';
import { createHttp, type Answer, type Call, type Http } from '../conformance/http.ts';
import { startHoldfast, type HoldfastProcess } from '../support/server.ts';

const MIB = 1024 * 1024;
/** How much more memory a server may hold after all that was done to it. */
const GROWTH = 64 * MIB;

export interface Target {
  server: HoldfastProcess;
  http: Http;
  authorization: string;
  /** An image that is there: `app:good`. */
  image: { config: Blob; layer: Blob; manifest: Manifest };
  /** Sends bytes as they are, and gives all that comes back until the server ends the connection. */
  raw(bytes: string | Buffer): Promise<string>;
  /** A signed call of the ECR API; `tamper` spoils it after signing. */
  post(operation: string, body: string | Buffer, tamper?: (headers: [string, string][]) => void): Promise<Answer>;
  /** Raises an AssertionError unless the answer is a 4xx that says in JSON what is wrong. */
  expectRefusal(call: Call, ...statuses: number[]): Promise<Answer>;
  /** Still there, still itself: answers, has written nothing it did not mean to, holds no more memory, logged no failure. */
  expectUnharmed(): Promise<void>;
}

/** A server that is about to have a bad time, in a process of its own. */
export async function startTarget(t: TestContext, env: Record<string, string> = {}): Promise<Target> {
  const server = await startHoldfast(t, { HOLDFAST_LOG: 'debug', ...env });
  const { accessKeyId, secretAccessKey } = server.credentials;
  const authorization = `Basic ${Buffer.from(`${accessKeyId}:${secretAccessKey}`).toString('base64')}`;
  const http = createHttp({ baseUrl: server.url, authorization });
  t.after(() => http.close());
  const ecr = new ECR({ endpoint: server.url, region: 'us-east-1', credentials: server.credentials });
  for (const repositoryName of ['app', 'other/app']) await ecr.createRepository({ repositoryName });
  ecr.destroy();
  const config = freshConfig();
  const layer = blobOf(Buffer.alloc(10_000, 'layer'));
  const manifest = imageManifest(config, [layer]);
  for (const blob of [config, layer]) {
    const { headers } = await http.send({ method: 'POST', url: '/v2/app/blobs/uploads/' });
    assert.equal(
      (await http.send({ method: 'PUT', url: `${headers.location}?digest=${blob.digest}`, body: blob.bytes })).status,
      201,
    );
  }
  const put = {
    method: 'PUT',
    url: '/v2/app/manifests/good',
    headers: { 'Content-Type': manifest.mediaType },
    body: manifest.bytes,
  };
  assert.equal((await http.send(put)).status, 201);
  for (let warm = 0; warm < 50; warm++) await http.send({ method: 'GET', url: '/v2/app/manifests/good' });
  // Honest work of some size first: V8 keeps the room that it has once made for young objects, and that is no harm done.
  const large = {
    method: 'POST',
    url: '/',
    headers: { 'Content-Type': 'application/json' },
    body: Buffer.from(JSON.stringify({ text: 'x'.repeat(MIB) })),
  };
  for (let warm = 0; warm < 60; warm++) await http.send(large);
  const before = await residentBytes(server.processId);

  return {
    server,
    http,
    authorization,
    image: { config, layer, manifest },
    raw: (bytes) => sendRaw(server.url, bytes),
    async post(operation, body, tamper) {
      const headers = signRequest({
        method: 'POST',
        target: '/',
        headers: [
          ['host', server.registryHost],
          ['content-type', 'application/x-amz-json-1.1'],
          ['x-amz-target', `AmazonEC2ContainerRegistry_V20150921.${operation}`],
        ],
        body,
        now: Date.now(),
        ...server.credentials,
        region: 'us-east-1',
        service: 'ecr',
      });
      tamper?.(headers);
      const anonymous = createHttp({ baseUrl: server.url });
      try {
        return await anonymous.send({ method: 'POST', url: '/', headers: Object.fromEntries(headers), body: Buffer.from(body) });
      } finally {
        anonymous.close();
      }
    },
    async expectRefusal(call, ...statuses) {
      const answer = await http.send(call);
      const what = `${call.method} ${call.url.slice(0, 200)}: ${answer.status} ${answer.body.toString().slice(0, 300)}`;
      if (statuses.length > 0) assert.ok(statuses.includes(answer.status), what);
      assert.ok(answer.status >= 400 && answer.status < 500, what);
      if (call.method !== 'HEAD') {
        const { errors } = JSON.parse(answer.body.toString()) as { errors: { code: string; message: string }[] };
        assert.match(errors[0]?.code ?? '', /^[A-Z_]+$/, what);
        assert.ok((errors[0]?.message.length ?? 0) < 2000, what);
      }
      return answer;
    },
    async expectUnharmed() {
      assert.equal((await http.send({ method: 'GET', url: '/healthz' })).status, 200);
      const { body } = await http.send({ method: 'GET', url: '/v2/app/manifests/good' });
      assert.ok(body.equals(manifest.bytes));
      const files = await readdir(server.dataFolder, { recursive: true });
      const strange = files.filter((file) => !KNOWN.test(file));
      assert.deepEqual(strange, []);
      const failures = server
        .log()
        .split('\n')
        .filter((line) => /request failed|"level":"error"/.test(line));
      assert.deepEqual(failures, []);
      const grown = (await residentBytes(server.processId)) - before;
      assert.ok(grown < GROWTH, `${Math.round(grown / MIB)} MiB more than before`);
    },
  };
}

/** All that a server with blobs has in its data folder. */
const KNOWN =
  /^(?:server\.json|(?:holdfast|lock)\.db(?:-wal|-shm|-journal)?|blobs(?:\/uploads(?:\/[0-9a-f-]{36})?|\/quarantine|\/blobs(?:\/sha(?:256|512)(?:\/[0-9a-f]{2}(?:\/[0-9a-f]{64,128})?)?)?)?)$/;

/** No answer at all within this is a hang. */
const PATIENCE = 20_000;

function sendRaw(url: string, bytes: string | Buffer): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    const chunks: Buffer[] = [];
    const timer = setTimeout(() => {
      socket.destroy();
      reject(
        new Error(
          `the server neither answered nor closed: ${bytes.toString().slice(0, 200)} -> ${Buffer.concat(chunks).toString()}`,
        ),
      );
    }, PATIENCE);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A server that closes on unread bytes resets the connection; what it said before that counts.
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks).toString('latin1'));
    });
  });
}

export async function residentBytes(processId: number): Promise<number> {
  const status = await readFile(`/proc/${processId}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
