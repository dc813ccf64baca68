import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request as send, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { randomBytes, randomUUID } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { Fault } from '../../core/fault.ts';
import type { Logger } from '../../core/logger.ts';
import { acceptBody, readBody } from './body.ts';
import type { HttpHandler } from './context.ts';
import { guard } from './guard.ts';
import { closeHttpServer, createHttpServer, type AccessEntry, type HttpServerOptions } from './server.ts';
import { sendJson, sendText } from './send.ts';
import { splitTarget } from './target.ts';

const clock = { now: () => 1_700_000_000_000, monotonic: () => 0 };
const ids = { uuid: () => randomUUID(), bytes: (count: number) => randomBytes(count) };

function recordingLog(): { log: Logger; lines: { level: string; message: string; facts?: Record<string, unknown> }[] } {
  const lines: { level: string; message: string; facts?: Record<string, unknown> }[] = [];
  const write = (level: string) => (message: string, facts?: Record<string, unknown>) =>
    void lines.push({ level, message, ...(facts ? { facts } : {}) });
  return { log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }, lines };
}

async function start(
  t: TestContext,
  oci: HttpHandler,
  options: Partial<HttpServerOptions> = {},
): Promise<{ server: Server; port: number; lines: ReturnType<typeof recordingLog>['lines'] }> {
  const { log, lines } = recordingLog();
  const server = createHttpServer({
    handlers: { oci, aws: async (_request, response) => sendText(response, 200, 'aws') },
    clock,
    ids,
    log,
    ...options,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => closeHttpServer(server, 0));
  return { server, port: (server.address() as AddressInfo).port, lines };
}

/** Sends raw text and gives all that comes back until the connection ends. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  // Sending goes on after the refusal, so the write may fail; the answer is what counts.
  socket.on('error', () => {});
  socket.write(text);
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks).toString();
}

const echo: HttpHandler = async (request, response) => sendJson(response, 200, { bytes: (await readBody(request, 100)).length });

test('requests go to the wire of their path', async (t) => {
  const { port } = await start(t, async (_request, response) => sendText(response, 200, 'oci'));
  const get = async (method: string, path: string): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return `${answer.status} ${(await answer.text()).slice(0, 3)}`;
  };
  assert.equal(await get('GET', '/v2/'), '200 oci');
  assert.equal(await get('GET', '/v2'), '200 oci');
  assert.equal(await get('GET', '/v2?x'), '200 oci');
  assert.equal(await get('GET', '/v2x'), '404 Not');
  assert.equal(await get('POST', '/'), '200 aws');
  assert.equal(await get('GET', '/'), '404 Not');
  assert.equal(await get('GET', '/console'), '404 Not');
});

test('targets split without decoding, whole URLs too', () => {
  assert.deepEqual(splitTarget('/v2/a%2fb?n=1&m=?'), { path: '/v2/a%2fb', query: 'n=1&m=?' });
  assert.deepEqual(splitTarget('http://host:80/v2/x'), { path: '/v2/x', query: '' });
  assert.deepEqual(splitTarget('http://host'), { path: '/', query: '' });
  assert.deepEqual(splitTarget('*'), { path: '/', query: '' });
});

test('a body beyond the limit is refused, declared or not', async (t) => {
  const { port } = await start(
    t,
    guard(echo, {
      fault: (fault, _request, response) => sendText(response, 413, fault.kind),
      internal: (_request, response) => sendText(response, 500, ''),
    }),
  );
  const post = (body: string | ReadableStream): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/v2/`, { method: 'POST', body, duplex: 'half' } as RequestInit);
  assert.deepEqual(await (await post('x'.repeat(100))).json(), { bytes: 100 });
  const declared = await post('x'.repeat(101));
  assert.equal(`${declared.status} ${await declared.text()}`, '413 request-too-large');
  const chunked = await post(new Blob(['x'.repeat(5_000)]).stream());
  assert.equal(`${chunked.status} ${await chunked.text()}`, '413 request-too-large');
});

test('a bug is answered 500 under the id that the log names, with its causes once', async (t) => {
  const { port, lines } = await start(t, async () => {
    throw new Error('outer', { cause: new Error('inner') });
  });
  const answer = await fetch(`http://127.0.0.1:${port}/v2/`);
  assert.equal(answer.status, 500);
  assert.doesNotMatch(await answer.text(), /outer|inner/);
  const errors = lines.filter((line) => line.level === 'error');
  assert.equal(errors.length, 1);
  assert.equal(errors[0]?.facts?.requestId, answer.headers.get('x-request-id'));
  assert.match(JSON.stringify(errors[0]?.facts), /outer.*inner/);
});

test('a fault that no wire answers is still an answer, and no unhandled rejection', async (t) => {
  const { port } = await start(t, async () => {
    throw new Fault('storage-full', {});
  });
  assert.equal((await fetch(`http://127.0.0.1:${port}/v2/`)).status, 500);
});

test('smuggled, oversized and malformed requests get one answer and the connection ends', async (t) => {
  const { port } = await start(t, echo);
  const head = 'POST /v2/ HTTP/1.1\r\nHost: x\r\n';
  const cases: [name: string, text: string, status: number][] = [
    ['length and chunked', `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    ['two lengths', `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`, 400],
    ['negative length', `${head}Content-Length: -5\r\n\r\nhello`, 400],
    ['huge length', `${head}Content-Length: 99999999999999999999999\r\n\r\nhello`, 400],
    ['a header of 1 MB', `${head}X: ${'a'.repeat(1_000_000)}\r\n\r\n`, 431],
    ['10,000 headers', `${head}${'a:b\r\n'.repeat(10_000)}\r\n`, 431],
    ['300 headers', `${head}${'a:b\r\n'.repeat(300)}Connection: close\r\n\r\n`, 431],
    ['no host', 'GET /v2/ HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['a line break in the path', 'GET /v2/\r\nX HTTP/1.1\r\n\r\n', 400],
    ['not HTTP', '\x16\x03\x01\x02\x00\r\n\r\n', 400],
    ['bad chunk size', `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n`, 0],
  ];
  for (const [name, text, status] of cases) {
    const answer = await raw(port, text);
    if (status !== 0) assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), name);
    assert.equal(answer.split('HTTP/1.1 ').length - 1 <= 1, true, `${name}: one answer at most`);
  }
});

test('a body shorter than declared reaches nobody as a whole one', async (t) => {
  let outcome: unknown;
  const { port } = await start(t, async (request, response) => {
    outcome = await readBody(request, 1000).catch((error: unknown) => error);
    sendText(response, 200, '');
  });
  const socket = connect(port, '127.0.0.1');
  socket.end('PUT /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nshort');
  socket.resume();
  await once(socket, 'close');
  assert.ok(outcome instanceof Error);
});

test('a client that waits for 100-continue is refused before it sends, or told to go on', async (t) => {
  const { port } = await start(t, async (request, response) => {
    if (request.headers.authorization === undefined) return sendText(response, 401, 'no');
    acceptBody(request);
    sendText(response, 200, (await readBody(request, 100)).toString());
  });
  const post = async (headers: Record<string, string>): Promise<{ told: boolean; status: number; body: string }> => {
    const outgoing = send({
      port,
      host: '127.0.0.1',
      path: '/v2/',
      method: 'POST',
      headers: { ...headers, Expect: '100-continue', 'Content-Length': 5 },
    });
    let told = false;
    outgoing.on('continue', () => {
      told = true;
      outgoing.end('hello');
    });
    outgoing.flushHeaders();
    const [incoming] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    outgoing.destroy();
    return { told, status: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString() };
  };
  assert.deepEqual(await post({}), { told: false, status: 401, body: 'no' });
  assert.deepEqual(await post({ authorization: 'x' }), { told: true, status: 200, body: 'hello' });
});

test('a body that trickles is cut, one at a decent rate is not', async (t) => {
  const { port, lines } = await start(t, echo, { limits: { sweepInterval: 20, bodyBytesPerSweep: 10 } });
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write('POST /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\na');
  await once(socket, 'close');
  assert.deepEqual(
    lines.filter((line) => line.level === 'warn').map((line) => line.facts?.reason),
    ['sent its body too slowly'],
  );
});

test('headers that never end are cut', async (t) => {
  const { port } = await start(t, echo, { limits: { headersTimeout: 50 } });
  assert.match(await raw(port, 'GET /v2/ HTTP/1.1\r\nHost: x\r\nX-'), /^HTTP\/1.1 408 /);
});

test('closing lets the request under way finish and refuses the next', async (t) => {
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  let entered: () => void = () => {};
  const inside = new Promise<void>((resolve) => (entered = resolve));
  const seen: AccessEntry[] = [];
  const { log } = recordingLog();
  const server = createHttpServer({
    handlers: {
      oci: async (_request, response) => {
        entered();
        await held;
        sendText(response, 200, 'whole');
      },
      aws: echo,
    },
    clock,
    ids,
    log,
    observe: (entry) => seen.push(entry),
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const answer = fetch(`http://127.0.0.1:${port}/v2/`);
  await inside;
  const closed = closeHttpServer(server, 10_000);
  await assert.rejects(fetch(`http://127.0.0.1:${port}/v2/`));
  release();
  assert.equal(await (await answer).text(), 'whole');
  await closed;
  assert.deepEqual(
    seen.map((entry) => [entry.method, entry.path, entry.status]),
    [['GET', '/v2/', 200]],
  );
});

test('an answer before the end of a long body is read, and the connection goes on', async (t) => {
  const { port } = await start(t, async (request, response) => {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      assert.ok(chunk);
      break;
    }
    sendText(response, 507, 'full');
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const sockets = new Set<unknown>();
  for (let round = 0; round < 3; round++) {
    const outgoing = send({ agent, port, host: '127.0.0.1', path: '/v2/', method: 'POST' });
    outgoing.end(Buffer.alloc(20_000_000));
    const [incoming] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage];
    assert.equal(incoming.statusCode, 507);
    sockets.add(outgoing.socket);
    incoming.resume();
    await once(incoming, 'close');
    if (!outgoing.writableFinished) await once(outgoing, 'finish');
  }
  assert.equal(sockets.size, 1);
});

test('a client that never ends a refused body is cut off', async (t) => {
  const { port, lines } = await start(t, async (_request, response) => sendText(response, 403, 'no'), {
    limits: { sweepInterval: 20, drain: 60, bodyBytesPerSweep: 0 },
  });
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.resume();
  socket.write('POST /v2/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
  const feeding = setInterval(() => socket.write('5\r\nhello\r\n'), 1);
  await new Promise((resolve) => socket.once('close', resolve));
  clearInterval(feeding);
  assert.deepEqual(
    lines.filter((line) => line.level === 'warn').map((line) => line.facts?.reason),
    ['went on sending after the answer'],
  );
});

test('a reader that stops is cut off, and its answer with it', async (t) => {
  let ended: (error: unknown) => void = () => {};
  const outcome = new Promise((resolve) => (ended = resolve));
  const { port, lines } = await start(
    t,
    async (_request, response) => {
      response.once('close', () => ended(response.writableFinished));
      response.writeHead(200, { 'Content-Length': 100_000_000 });
      response.end(Buffer.alloc(100_000_000));
    },
    { limits: { sweepInterval: 20, stalledReader: 60 } },
  );
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.pause();
  socket.write('GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.equal(await outcome, false);
  socket.destroy();
  assert.deepEqual(
    lines.filter((line) => line.level === 'warn').map((line) => line.facts?.reason),
    ['stopped reading the answer'],
  );
});
