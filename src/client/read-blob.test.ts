import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createManualClock } from '../core/clock.ts';
import { digestOf } from '../core/digest.ts';
import { FetchError } from './outcome.ts';
import { readBlob } from './read-blob.ts';
import { createRegistryClient } from './registry-client.ts';

const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, index) => index % 251));

interface Registry {
  blob?: Buffer;
  /** Its connections are cut after so many bytes of an answer. */
  cutAfter?: number;
  /** It gives whole blobs only. */
  deaf?: boolean;
  /** Bytes that it sends each second. */
  pace?: number;
}

async function open(t: TestContext, { blob = bytes(100_000), cutAfter = Infinity, deaf = false, pace }: Registry) {
  const asked: (string | undefined)[] = [];
  const clock = createManualClock(0);
  const drip = async (body: Buffer, response: ServerResponse): Promise<void> => {
    for (let at = 0; at < body.length && !response.destroyed; at += pace ?? body.length) {
      clock.advance(1000);
      await new Promise<void>((resolve) => void response.write(body.subarray(at, at + (pace ?? body.length)), () => resolve()));
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end();
  };
  const server = createServer((request, response) => {
    if (request.url === '/v2/') return void response.end('{}');
    asked.push(request.headers.range);
    const [, first = '0'] = /^bytes=([0-9]+)-/.exec(request.headers.range ?? '') ?? [];
    const body = blob.subarray(deaf ? 0 : Number(first));
    const headers = { 'content-length': String(body.length) };
    if (request.headers.range === undefined || deaf) response.writeHead(200, headers);
    else response.writeHead(206, { ...headers, 'content-range': `bytes ${first}-${blob.length - 1}/${blob.length}` });
    if (pace !== undefined) void drip(body, response);
    else if (body.length <= cutAfter) response.end(body);
    else if (cutAfter === 0) response.write('', () => response.destroy());
    else response.write(body.subarray(0, cutAfter), () => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = createRegistryClient({
    keychain: { find: () => Promise.resolve(undefined) } as never,
    clock,
    wait: () => Promise.resolve(),
  });
  t.after(() => {
    client.close();
    server.closeAllConnections();
    server.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const read = async (hold = 0, onChunk = (): void => {}): Promise<Buffer> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of readBlob(client, { host, path: 'team/app' } as never, digestOf(blob), blob.length)) {
      chunks.push(chunk);
      clock.advance(hold);
      onChunk();
    }
    return Buffer.concat(chunks);
  };
  return { asked, read, close: () => client.close() };
}

test('a blob goes on where its connection was cut', async (t) => {
  const { asked, read } = await open(t, { cutAfter: 40_000 });
  assert.deepEqual(await read(), bytes(100_000));
  assert.deepEqual(asked, [undefined, 'bytes=40000-99999', 'bytes=80000-99999']);
});

for (const [name, cutAfter, deaf] of [
  ['one that brings nothing more', 0, false],
  ['one that gives no parts', 40_000, true],
  ['one that is cut without end', 100, false],
] as const) {
  test(`${name} is given up, as a connection that was cut`, async (t) => {
    const { read } = await open(t, { cutAfter, deaf });
    await assert.rejects(read(), (error) => error instanceof FetchError && error.failure.kind === 'unreachable');
  });
}

test('a registry that gives 1 KB a second is given up after a minute, and after a minute of another connection', async (t) => {
  const { asked, read } = await open(t, { blob: bytes(300_000), pace: 1000 });
  await assert.rejects(read(), (error) => {
    assert.ok(error instanceof FetchError);
    assert.deepEqual(
      [error.failure.kind, error.failure.reason, error.failure.isSlow],
      ['unreachable', 'it sends less than 2 KiB a second', true],
    );
    return true;
  });
  assert.equal(asked.length, 2);
  const [, resumedAt = ''] = /^bytes=(\d+)-299999$/.exec(asked[1] ?? '') ?? [];
  assert.ok(Number(resumedAt) >= 55_000 && Number(resumedAt) <= 65_000, resumedAt);
});

test('a client that is closed breaks a blob off, and does not go on with it on another connection', async (t) => {
  const { asked, close, read } = await open(t, { blob: bytes(300_000), pace: 100_000 });
  const chunks = read(0, close);
  await assert.rejects(chunks, (error) => error instanceof FetchError && error.failure.kind === 'unreachable');
  assert.deepEqual(asked, [undefined]);
});

test('a slow registry is not, and neither is one that has to wait for us', async (t) => {
  const slow = await open(t, { blob: bytes(300_000), pace: 2500 });
  assert.deepEqual(await slow.read(), bytes(300_000));
  assert.deepEqual(slow.asked, [undefined]);
  const waits = await open(t, { blob: bytes(300_000) });
  assert.deepEqual(await waits.read(100_000), bytes(300_000));
  assert.deepEqual(waits.asked, [undefined]);
});
