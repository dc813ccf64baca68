import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createManualClock } from '../core/clock.ts';
import { digestOf } from '../core/digest.ts';
import { FetchError } from './outcome.ts';
import { readBlob } from './read-blob.ts';
import { createRegistryClient } from './registry-client.ts';

const blob = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));
const digest = digestOf(blob);

/** A registry whose connections are cut after so many bytes of an answer; `deaf`: it gives whole blobs only. */
async function open(t: TestContext, cutAfter: number, deaf = false) {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    if (request.url === '/v2/') return void response.end('{}');
    asked.push(request.headers.range);
    const [, first = '0'] = /^bytes=([0-9]+)-/.exec(request.headers.range ?? '') ?? [];
    const body = blob.subarray(deaf ? 0 : Number(first));
    const headers = { 'content-length': String(body.length) };
    if (request.headers.range === undefined || deaf) response.writeHead(200, headers);
    else response.writeHead(206, { ...headers, 'content-range': `bytes ${first}-${blob.length - 1}/${blob.length}` });
    if (body.length <= cutAfter) response.end(body);
    else if (cutAfter === 0) response.write('', () => response.destroy());
    else response.write(body.subarray(0, cutAfter), () => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const clock = createManualClock(0);
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
  const read = async (): Promise<Buffer> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of readBlob(client, { host, path: 'team/app' } as never, digest, blob.length)) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  return { asked, read };
}

test('a blob goes on where its connection was cut', async (t) => {
  const { asked, read } = await open(t, 40_000);
  assert.deepEqual(await read(), blob);
  assert.deepEqual(asked, [undefined, 'bytes=40000-99999', 'bytes=80000-99999']);
});

for (const [name, cutAfter, deaf] of [
  ['one that brings nothing more', 0, false],
  ['one that gives no parts', 40_000, true],
  ['one that is cut without end', 100, false],
] as const) {
  test(`${name} is given up, as a connection that was cut`, async (t) => {
    const { read } = await open(t, cutAfter, deaf);
    await assert.rejects(read(), (error) => error instanceof FetchError && error.failure.kind === 'unreachable');
  });
}
