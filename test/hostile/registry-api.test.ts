import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blobOf, descriptor, digestOf, indexManifest, TYPES } from '../conformance/content.ts';
import { startTarget, type Target } from './hostile-server.ts';

const hex = 'a'.repeat(64);
const good = `sha256:${hex}`;

/** Digests that are none. */
const digests = [
  `sha256:${hex.toUpperCase()}`,
  `sha256:${hex.slice(1)}`,
  `sha256:${hex}a`,
  'sha256:',
  'sha256:../../../../etc/passwd',
  `sha256:${'../'.repeat(21)}a`,
  `sha512:${hex}`,
  `md5:${'a'.repeat(32)}`,
  `sha384:${'a'.repeat(96)}`,
  `SHA256:${hex}`,
  `sha256:${hex}:${hex}`,
  `sha256:${'\u0430'.repeat(64)}`,
  `sha256:${hex.slice(2)}%00`,
  `sha256+b64:${hex}`,
  `:${hex}`,
  `sha256:${'a'.repeat(20_000)}`,
];

/** Names of repositories that are none. */
const names = [
  '..',
  '../../etc',
  'app/../app',
  'app/./app',
  './app',
  '%2e%2e/%2e%2e/etc',
  'app%2f..%2f..',
  'app//app',
  'app/',
  'App',
  'app_',
  'app.',
  '.app',
  '-app',
  'app..app',
  'app___app',
  '\u0430pp',
  'ap\u00adp',
  '\uff41pp',
  'app%00',
  'app\\..\\x',
  'a',
  'a'.repeat(257),
  `${'a/'.repeat(200)}a`,
  'app:tag',
  'app@sha256',
];

const tags = [
  '.good',
  '-good',
  '..',
  '%2e%2e',
  'go%2fod',
  'good%00',
  'g\u043eod',
  'a'.repeat(129),
  'good tag',
  'good$',
  '%ff%fe',
  'good;rm',
];

const encode = (text: string) => text.replaceAll(/[^\x21-\x7e]/g, (character) => encodeURIComponent(character));

test('digests, names and tags that are none get an answer, and nothing else', async (t) => {
  const target = await startTarget(t);
  const { expectRefusal } = target;
  for (const digest of digests.map(encode)) {
    for (const method of ['GET', 'HEAD', 'DELETE']) {
      await expectRefusal({ method, url: `/v2/app/blobs/${digest}` });
      await expectRefusal({ method, url: `/v2/app/manifests/${digest}` });
    }
    await expectRefusal({
      method: 'PUT',
      url: `/v2/app/manifests/${digest}`,
      headers: { 'Content-Type': TYPES.manifest },
      body: target.image.manifest.bytes,
    });
    await expectRefusal({ method: 'GET', url: `/v2/app/referrers/${digest}` });
    await expectRefusal({ method: 'POST', url: `/v2/app/blobs/uploads/?digest=${digest}`, body: Buffer.from('x') });
    await expectRefusal({ method: 'POST', url: `/v2/app/blobs/uploads/?mount=${digest}&from=other/app` });
    const { headers } = await target.http.send({ method: 'POST', url: '/v2/app/blobs/uploads/' });
    await expectRefusal({ method: 'PUT', url: `${headers.location}?digest=${digest}`, body: Buffer.from('x') });
    assert.equal((await target.http.send({ method: 'DELETE', url: String(headers.location) })).status, 204);
  }
  for (const name of names.map(encode)) {
    await expectRefusal({ method: 'GET', url: `/v2/${name}/manifests/good` });
    await expectRefusal({ method: 'GET', url: `/v2/${name}/blobs/${good}` });
    await expectRefusal({ method: 'GET', url: `/v2/${name}/tags/list` });
    await expectRefusal({ method: 'GET', url: `/v2/${name}/referrers/${good}` });
    await expectRefusal({ method: 'POST', url: `/v2/${name}/blobs/uploads/` });
    await expectRefusal({ method: 'PATCH', url: `/v2/${name}/blobs/uploads/x`, body: Buffer.from('x') });
    await expectRefusal({
      method: 'PUT',
      url: `/v2/${name}/manifests/good`,
      headers: { 'Content-Type': TYPES.manifest },
      body: target.image.manifest.bytes,
    });
  }
  for (const tag of tags.map(encode)) {
    for (const method of ['GET', 'HEAD', 'DELETE']) await expectRefusal({ method, url: `/v2/app/manifests/${tag}` });
    await expectRefusal({
      method: 'PUT',
      url: `/v2/app/manifests/${tag}`,
      headers: { 'Content-Type': TYPES.manifest },
      body: target.image.manifest.bytes,
    });
  }
  await target.expectUnharmed();
});

test('paths that climb out of anything find nothing', async (t) => {
  const target = await startTarget(t);
  const climbs = [
    '..',
    '../..',
    '../../../../../../etc/passwd',
    '%2e%2e',
    '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
    '..%5c..',
    '....//',
    '.%2e/',
    '%252e%252e%252f',
    '\\..\\..',
    '..;/',
    '%00',
    '%c0%ae%c0%ae/',
    'server.json',
    'holdfast.db',
  ];
  const places = [
    '/v2/{}',
    '/v2/{}/app/manifests/good',
    '/v2/app/{}/good',
    '/v2/app/manifests/{}',
    '/v2/app/blobs/{}',
    '/v2/app/blobs/uploads/{}',
    '/v2/app/tags/{}',
    '/v2/app/referrers/{}',
    '/{}',
    '/holdfast/download/{}',
    '/holdfast/v1/{}',
    '/healthz/{}',
    '/console/{}',
  ];
  for (const climb of climbs) {
    for (const place of places) {
      for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
        const { status, body } = await target.http.send({ method, url: place.replace('{}', climb) });
        assert.ok(status >= 400 && status < 500, `${method} ${place} with ${climb}: ${status}`);
        assert.doesNotMatch(body.toString(), /root:|SQLite|secretAccessKey/);
      }
    }
  }
  await target.expectUnharmed();
});

test('manifests that mean two things, or too much', async (t) => {
  const target = await startTarget(t);
  const { config, layer, manifest } = target.image;
  const plain = JSON.parse(manifest.bytes.toString()) as Record<string, unknown>;
  const layerOf = (more: Record<string, unknown>) => ({ ...plain, layers: [{ ...descriptor(layer, TYPES.layer), ...more }] });
  const text = (document: unknown) => Buffer.from(JSON.stringify(document));
  const cases: Record<string, [Buffer, string?]> = {
    'both layers and manifests': [text({ ...plain, manifests: [] })],
    'an index by its header': [text(plain), TYPES.index],
    'an image in an index of the same name': [text({ ...plain, mediaType: TYPES.index }), TYPES.manifest],
    'two keys of one name': [
      Buffer.from(manifest.bytes.toString().replace('"schemaVersion":2', '"schemaVersion":2,"schemaVersion":2')),
    ],
    'schema version 1': [
      text({ schemaVersion: 1, name: 'app', tag: 'x', fsLayers: [] }),
      'application/vnd.docker.distribution.manifest.v1+prettyjws',
    ],
    'no schema version': [text({ ...plain, schemaVersion: undefined })],
    'a size that is none': [text(layerOf({ size: -1 }))],
    'a size too exact to be true': [
      Buffer.from(JSON.stringify(layerOf({ size: 7 })).replace('"size":7', '"size":9007199254740993')),
    ],
    'an endless size': [Buffer.from(JSON.stringify(layerOf({ size: 7 })).replace('"size":7', '"size":1e400'))],
    'a size in words': [text(layerOf({ size: '7' }))],
    'a digest that climbs': [text(layerOf({ digest: 'sha256:../../x' }))],
    'a layer that is not here': [text(layerOf({ digest: good }))],
    'a child that is not here': [
      text({ schemaVersion: 2, mediaType: TYPES.index, manifests: [{ mediaType: TYPES.manifest, digest: good, size: 2 }] }),
      TYPES.index,
    ],
    'a hundred thousand children': [
      text({
        schemaVersion: 2,
        mediaType: TYPES.index,
        manifests: Array.from({ length: 25_000 }, (_, index) => ({
          mediaType: TYPES.manifest,
          digest: digestOf(Buffer.from(`${index}`)),
          size: 2,
        })),
      }),
      TYPES.index,
    ],
    'layers as an object': [text({ ...plain, layers: { length: 1 } })],
    'no config': [text({ ...plain, config: undefined })],
    'a list': [Buffer.from('[]')],
    'nothing': [Buffer.alloc(0)],
    'no JSON': [Buffer.from('{"schemaVersion":2,')],
    'not UTF-8': [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    'a hundred thousand levels': [Buffer.from(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)],
    'a hundred thousand levels of objects': [Buffer.from('{"a":'.repeat(100_000))],
    'annotations that are no text': [text({ ...plain, annotations: { a: { b: 1 } } })],
    'one byte more than 4 MiB': [Buffer.concat([manifest.bytes, Buffer.alloc(4 * 1024 * 1024 + 1 - manifest.bytes.length, ' ')])],
    '32 MiB': [Buffer.alloc(32 * 1024 * 1024, ' ')],
    'a type nobody knows': [text(plain), 'text/html'],
    'a type that never ends': [text(plain), `application/${'x'.repeat(5000)}`],
  };
  for (const [what, [body, type = TYPES.manifest]] of Object.entries(cases)) {
    const call = { method: 'PUT', url: '/v2/app/manifests/bad', headers: { 'Content-Type': type }, body };
    await target.expectRefusal(call).catch((error: unknown) => assert.fail(`${what}: ${String(error)}`));
  }
  assert.equal((await target.http.send({ method: 'GET', url: '/v2/app/manifests/bad' })).status, 404);

  // An index cannot name itself, for its digest would have to be known before it is written; one that tries names nothing.
  const itself = indexManifest([{ ...manifest, digest: good }]);
  await target.expectRefusal({
    method: 'PUT',
    url: '/v2/app/manifests/bad',
    headers: { 'Content-Type': TYPES.index },
    body: itself.bytes,
  });
  // What looks dangerous and is only text is kept as it came.
  const harmless = text({
    ...plain,
    annotations: { __proto__x: '1', constructor: '../../etc', 'org.opencontainers.image.title': '/etc/passwd' },
  });
  const { status } = await target.http.send({
    method: 'PUT',
    url: '/v2/app/manifests/harmless',
    headers: { 'Content-Type': TYPES.manifest },
    body: harmless,
  });
  assert.equal(status, 201);
  assert.ok((await target.http.send({ method: 'GET', url: '/v2/app/manifests/harmless' })).body.equals(harmless));
  assert.ok(config.bytes.length > 0);
  await target.expectUnharmed();
});

test('pages of any number, after anything', async (t) => {
  const target = await startTarget(t);
  const numbers = ['0', '-1', '2147483648', '9007199254740993', 'NaN', '1e9', '', '0x10', '１', '1&n=2', '%00'];
  const places = ['/v2/_catalog', '/v2/app/tags/list', `/v2/app/referrers/${target.image.manifest.digest}`];
  for (const place of places) {
    for (const number of numbers) await expectSane(target, `${place}?n=${encode(number)}`);
    for (const last of ["'; drop table tag; --", '%', '../..', '\u0000', 'x'.repeat(10_000), '{"a":1}', 'AAAA', '%ff'])
      await expectSane(target, `${place}?last=${encodeURIComponent(last)}`);
    for (const query of [
      'artifactType=',
      `artifactType=${encodeURIComponent("' or 1=1 --")}`,
      'artifactType=a&artifactType=b',
      '%',
      '=',
      '&&&&',
      '%zz=%zz',
      'n=%zz',
      `${'a=b&'.repeat(3000)}`,
    ])
      await expectSane(target, `${place}?${query}`);
  }
  await target.expectUnharmed();
});

async function expectSane(target: Target, url: string): Promise<void> {
  const { status, body } = await target.http.send({ method: 'GET', url });
  assert.ok(status === 200 || (status >= 400 && status < 500), `${url.slice(0, 200)}: ${status}`);
  assert.ok(body.length < 100_000, url);
}

test('chunks that overlap, leave gaps, run backwards or lie about their length change nothing', async (t) => {
  const target = await startTarget(t);
  const { http } = target;
  const blob = blobOf(Buffer.from('0123456789'.repeat(100)));
  const { headers } = await http.send({ method: 'POST', url: '/v2/app/blobs/uploads/' });
  const url = String(headers.location);
  const patch = (range: string | undefined, body: Buffer, more: Record<string, string> = {}) =>
    http.send({ method: 'PATCH', url, headers: { ...(range === undefined ? {} : { 'Content-Range': range }), ...more }, body });
  assert.equal((await patch('0-499', blob.bytes.subarray(0, 500))).status, 202);
  const bad = [
    '0-499',
    '499-998',
    '501-1000',
    '500-499',
    '500-',
    '-500',
    '500-99999999999999999999',
    'bytes 500-999/1000',
    'a-b',
    '500-600',
    '0x1f4-999',
    '500-999, 0-1',
    '5e2-999',
  ];
  for (const range of bad) {
    const { status } = await patch(range, blob.bytes.subarray(500));
    assert.ok(status >= 400 && status < 500, `${range}: ${status}`);
    const { headers: now } = await http.send({ method: 'GET', url });
    assert.equal(now.range, '0-499', range);
  }
  for (const [what, body] of [
    ['too long', Buffer.concat([blob.bytes.subarray(500), Buffer.from('!')])],
    ['too short', blob.bytes.subarray(501)],
  ] as const) {
    const { status } = await patch('500-999', body);
    assert.ok(status >= 400 && status < 500, `${what}: ${status}`);
  }
  const { pathname } = new URL(url, target.server.url);
  const head = `PATCH ${pathname} HTTP/1.1\r\nHost: x\r\nAuthorization: ${target.authorization}\r\nConnection: close\r\n`;
  for (const length of ['-1', '1e3', '0x10', '5, 6', '99999999999999999999', ' ', '5\r\nContent-Length: 6']) {
    assert.match(await target.raw(`${head}Content-Length: ${length}\r\n\r\nhello`), /^HTTP\/1\.1 4\d\d |^$/, length);
  }
  await http.breakOff({
    method: 'PATCH',
    url: new URL(url, target.server.url).href,
    headers: { 'Content-Range': '500-999' },
    body: blob.bytes.subarray(500),
  });
  let resumed = await patch('500-999', blob.bytes.subarray(500));
  // Until the server has seen that the connection is gone, the upload is busy.
  while (resumed.status === 409) resumed = await patch('500-999', blob.bytes.subarray(500));
  assert.equal(resumed.status, 202);
  assert.equal((await http.send({ method: 'PUT', url: `${url}?digest=${blob.digest}` })).status, 201);
  assert.ok((await http.send({ method: 'GET', url: `/v2/app/blobs/${blob.digest}` })).body.equals(blob.bytes));
  await target.expectUnharmed();
});
