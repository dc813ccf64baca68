import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { digestOf } from '../../core/digest.ts';
import type { BlobReader } from '../../registry/ports.ts';
import { createBufferPool, type BufferPool } from './buffer-pool.ts';
import { createBlobSender } from './send-blob.ts';

const content = randomBytes(3_000_017);
const digest = digestOf(content);

interface World {
  url: string;
  port: number;
  pool: BufferPool;
  /** Resolves, with the outcome, when the next answer is over and its reader is closed. */
  over(): Promise<unknown>;
  reads(): number;
}

async function serve(
  t: TestContext,
  change: (read: BlobReader['read']) => BlobReader['read'] = (read) => read,
  pool = createBufferPool(),
  bytes = content.length,
): Promise<World> {
  const sender = createBlobSender(pool);
  let reads = 0;
  let settle: (outcome: unknown) => void = () => {};
  const server = createServer((request, response) => {
    let closed = false;
    const read = change(async (into, position) => {
      assert.equal(closed, false, 'read after close');
      reads++;
      return content.copy(into as Buffer, 0, position, position + into.length);
    });
    const reader: BlobReader = { bytes, stamp: 'x', read, close: async () => void (closed = true) };
    sender.send(request, response, { digest, bytes, reader }).then(
      () => settle(closed ? 'sent' : 'left open'),
      (error: Error) => {
        settle(closed ? error : 'left open');
        response.destroy();
      },
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    port,
    pool,
    reads: () => reads,
    over: () => new Promise((resolve) => (settle = resolve)),
  };
}

for (const [name, limit] of [
  ['two buffers', 48 * 1024 * 1024],
  ['one buffer', 2 * 1024 * 1024],
] as const) {
  test(`a blob goes out whole or in part by ${name}, which come back`, async (t) => {
    const { url, over, pool } = await serve(t, undefined, createBufferPool(limit));
    const done = over();
    const whole = await fetch(url);
    assert.equal(whole.status, 200);
    assert.ok(Buffer.from(await whole.arrayBuffer()).equals(content));
    assert.equal(await done, 'sent');
    for (const [range, first, last] of [
      ['bytes=1-600000', 1, 600_000],
      ['bytes=-2', 3_000_015, 3_000_016],
      ['bytes=524288-', 524_288, 3_000_016],
    ] as const) {
      const part = await fetch(url, { headers: { Range: range } });
      assert.equal(part.status, 206);
      assert.equal(part.headers.get('content-range'), `bytes ${first}-${last}/${content.length}`);
      assert.ok(Buffer.from(await part.arrayBuffer()).equals(content.subarray(first, last + 1)), range);
    }
    assert.equal(pool.lent, 0);
  });

  test(`${name}: a client that goes away in the middle, and one that comes after it`, async (t) => {
    let gone: (() => void) | undefined;
    const { url, port, over, pool } = await serve(
      t,
      (read) => async (into, position) => {
        if (position > 0) gone?.();
        return read(into, position);
      },
      createBufferPool(limit),
    );
    const done = over();
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    gone = () => socket.destroy();
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    socket.pause();
    assert.match(String(await done), /went away|ECONNRESET|EPIPE|aborted|premature/i);
    assert.equal(pool.lent, 0);
    gone = undefined;
    assert.ok(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(content));
  });
}

test('a store that gives little at a time is read to the end', async (t) => {
  const { url } = await serve(t, (read) => (into, position) => read(into.subarray(0, 10_007), position));
  assert.ok(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(content));
});

test('a client that goes away ends the reading, and reader and buffers are free again', async (t) => {
  const { port, over, pool, reads } = await serve(t);
  const done = over();
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'readable');
  socket.destroy();
  assert.ok((await done) !== 'left open');
  assert.equal(pool.lent, 0);
  assert.ok(reads() <= 7);
});

test('clients that do not read hold up nobody', async (t) => {
  const bytes = 32 * 1024 * 1024;
  const { url, port, pool } = await serve(t, () => async (into) => into.fill(120).length, undefined, bytes);
  const stalled = Array.from({ length: 5 }, () => connect(port, '127.0.0.1'));
  for (const socket of stalled) {
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'readable');
  }
  assert.equal((await (await fetch(url)).arrayBuffer()).byteLength, bytes);
  assert.ok(pool.lent >= 5 * 512 * 1024, 'those five still have theirs');
  for (const socket of stalled) socket.destroy();
});

test('a blob that cannot be read in the middle ends the connection, and what was on its way with it', async (t) => {
  const { port, over, pool } = await serve(t, (read) => async (into, position) => {
    if (position > 0) throw new Error('disk');
    return read(into, position);
  });
  const done = over();
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.match(String(await done), /disk/);
  assert.equal(pool.lent, 0);
  socket.destroy();
});

test('a blob that cannot be read is an error before anything is sent', async (t) => {
  const { url, over, pool } = await serve(t, () => async () => {
    throw new Error('disk');
  });
  const done = over();
  await assert.rejects(fetch(url));
  assert.match(String(await done), /disk/);
  assert.equal(pool.lent, 0);
});

test('a blob that ends early never looks whole', async (t) => {
  const { url, over, pool } = await serve(
    t,
    (read) => (into, position) => (position > 2_000_000 ? Promise.resolve(0) : read(into, position)),
  );
  const done = over();
  const answer = await fetch(url);
  assert.equal(answer.status, 200);
  await assert.rejects(answer.arrayBuffer());
  assert.match(String(await done), /shorter than its record/);
  assert.equal(pool.lent, 0);
});
