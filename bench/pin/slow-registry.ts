import { createHash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A registry that answers everything after a delay, wants a token for each repository, and has every tag; a process of its
 * own. Sends its port to its parent, and the count of requests when it is asked for it.
 */
const delay = Number(process.argv[2] ?? 30);
let requests = 0;
const server = http.createServer((request, response) => {
  requests++;
  setTimeout(() => {
    const url = request.url ?? '';
    if (url.startsWith('/token')) {
      response.setHeader('content-type', 'application/json');
      response.end('{"token":"t","expires_in":300}');
    } else if (request.headers.authorization === undefined) {
      response
        .writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token",service="bench"` })
        .end();
    } else {
      const digest = `sha256:${createHash('sha256').update(url).digest('hex')}`;
      response
        .writeHead(200, { 'docker-content-digest': digest, 'content-type': 'application/vnd.oci.image.index.v1+json' })
        .end();
    }
  }, delay);
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('message', () => {
  process.send?.({ requests });
  requests = 0;
});
process.on('disconnect', () => process.exit());
