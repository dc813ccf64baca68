import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { bodyChunks } from './body-chunks.ts';

/** What `read` makes of the body of one request, whose connection is given to `send`. */
async function receive<T>(
  test: TestContext,
  send: (write: (data: string | Uint8Array) => void, end: () => void) => void,
  read: (request: IncomingMessage) => Promise<T>,
): Promise<{ result: PromiseSettledResult<T>; answer: string }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.after(() => void server.close());
  const done = new Promise<PromiseSettledResult<T>>((resolve) => {
    server.on('request', (request: IncomingMessage, response) => {
      void Promise.allSettled([read(request)]).then(([result]) => {
        response.end('done');
        resolve(result);
      });
    });
  });
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let answer = '';
  socket.on('data', (data: Buffer) => (answer += data.toString('latin1')));
  socket.on('error', () => {});
  await once(socket, 'connect');
  send(
    (data) => void socket.write(data),
    () => socket.destroy(),
  );
  const result = await done;
  if (!socket.destroyed) {
    while (!answer.includes('done')) await once(socket, 'data');
    socket.destroy();
  }
  return { result, answer };
}

const head = (fields: string) => `PUT / HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n`;

async function hashOf(chunks: AsyncIterable<Uint8Array>, pause?: () => Promise<unknown>) {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    bytes += chunk.length;
    await pause?.();
  }
  return { bytes, hex: hash.digest('hex') };
}

describe('chunks of a body', () => {
  const body = randomBytes(3_000_000);
  const whole = { bytes: body.length, hex: createHash('sha256').update(body).digest('hex') };

  for (const [what, fields, data] of [
    ['with a length', `Content-Length: ${body.length}`, body],
    [
      'in transfer chunks',
      'Transfer-Encoding: chunked',
      Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]),
    ],
  ] as const) {
    for (const [how, pause] of [
      ['a quick reader', undefined],
      ['a slow reader', () => new Promise((resolve) => setImmediate(resolve))],
    ] as const) {
      it(`gives all of a body ${what} to ${how}`, async (test) => {
        const { result } = await receive(
          test,
          (write) => {
            write(head(fields));
            write(data);
          },
          (request) => hashOf(bodyChunks(request), pause),
        );
        assert.deepEqual(result, { status: 'fulfilled', value: whole });
      });
    }
  }

  it('gives nothing of an empty body', async (test) => {
    const { result } = await receive(
      test,
      (write) => write(head('Content-Length: 0')),
      (request) => hashOf(bodyChunks(request)),
    );
    assert.equal(result.status === 'fulfilled' && result.value.bytes, 0);
  });

  it('fails when the client goes away', async (test) => {
    let leave = (): void => {};
    const { result } = await receive(
      test,
      (write, end) => {
        leave = end;
        write(head('Content-Length: 4000000'));
        write(body);
      },
      async (request) => {
        let bytes = 0;
        for await (const chunk of bodyChunks(request)) {
          bytes += chunk.length;
          if (bytes === body.length) leave();
        }
      },
    );
    assert.equal(result.status, 'rejected');
  });

  it('lets a reader stop early, and the client read the answer', async (test) => {
    const { result, answer } = await receive(
      test,
      (write) => {
        write(head(`Content-Length: ${body.length}`));
        write(body);
      },
      async (request) => {
        for await (const chunk of bodyChunks(request)) return chunk.length > 0;
        return false;
      },
    );
    assert.deepEqual(result, { status: 'fulfilled', value: true });
    assert.match(answer, /^HTTP\/1\.1 200 /);
  });

  it('takes back the memory of a large chunk once the next is asked for', async (test) => {
    const { result } = await receive(
      test,
      (write) => {
        write(head(`Content-Length: ${body.length}`));
        write(body);
      },
      async (request) => {
        const large: Uint8Array[] = [];
        for await (const chunk of bodyChunks(request)) if (chunk.length >= 16 * 1024) large.push(chunk);
        return { large: large.length > 0, kept: large.filter((chunk) => chunk.length > 0).length };
      },
    );
    assert.deepEqual(result, { status: 'fulfilled', value: { large: true, kept: 0 } });
  });
});
