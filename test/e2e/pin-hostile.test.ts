import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { createTree, type Tree } from './pin-world.ts';

/** `holdfast pin` as a process, against registries that lie, stall, lead away and refuse. */
let tree: Tree;
let servers: http.Server[] = [];
beforeEach(async () => {
  tree = await createTree();
});
afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  servers = [];
  await tree.remove();
});

async function serve(handler: http.RequestListener): Promise<string> {
  const server = http.createServer(handler);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const DIGEST = `sha256:${'a'.repeat(64)}`;
const INDEX = 'application/vnd.oci.image.index.v1+json';
const text = (image: string): string => `services:\n  web:\n    image: ${image}\n`;
const say = (response: http.ServerResponse, headers: Record<string, string> = {}, body = '{}'): void => {
  response.writeHead(200, { 'content-type': INDEX, ...headers });
  response.end(response.req.method === 'HEAD' ? undefined : body);
};

test('a digest that the bytes do not have is written nowhere', async () => {
  // Tells it on GET only, where the bytes are at hand.
  const host = await serve((request, response) =>
    say(response, request.method === 'HEAD' ? {} : { 'docker-content-digest': DIGEST }),
  );
  await tree.write({ 'compose.yaml': text(`${host}/a/b:1`) });
  const ran = await tree.run(['pin', '--write']);
  assert.equal(ran.code, 1);
  assert.match(ran.stderr, /^corrupt: /m);
  assert.equal(await tree.read('compose.yaml'), text(`${host}/a/b:1`));
});

test('a lie on HEAD is found out by --verify, by --lock and by check', async () => {
  const host = await serve((_, response) => say(response, { 'docker-content-digest': DIGEST }));
  await tree.write({ 'compose.yaml': text(`${host}/a/b:1`) });
  for (const option of ['--verify', '--lock']) {
    const ran = await tree.run(['pin', '--write', option]);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /^corrupt: .* was told and cannot be had/m);
    assert.equal(await tree.read('compose.yaml'), text(`${host}/a/b:1`));
  }
  await tree.write({ 'compose.yaml': text(`${host}/a/b:1@${DIGEST}`) });
  assert.equal((await tree.run(['pin', 'check'])).code, 1);
});

test('a login follows neither a redirect nor a token server elsewhere', async () => {
  const authorizations: (string | undefined)[] = [];
  const elsewhere = await serve((request, response) => {
    authorizations.push(request.headers.authorization);
    if (request.url?.startsWith('/token') === true) response.end('{"token":"anonymous"}');
    else say(response, { 'docker-content-digest': DIGEST });
  });
  const redirecting = await serve((request, response) => {
    if (request.headers.authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
    else if (request.url === '/v2/') response.end('{}');
    else response.writeHead(307, { location: `http://${elsewhere}${request.url}` }).end();
  });
  const pointing = await serve((request, response) => {
    if (request.headers.authorization === 'Bearer anonymous') say(response, { 'docker-content-digest': DIGEST });
    else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${elsewhere}/token",service="s"` }).end();
  });
  const auth = Buffer.from('ann:secret').toString('base64');
  await tree.write({
    '.docker/config.json': JSON.stringify({ auths: { [redirecting]: { auth }, [pointing]: { auth } } }),
    'compose.yaml': `${text(`${redirecting}/a/b:1`)}  other:\n    image: ${pointing}/a/b:1\n`,
  });
  const ran = await tree.run(['pin', '--write']);
  assert.equal(ran.code, 0, ran.stderr);
  assert.ok(authorizations.length >= 2);
  assert.deepEqual([...new Set(authorizations)], [undefined]);
});

test('a redirect into a private network is refused, and the reason says so', async () => {
  const host = await serve((request, response) => {
    if (request.url === '/v2/') response.end('{}');
    else response.writeHead(302, { location: 'https://169.254.169.254/latest/meta-data' }).end();
  });
  await tree.write({ 'compose.yaml': text(`${host}/a/b:1`) });
  const ran = await tree.run(['pin', '--json']);
  const [failure] = JSON.parse(ran.stdout).failures;
  assert.equal(failure.kind, 'unreachable');
  assert.match(failure.reason, /private network/);
});

test('429 is waited out when that is short, and an outcome of its own when it is long', async () => {
  let refusals = 1;
  const patient = await serve((request, response) => {
    if (request.url !== '/v2/' && refusals-- > 0) response.writeHead(429, { 'retry-after': '0' }).end();
    else say(response, { 'docker-content-digest': DIGEST });
  });
  const strict = await serve((request, response) => {
    if (request.url === '/v2/') response.end('{}');
    else response.writeHead(429, { 'retry-after': '3600' }).end();
  });
  await tree.write({ 'compose.yaml': `${text(`${patient}/a/b:1`)}  other:\n    image: ${strict}/a/b:1\n` });
  const ran = await tree.run(['pin', '--write', '--json']);
  assert.equal(ran.code, 1);
  const { failures, files } = JSON.parse(ran.stdout);
  assert.deepEqual(
    failures.map(({ kind, retryAfterSeconds }: { kind: string; retryAfterSeconds: number }) => [kind, retryAfterSeconds]),
    [['rate-limited', 3600]],
  );
  assert.equal(files[0].changes[0].after, `${patient}/a/b:1@${DIGEST}`);
});

test('a broken registry is asked a few times for its thousand references, and each is listed', async () => {
  let requests = 0;
  const host = await serve((_, response) => {
    requests++;
    response.writeHead(500).end();
  });
  await tree.write({ Dockerfile: Array.from({ length: 1000 }, (_, index) => `FROM ${host}/a/b:${index}\n`).join('') });
  const ran = await tree.run(['pin', '--json']);
  assert.equal(ran.code, 1);
  assert.equal(JSON.parse(ran.stdout).failures.length, 1000);
  assert.ok(requests < 200, `${requests} requests`);
});
