import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createManualClock } from '../core/clock.ts';
import { digestOf, type Digest } from '../core/digest.ts';
import { MediaType } from '../core/media-type.ts';
import { parseReference, type Reference } from '../core/reference.ts';
import type { Credentials } from './credentials/keychain.ts';
import { FetchError } from './outcome.ts';
import { ContentError, pushImage, PushRefused, type BlobContent, type PushContent, type PushReport } from './push.ts';
import { createRegistryCaller } from './registry-caller.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

interface StubRegistry {
  host: string;
  /** `METHOD /path`, in order. */
  seen: string[];
  blobs: Map<string, number>;
  manifests: Map<string, string>;
}

/** A small registry that keeps digests and sizes only. `first` may answer instead of it, by giving true. */
async function serve(t: TestContext, first: (...args: Parameters<Handler>) => boolean = () => false): Promise<StubRegistry> {
  const registry: StubRegistry = { host: '', seen: [], blobs: new Map(), manifests: new Map() };
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://x');
    registry.seen.push(`${request.method} ${url.pathname}`);
    if (first(request, response)) return;
    const digest = url.searchParams.get('digest') ?? url.pathname.split('/').at(-1) ?? '';
    if (url.pathname === '/v2/') response.end('{}');
    else if (request.method === 'HEAD') response.writeHead(registry.blobs.has(digest) ? 200 : 404).end();
    else if (request.method === 'POST') response.writeHead(202, { location: '/v2/team/app/blobs/uploads/1?state=a%3D%3D' }).end();
    else {
      const hash = createHash('sha256');
      let bytes = 0;
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        hash.update(chunk);
      });
      request.on('end', () => {
        const computed = `sha256:${hash.digest('hex')}`;
        if (url.pathname.includes('/manifests/')) registry.manifests.set(digest, computed);
        else registry.blobs.set(digest, bytes);
        response.writeHead(url.pathname.includes('/manifests/') || computed === digest ? 201 : 400).end();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  registry.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return registry;
}

function push(
  t: TestContext,
  registry: { host: string },
  content: PushContent,
  options: { reference?: Partial<Reference>; login?: Credentials; onBytes?: (count: number) => void } = {},
): Promise<PushReport> {
  const clock = createManualClock(0);
  const caller = createRegistryCaller(
    { keychain: { find: async () => options.login }, clock, wait: async (time) => clock.advance(time) },
    { headerTimeout: 5_000 },
  );
  t.after(() => caller.close());
  return pushImage(caller, { ...parseReference(`${registry.host}/team/app:v1`), ...options.reference }, content, {
    onBytes: options.onBytes ?? (() => {}),
  });
}

function blob(text: string, given: Partial<BlobContent> = {}): BlobContent {
  const bytes = Buffer.from(text);
  return { digest: digestOf(bytes), bytes: bytes.length, open: () => once(bytes), ...given };
}

async function* once(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

function content(...blobs: BlobContent[]): PushContent {
  const bytes = Buffer.from('{"manifest":true}');
  return { root: { digest: digestOf(bytes), mediaType: MediaType.ociManifest, bytes }, children: [], blobs };
}

test('sends what is missing, then the manifests, the root last and under the tag', async (t) => {
  const registry = await serve(t);
  registry.blobs.set(digestOf('there'), 5);
  const child = Buffer.from('{"child":true}');
  const image = {
    ...content(blob('there'), blob('new'), blob('')),
    children: [{ digest: digestOf(child), mediaType: MediaType.ociManifest, bytes: child }],
  };
  let counted = 0;
  const report = await push(t, registry, image, { onBytes: (count) => (counted += count) });
  assert.deepEqual(report, { digest: image.root.digest, blobsPushed: 2, blobsPresent: 1, bytesPushed: 3 });
  assert.equal(counted, 8);
  assert.deepEqual([registry.blobs.get(digestOf('new')), registry.blobs.get(digestOf(''))], [3, 0]);
  assert.deepEqual(
    registry.seen.filter((line) => line.includes('/manifests/')),
    [`PUT /v2/team/app/manifests/${digestOf(child)}`, 'PUT /v2/team/app/manifests/v1'],
  );
});

test('a reference with a digest alone takes no tag, and must be what the source is', async (t) => {
  const registry = await serve(t);
  const image = content(blob('x'));
  const { tag: _, ...untagged } = parseReference(`${registry.host}/team/app:v1`);
  await push(t, registry, image, { reference: { ...untagged, tag: undefined as never, digest: image.root.digest } });
  assert.ok(registry.manifests.has(image.root.digest));
  await assert.rejects(push(t, registry, image, { reference: { digest: digestOf('else') } }), ContentError);
});

for (const [what, wrong] of [
  ['other bytes', blob('right', { digest: digestOf('wrong') })],
  ['fewer bytes', blob('right', { bytes: 6 })],
  ['more bytes', blob('right', { bytes: 4 })],
  ['no bytes', blob('right', { open: () => once() })],
] as const) {
  test(`content with ${what} than its digest says never becomes a blob or a manifest`, async (t) => {
    const registry = await serve(t);
    await assert.rejects(push(t, registry, content(wrong)), ContentError);
    assert.deepEqual([registry.blobs.size, registry.manifests.size], [0, 0]);
  });
}

test('what reading the source raises comes through', async (t) => {
  const registry = await serve(t);
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('ri');
    throw Object.assign(new Error('the disk is gone'), { code: 'EIO' });
  }
  await assert.rejects(push(t, registry, content(blob('right', { open: broken }))), { code: 'EIO' });
});

test('a connection that breaks in the middle begins anew, and is counted once', async (t) => {
  let cuts = 2;
  const registry = await serve(t, (request) => {
    if (request.method !== 'PUT' || !request.url?.includes('/uploads/') || cuts === 0) return false;
    cuts--;
    request.once('data', () => request.socket.destroy());
    return true;
  });
  let counted = 0;
  const report = await push(t, registry, content(blob('x'.repeat(300_000))), { onBytes: (count) => (counted += count) });
  assert.deepEqual([report.blobsPushed, counted], [1, 300_000]);
  assert.equal(registry.seen.filter((line) => line.startsWith('POST')).length, 3);

  cuts = 3;
  await assert.rejects(push(t, registry, content(blob('y'))), FetchError);
});

test('a refusal comes in the words of the registry, wherever it is given', async (t) => {
  const refuse = (status: number, code: string) => (_request: IncomingMessage, response: ServerResponse) =>
    void response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(JSON.stringify({ errors: [{ code, message: `said ${code}` }] }));
  for (const [match, status, code] of [
    ['POST', 404, 'NAME_UNKNOWN'],
    ['PUT /v2/team/app/blobs', 413, 'SIZE_INVALID'],
    ['PUT /v2/team/app/manifests', 400, 'TAG_INVALID'],
  ] as const) {
    const registry = await serve(t, (request, response) => {
      if (!`${request.method} ${request.url}`.startsWith(match)) return false;
      refuse(status, code)(request, response);
      return true;
    });
    // Large enough that it is still being sent when the answer comes.
    await assert.rejects(push(t, registry, content(blob('z'.repeat(8_000_000)))), (error) => {
      assert.ok(error instanceof PushRefused, String(error));
      assert.deepEqual([error.status, error.code, error.message], [status, code, `said ${code}`]);
      return true;
    });
  }
});

test('our login goes to the registry and to no other place that it names for the bytes', async (t) => {
  const given: Record<string, string | undefined> = {};
  const elsewhere = await serve(t, (request) => {
    given[`elsewhere ${request.method}`] = request.headers.authorization;
    return false;
  });
  const registry = await serve(t, (request, response) => {
    given[`registry ${request.method}`] = request.headers.authorization;
    if (request.url === '/v2/') response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    else if (request.method === 'POST') response.writeHead(202, { location: `http://${elsewhere.host}/upload?token=1` }).end();
    else return false;
    return true;
  });
  await push(t, registry, content(blob('x')), { login: { kind: 'password', username: 'ann', password: 'secret' } });
  assert.ok(given['registry POST']?.startsWith('Basic '));
  assert.ok('elsewhere PUT' in given);
  assert.equal(given['elsewhere PUT'], undefined);
});

test('a redirect of content is not followed', async (t) => {
  const registry = await serve(t, (request, response) => {
    if (request.method !== 'PUT') return false;
    request.resume();
    request.on('end', () => response.writeHead(307, { location: '/elsewhere' }).end());
    return true;
  });
  await assert.rejects(push(t, registry, content(blob('x'))), /redirects a request that carries/);
});

test('a registry that calls the image otherwise is told so', async (t) => {
  const registry = await serve(t, (request, response) => {
    if (!request.url?.includes('/manifests/')) return false;
    request.resume();
    response.writeHead(201, { 'docker-content-digest': digestOf('else') }).end();
    return true;
  });
  await assert.rejects(push(t, registry, content(blob('x'))), /and calls it sha256/);
});

test('half a gigabyte goes through in constant memory', async (t) => {
  const registry = await serve(t);
  const piece = Buffer.alloc(1024 * 1024, 7);
  const pieces = 512;
  async function* large(): AsyncGenerator<Uint8Array> {
    for (let count = 0; count < pieces; count++) yield piece;
  }
  const hash = createHash('sha256');
  for await (const chunk of large()) hash.update(chunk);
  const digest = `sha256:${hash.digest('hex')}` as Digest;
  const before = process.memoryUsage().rss;
  await push(t, registry, content({ digest, bytes: piece.length * pieces, open: large }));
  assert.equal(registry.blobs.get(digest), piece.length * pieces);
  assert.ok(process.memoryUsage().rss - before < 128 * 1024 * 1024);
});
