import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findSocket, socketPaths } from './find-socket.ts';

test('DOCKER_HOST alone decides when it is set, and only sockets count', () => {
  assert.deepEqual(socketPaths('unix:///tmp/x.sock'), ['/tmp/x.sock']);
  assert.deepEqual(socketPaths('tcp://10.0.0.1:2375'), []);
  assert.deepEqual(socketPaths(''), socketPaths(undefined));
});

test('finds the socket on which an engine answers', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-socket-'));
  t.after(() => rm(folder, { recursive: true }));
  const [absent = '', other = '', engine = ''] = ['absent', 'other', 'engine'].map((name) => join(folder, name));
  for (const path of [other, engine]) {
    const server = createServer((request, response) => {
      response.statusCode = path === engine && request.url === '/_ping' ? 200 : 404;
      response.end();
    }).listen(path);
    await once(server, 'listening');
    t.after(() => server.close());
  }
  assert.equal(await findSocket([absent, other, engine]), engine);
  assert.equal(await findSocket([absent, other]), undefined);
});
