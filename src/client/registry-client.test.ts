import assert from 'node:assert/strict';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import { createManualClock } from '../core/clock.ts';
import { digestOf } from '../core/digest.ts';
import { MediaType } from '../core/media-type.ts';
import { parseReference, type Reference } from '../core/reference.ts';
import type { Credentials } from './credentials/keychain.ts';
import { FetchError, type Failure, type Outcome } from './outcome.ts';
import type { ClientSettings } from './registry-caller.ts';
import { createRegistryClient } from './registry-client.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const closing: (() => void)[] = [];
after(() => closing.forEach((close) => close()));

/** A server that does what the test says, and remembers what it was asked. */
async function serve(
  handler: Handler,
  address = '127.0.0.1',
): Promise<{ host: string; seen: { method: string; url: string; authorization: string | undefined }[] }> {
  const seen: { method: string; url: string; authorization: string | undefined }[] = [];
  const server = http.createServer((request, response) => {
    seen.push({ method: request.method ?? '', url: request.url ?? '', authorization: request.headers.authorization });
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host: `${address}:${(server.address() as AddressInfo).port}`, seen };
}

function client(settings: ClientSettings = {}, credentials?: Credentials) {
  const clock = createManualClock(Date.UTC(2026, 0, 1));
  const waits: number[] = [];
  const made = createRegistryClient(
    {
      keychain: { find: async () => credentials },
      clock,
      wait: async (milliseconds) => {
        waits.push(milliseconds);
        clock.advance(milliseconds);
      },
    },
    settings,
  );
  closing.push(() => made.close());
  return { ...made, clock, waits };
}

const MANIFEST = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [] }));
const DIGEST = digestOf(MANIFEST);
const OTHER = digestOf('other');
const LOGIN: Credentials = { kind: 'password', username: 'ann', password: 'secret' };

function manifest(
  response: ServerResponse,
  headers: Record<string, string> = { 'docker-content-digest': DIGEST },
  body: Buffer = MANIFEST,
): void {
  response.writeHead(200, { 'content-type': MediaType.ociIndex, 'content-length': String(body.length), ...headers });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

const ping = (request: IncomingMessage, response: ServerResponse): boolean => {
  if (request.url !== '/v2/') return false;
  response.end('{}');
  return true;
};

const named = (host: string, rest = 'team/app:1'): Reference => parseReference(`${host}/${rest}`);

function value<T>(outcome: Outcome<T>): T {
  assert.ok(outcome.ok, outcome.ok ? '' : outcome.failure.reason);
  return outcome.value;
}

function failure(outcome: Outcome<unknown>): Failure {
  assert.ok(!outcome.ok, 'expected a failure');
  return outcome.failure;
}

describe('resolving', () => {
  test('asks with HEAD, index types first, and nothing more when the digest is told', async () => {
    let accept = '';
    const server = await serve((request, response) => {
      if (ping(request, response)) return;
      accept = request.headers.accept ?? '';
      manifest(response);
    });
    assert.deepEqual(value(await client().resolve(named(server.host))), { digest: DIGEST, mediaType: MediaType.ociIndex });
    assert.deepEqual(
      server.seen.map(({ method, url }) => `${method} ${url}`),
      ['GET /v2/', 'HEAD /v2/team/app/manifests/1'],
    );
    assert.ok(accept.startsWith(MediaType.ociIndex) && accept.includes(MediaType.dockerManifestList));
  });

  test('hashes the body where the digest is not told, or HEAD is not known', async () => {
    const silent = await serve((request, response) => void (ping(request, response) || manifest(response, {})));
    assert.equal(value(await client().resolve(named(silent.host))).digest, DIGEST);
    const noHead = await serve((request, response) => {
      if (ping(request, response)) return;
      if (request.method === 'HEAD') response.writeHead(405).end();
      else manifest(response, {});
    });
    assert.equal(value(await client().resolve(named(noHead.host))).digest, DIGEST);
  });

  test('refuses a digest that the bytes do not have', async () => {
    const liar = await serve((request, response) => {
      if (ping(request, response)) return;
      manifest(response, request.method === 'HEAD' ? {} : { 'docker-content-digest': OTHER });
    });
    assert.equal(failure(await client().resolve(named(liar.host))).kind, 'corrupt');
    assert.equal(failure(await client().getManifest(named(liar.host))).kind, 'corrupt');
    const byDigest = await serve(
      (request, response) => void (ping(request, response) || manifest(response, { 'docker-content-digest': OTHER })),
    );
    assert.equal(failure(await client().resolve(named(byDigest.host, `team/app@${DIGEST}`))).kind, 'corrupt');
    const nonsense = await serve(
      (request, response) => void (ping(request, response) || manifest(response, { 'docker-content-digest': 'sha256:../../x' })),
    );
    assert.equal(failure(await client().resolve(named(nonsense.host))).kind, 'corrupt');
  });

  test('tells not found, denied and unreachable apart', async () => {
    const server = await serve((request, response) => {
      if (ping(request, response)) return;
      response.writeHead(request.url!.includes('/gone/') ? 404 : 403).end();
    });
    assert.equal(failure(await client().resolve(named(server.host, 'gone/app:1'))).kind, 'not-found');
    assert.equal(failure(await client().resolve(named(server.host, 'hidden/app:1'))).kind, 'denied');
    const dead = await serve(() => {});
    closing.pop()!();
    assert.equal(failure(await client().resolve(named(dead.host))).kind, 'unreachable');
    const stuck = await serve(() => {});
    assert.match(failure(await client({ headerTimeout: 50 }).resolve(named(stuck.host))).reason, /no answer within/);
  });

  test('a body larger than any manifest, or in an unasked coding, is refused', async () => {
    const large = await serve(
      (request, response) => void (ping(request, response) || manifest(response, {}, Buffer.alloc(4 * 1024 * 1024 + 1, 32))),
    );
    assert.match(failure(await client().resolve(named(large.host))).reason, /larger than/);
    const coded = await serve(
      (request, response) => void (ping(request, response) || manifest(response, { 'content-encoding': 'gzip' })),
    );
    assert.equal(failure(await client().getManifest(named(coded.host))).kind, 'corrupt');
  });
});

describe('patience', () => {
  test('after 429 the whole host rests for as long as it asked', async () => {
    let refusals = 2;
    const server = await serve((request, response) => {
      if (ping(request, response)) return;
      if (refusals-- > 0) response.writeHead(429, { 'retry-after': '7' }).end();
      else manifest(response);
    });
    const asking = client({ concurrency: 1 });
    assert.equal(value(await asking.resolve(named(server.host))).digest, DIGEST);
    assert.deepEqual(asking.waits, [7000, 7000]);
  });

  test('a rest that is too long is an outcome, at once and for everybody', async () => {
    const server = await serve(
      (request, response) => void (ping(request, response) || response.writeHead(429, { 'retry-after': '3600' }).end()),
    );
    const asking = client();
    const first = failure(await asking.resolve(named(server.host)));
    assert.deepEqual([first.kind, first.retryAfterSeconds], ['rate-limited', 3600]);
    assert.equal(failure(await asking.resolve(named(server.host, 'team/other:1'))).kind, 'rate-limited');
    assert.equal(server.seen.length, 2);
    assert.deepEqual(asking.waits, []);
  });

  test('429 without end gives up', async () => {
    const server = await serve(
      (request, response) => void (ping(request, response) || response.writeHead(429, { 'retry-after': '0' }).end()),
    );
    assert.equal(failure(await client({ rateLimitAttempts: 3 }).resolve(named(server.host))).kind, 'rate-limited');
    assert.equal(server.seen.length, 4);
  });

  test('5xx and cut connections are tried again, and end as unreachable', async () => {
    let calls = 0;
    const shaky = await serve((request, response) => {
      if (ping(request, response)) return;
      calls++;
      if (calls === 1) response.writeHead(503).end();
      else if (calls === 2) response.destroy();
      else manifest(response);
    });
    assert.equal(value(await client().resolve(named(shaky.host))).digest, DIGEST);
    const broken = await serve((request, response) => void (ping(request, response) || response.writeHead(500).end()));
    assert.match(failure(await client().resolve(named(broken.host))).reason, /HTTP 500/);
    assert.equal(broken.seen.length, 4);
  });

  test('no more requests at once than allowed', async () => {
    let now = 0;
    let most = 0;
    const server = await serve((request, response) => {
      if (ping(request, response)) return;
      most = Math.max(most, ++now);
      setImmediate(() => {
        now--;
        manifest(response);
      });
    });
    const asking = client({ concurrency: 4 });
    await Promise.all(Array.from({ length: 40 }, (_, index) => asking.resolve(named(server.host, `team/app${index}:1`))));
    assert.ok(most <= 4 && most > 1, `${most} at once`);
  });
});

describe('credentials', () => {
  const bearer = (realm: string) => `Bearer realm="${realm}",service="reg",scope="repository:x:pull"`;

  test('one token for a repository, kept until it expires', async () => {
    let tokens = 0;
    const server = await serve((request, response) => {
      const url = new URL(request.url!, 'http://x');
      if (url.pathname === '/token') {
        assert.equal(url.searchParams.get('scope'), 'repository:team/app:pull');
        assert.equal(url.searchParams.get('service'), 'reg');
        assert.equal(request.headers.authorization, `Basic ${Buffer.from('ann:secret').toString('base64')}`);
        response.end(JSON.stringify({ token: `t${++tokens}`, expires_in: 300 }));
      } else if (request.headers.authorization?.startsWith('Bearer t') !== true) {
        response.writeHead(401, { 'www-authenticate': bearer(`http://${request.headers.host}/token`) }).end();
      } else {
        manifest(response);
      }
    });
    const asking = client({}, LOGIN);
    await Promise.all([asking.resolve(named(server.host)), asking.resolve(named(server.host, 'team/app:2'))]);
    value(await asking.resolve(named(server.host, 'team/app:3')));
    assert.equal(tokens, 1);
    asking.clock.advance(300_000);
    value(await asking.resolve(named(server.host, 'team/app:4')));
    assert.equal(tokens, 2);
  });

  test('a stale login does not hide a public image', async () => {
    const server = await serve((request, response) => {
      if (request.url!.startsWith('/token')) {
        if (request.headers.authorization) response.writeHead(401).end();
        else response.end('{"access_token":"anonymous"}');
      } else if (request.headers.authorization === 'Bearer anonymous') manifest(response);
      else response.writeHead(401, { 'www-authenticate': bearer(`http://${request.headers.host}/token`) }).end();
    });
    value(await client({}, LOGIN).resolve(named(server.host)));
  });

  test('a token server elsewhere never sees the login, unless it is listed', async () => {
    const realm = await serve((_, response) => void response.end('{"token":"anonymous"}'));
    const server = await serve((request, response) => {
      if (request.headers.authorization === 'Bearer anonymous') manifest(response);
      else response.writeHead(401, { 'www-authenticate': bearer(`http://${realm.host}/token`) }).end();
    });
    value(await client({}, LOGIN).resolve(named(server.host)));
    assert.equal(realm.seen[0]!.authorization, undefined);
    value(await client({ realmHosts: new Map([[server.host, realm.host]]) }, LOGIN).resolve(named(server.host)));
    assert.match(realm.seen[1]!.authorization ?? '', /^Basic /);
  });

  test('Basic is answered with the login, and without one it is denied', async () => {
    const server = await serve((request, response) => {
      if (request.headers.authorization === `Basic ${Buffer.from('ann:secret').toString('base64')}`) manifest(response);
      else response.writeHead(401, { 'www-authenticate': 'Basic realm="https://x.example/"' }).end();
    });
    value(await client({}, LOGIN).resolve(named(server.host)));
    assert.match(failure(await client().resolve(named(server.host))).reason, /docker login/);
    assert.equal(failure(await client({}, { ...LOGIN, password: 'wrong' }).resolve(named(server.host))).kind, 'denied');
  });

  test('an identity token is exchanged by POST', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/token') {
        let form = '';
        request.on('data', (chunk) => (form += String(chunk)));
        request.on('end', () => {
          const fields = new URLSearchParams(form);
          assert.equal(fields.get('grant_type'), 'refresh_token');
          response.end(JSON.stringify({ access_token: fields.get('refresh_token') }));
        });
      } else if (request.headers.authorization === 'Bearer refresh-me') manifest(response);
      else response.writeHead(401, { 'www-authenticate': bearer(`http://${request.headers.host}/token`) }).end();
    });
    value(await client({}, { kind: 'identity', token: 'refresh-me' }).resolve(named(server.host)));
  });

  test('do not follow a redirect to another host', async () => {
    const blob = Buffer.from('layer');
    const store = await serve((_, response) => void response.end(blob));
    const server = await serve((request, response) => {
      if (!request.headers.authorization) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else response.writeHead(307, { location: `http://${store.host}/blob` }).end();
    });
    const chunks = value(await client({}, LOGIN).openBlob(named(server.host), digestOf(blob)));
    assert.equal((await collect(chunks)).toString(), 'layer');
    assert.equal(store.seen[0]!.authorization, undefined);
  });

  test('nor does anybody follow one to a private network, to plain http or for ever', async () => {
    for (const [location, reason] of [
      ['http://169.254.169.254/latest/meta-data/', /not encrypted/],
      ['https://169.254.169.254/latest/meta-data/', /private network/],
      ['https://[fd00::1]/x', /private network/],
      ['http://example.com/x', /not encrypted/],
      ['file:///etc/passwd', /file:/],
      ['/v2/team/app/manifests/1', /more than 3 times/],
    ] as const) {
      const server = await serve(
        (request, response) => void (ping(request, response) || response.writeHead(302, { location }).end()),
      );
      const failed = failure(await client().resolve(named(server.host)));
      assert.equal(failed.kind, 'unreachable');
      assert.match(failed.reason, reason);
    }
  });
});

describe('blobs and tags', () => {
  const blob = Buffer.alloc(300_000, 'x');

  test('a whole blob is checked as it comes', async () => {
    const server = await serve((request, response) => void (ping(request, response) || response.end(blob)));
    assert.deepEqual(
      await collect(value(await client().openBlob(named(server.host), digestOf(blob), { size: blob.length }))),
      blob,
    );
    await assert.rejects(
      collect(value(await client().openBlob(named(server.host), OTHER))),
      (error) => error instanceof FetchError && error.failure.kind === 'corrupt',
    );
    await assert.rejects(
      collect(value(await client().openBlob(named(server.host), digestOf(blob), { size: 10 }))),
      /more than the 10 bytes/,
    );
  });

  test('a blob that breaks off raises', async () => {
    const server = await serve((request, response) => {
      if (ping(request, response)) return;
      response.writeHead(200, { 'content-length': String(blob.length) });
      response.write(blob.subarray(0, 1000), () => response.destroy());
    });
    await assert.rejects(collect(value(await client().openBlob(named(server.host), digestOf(blob)))), FetchError);
  });

  test('a range is what was asked for, or an error', async () => {
    const server = await serve((request, response) => {
      if (ping(request, response)) return;
      const [, first, last] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '')!.map(Number);
      response.writeHead(206, { 'content-range': `bytes ${first}-${last}/${blob.length}` }).end(blob.subarray(first!, last! + 1));
    });
    assert.equal(
      (await collect(value(await client().openBlob(named(server.host), digestOf(blob), { range: { first: 5, last: 9 } }))))
        .length,
      5,
    );
    const deaf = await serve((request, response) => void (ping(request, response) || response.end(blob)));
    assert.equal(
      failure(await client().openBlob(named(deaf.host), digestOf(blob), { range: { first: 5, last: 9 } })).kind,
      'corrupt',
    );
  });

  test('tags come page by page, never from another host, and must end', async () => {
    const server = await serve((request, response) => {
      if (ping(request, response)) return;
      const last = new URL(request.url!, 'http://x').searchParams.get('last');
      if (last === null) response.setHeader('link', '<https://elsewhere.example/v2/team/app/tags/list?n=2&last=b>; rel="next"');
      response.end(JSON.stringify({ tags: last === null ? ['a', 'b'] : ['c'] }));
    });
    assert.deepEqual(value(await client().listTags(named(server.host))), ['a', 'b', 'c']);
    const endless = await serve((request, response) => {
      if (ping(request, response)) return;
      response.setHeader('link', '</v2/team/app/tags/list?last=a>; rel="next"');
      response.end('{"tags":["a"]}');
    });
    assert.match(failure(await client().listTags(named(endless.host))).reason, /does not end/);
    const empty = await serve((request, response) => void (ping(request, response) || response.end('{"tags":null}')));
    assert.deepEqual(value(await client().listTags(named(empty.host))), []);
  });
});

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
