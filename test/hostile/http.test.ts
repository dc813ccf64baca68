import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTarget } from './hostile-server.ts';

test('requests that two servers would read in two ways are refused, and their connection ends', async (t) => {
  const target = await startTarget(t);
  const login = `Host: x\r\nAuthorization: ${target.authorization}\r\n`;
  const { headers } = await target.http.send({ method: 'POST', url: '/v2/app/blobs/uploads/' });
  const upload = String(headers.location);
  // Behind each of them hides a second request; nobody may ever answer it.
  const hidden = `DELETE /v2/app/manifests/good HTTP/1.1\r\n${login}\r\n`;
  const smuggled: Record<string, string> = {
    'a length and chunks': `POST / HTTP/1.1\r\n${login}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
    'chunks and a length': `PATCH ${upload} HTTP/1.1\r\n${login}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${hidden}`,
    'two lengths': `PATCH ${upload} HTTP/1.1\r\n${login}Content-Length: 5\r\nContent-Length: ${5 + hidden.length}\r\n\r\nhello${hidden}`,
    'chunks that are not': `PATCH ${upload} HTTP/1.1\r\n${login}Transfer-Encoding: xchunked\r\n\r\n${hidden}`,
    'chunks by another name': `PATCH ${upload} HTTP/1.1\r\n${login}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${hidden}`,
    'a space before the colon': `PATCH ${upload} HTTP/1.1\r\n${login}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${hidden}`,
    'a folded header': `PATCH ${upload} HTTP/1.1\r\n${login}X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
    'a bare line feed': `PATCH ${upload} HTTP/1.1\n${login}Transfer-Encoding: chunked\n\n0\n\n${hidden}`,
    'a bare carriage return': `PATCH ${upload} HTTP/1.1\r\n${login}X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
    'a chunk size that overflows': `PATCH ${upload} HTTP/1.1\r\n${login}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\nx\r\n0\r\n\r\n${hidden}`,
    'a chunk size with an extension and a line feed': `PATCH ${upload} HTTP/1.1\r\n${login}Transfer-Encoding: chunked\r\n\r\n1;a\nx\r\n0\r\n\r\n${hidden}`,
    'a chunk longer than it says': `PATCH ${upload} HTTP/1.1\r\n${login}Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n${hidden}`,
    'a null byte in a header': `GET /v2/ HTTP/1.1\r\n${login}X: a\0b\r\n\r\n${hidden}`,
  };
  for (const [what, bytes] of Object.entries(smuggled)) {
    const answers = (await target.raw(bytes)).match(/^HTTP\/1\.1 \d+/gm) ?? [];
    assert.ok(
      answers.every((answer) => answer.startsWith('HTTP/1.1 4')),
      `${what}: ${answers.join()}`,
    );
    assert.equal((await target.http.send({ method: 'HEAD', url: '/v2/app/manifests/good' })).status, 200, what);
  }
  await target.expectUnharmed();
});

test('what is no HTTP, or too much of it', async (t) => {
  const target = await startTarget(t);
  const line = (index: number) => `X-Header-${index}: ${'v'.repeat(20)}\r\n`;
  const bombs: Record<string, string | Buffer> = {
    'a header of 1 MB': `GET /v2/ HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(1_000_000)}\r\n\r\n`,
    '10,000 headers': `GET /v2/ HTTP/1.1\r\nHost: x\r\n${Array.from({ length: 10_000 }, (_, index) => line(index)).join('')}\r\n`,
    '1,000 short headers': `GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${'a: b\r\n'.repeat(1000)}\r\n`,
    'a path of 1 MB': `GET /v2/${'a'.repeat(1_000_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    'a method that is none': `BREW /v2/ HTTP/1.1\r\nHost: x\r\n\r\n`,
    'a version that is none': `GET /v2/ HTTP/9.9\r\nHost: x\r\n\r\n`,
    'HTTP/2 as if it had been agreed on': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'a TLS hello': Buffer.from('16030100c8010000c40303', 'hex'),
    'no host': 'GET /v2/ HTTP/1.1\r\nConnection: close\r\n\r\n',
    'two hosts': 'GET /v2/ HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n',
    'noise': Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * 7919) % 256)),
    'a line that never ends': Buffer.alloc(100_000, 'G'),
    'a path with control characters': 'GET /v2/\x01\x02 HTTP/1.1\r\nHost: x\r\n\r\n',
    'a proxy request': 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n',
    'an upgrade':
      'GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n',
    'a trace': 'TRACE /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  };
  for (const [what, bytes] of Object.entries(bombs)) {
    const answer = await target.raw(bytes);
    assert.ok(answer === '' || /^HTTP\/1\.1 [45]\d\d /.test(answer), `${what}: ${answer.slice(0, 200)}`);
    assert.doesNotMatch(answer, /^HTTP\/1\.1 5(?!05)/, what);
  }
  await target.expectUnharmed();
});

test('hundreds of connections that break off anywhere', async (t) => {
  const target = await startTarget(t);
  const { headers } = await target.http.send({ method: 'POST', url: '/v2/app/blobs/uploads/' });
  const url = new URL(String(headers.location), target.server.url).href;
  const request = { method: 'PATCH', url, body: Buffer.alloc(200_000, 'x') };
  for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 20 }, () => target.http.breakOff(request)));
  assert.equal((await target.http.send({ method: 'GET', url })).headers.range, '0-0');
  await target.expectUnharmed();
});
