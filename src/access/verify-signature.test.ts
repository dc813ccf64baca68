import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault, type FaultFacts, type FaultKind } from '../core/fault.ts';
import {
  canonicalRequest,
  createSigningKeyCache,
  formatAuthorization,
  parseAuthorization,
  sha256Hex,
  signatureOf,
  signingKey,
  signRequest,
  stringToSign,
  type HeaderList,
} from '../core/sigv4.ts';
import { verifySignature, type SignatureRules, type SignedRequest } from './verify-signature.ts';

const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);
const MINUTE = 60_000;
const KEY = { accessKeyId: 'AKIAABCDEFGHIJKLMNOP', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const BODY = Buffer.from('{"repositoryName":"team/app"}');
const HEADERS: HeaderList = [
  ['Host', '127.0.0.1:4600'],
  ['Content-Type', 'application/x-amz-json-1.1'],
  ['X-Amz-Target', 'AmazonEC2ContainerRegistry_V20150921.DescribeImages'],
];

interface Changes {
  method?: string;
  target?: string;
  headers?: HeaderList;
  body?: Buffer;
  signedAt?: number;
  region?: string;
  service?: string;
  accessKeyId?: string;
  secretAccessKey?: string;
}

function sign(changes: Changes = {}): SignedRequest {
  const { method = 'POST', target = '/', headers = HEADERS, body = BODY } = changes;
  const signed = signRequest({
    method,
    target,
    headers,
    body,
    now: changes.signedAt ?? NOW,
    region: 'us-east-1',
    service: 'ecr',
    ...KEY,
    ...changes,
  });
  return { method, target, headers: signed, body };
}

function verify(request: SignedRequest, changes: Partial<SignatureRules> = {}) {
  const findKey = (accessKeyId: string) =>
    Promise.resolve(accessKeyId === KEY.accessKeyId ? { secret: KEY.secretAccessKey } : undefined);
  const rules = {
    now: NOW,
    findKey,
    services: new Set(['ecr']),
    regions: ['us-east-1', 'eu-west-1'],
    cache: createSigningKeyCache(),
    ...changes,
  };
  return verifySignature(request, rules);
}

async function refuses<K extends FaultKind>(
  request: SignedRequest,
  kind: K,
  changes: Partial<SignatureRules> = {},
): Promise<FaultFacts[K]> {
  let facts: FaultFacts[K] | undefined;
  await assert.rejects(verify(request, changes), (error) => {
    if (!isFault(error, kind)) throw error;
    facts = error.facts as FaultFacts[K];
    return true;
  });
  assert.ok(facts);
  return facts;
}

function withHeader(request: SignedRequest, name: string, change: (value: string) => string): SignedRequest {
  assert.ok(
    request.headers.some(([written]) => written.toLowerCase() === name),
    `no header ${name}`,
  );
  return {
    ...request,
    headers: request.headers.map(
      ([written, value]) => [written, written.toLowerCase() === name ? change(value) : value] as const,
    ),
  };
}

function without(request: SignedRequest, name: string): SignedRequest {
  return { ...request, headers: request.headers.filter(([written]) => written.toLowerCase() !== name) };
}

function plus(request: SignedRequest, ...headers: [string, string][]): SignedRequest {
  return { ...request, headers: [...request.headers, ...headers] };
}

function flipBit(text: string, at: number): string {
  return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1);
}

test('a good signature says who signed what, where and when', async () => {
  assert.deepEqual(await verify(sign()), { accessKeyId: KEY.accessKeyId, region: 'us-east-1', service: 'ecr', signedAt: NOW });
  assert.deepEqual(await verify(sign({ region: 'eu-west-1', signedAt: NOW - MINUTE })), {
    accessKeyId: KEY.accessKeyId,
    region: 'eu-west-1',
    service: 'ecr',
    signedAt: NOW - MINUTE,
  });
  await verify(sign({ method: 'GET', target: '/a%2Fb//c?x=1&x=0&y', body: Buffer.alloc(0) }));
});

// Pitfall: a verifier that looks at the shape only.
test('one flipped bit of the secret', async () => {
  for (const at of [0, 20, 39]) await refuses(sign({ secretAccessKey: flipBit(KEY.secretAccessKey, at) }), 'signature-invalid');
});

test('one flipped bit of the signature, at every digit', async () => {
  const request = sign();
  const authorization = parseAuthorization(request.headers.find(([name]) => name === 'authorization')?.[1] ?? '');
  for (let at = 0; at < 64; at++) {
    const digit = (Number.parseInt(authorization.signature[at] ?? '', 16) ^ 1).toString(16);
    const signature = authorization.signature.slice(0, at) + digit + authorization.signature.slice(at + 1);
    await refuses(
      withHeader(request, 'authorization', () => formatAuthorization({ ...authorization, signature })),
      'signature-invalid',
    );
  }
});

test('one flipped bit of the body, at every byte, or one byte more or less', async () => {
  const request = sign();
  for (let at = 0; at < BODY.length; at++) {
    const body = Buffer.from(BODY);
    body[at] = (body[at] ?? 0) ^ 1;
    await refuses({ ...request, body }, 'signature-invalid');
  }
  await refuses({ ...request, body: BODY.subarray(1) }, 'signature-invalid');
  await refuses({ ...request, body: Buffer.concat([BODY, Buffer.from(' ')]) }, 'signature-invalid');
});

test('one flipped bit of each signed header', async () => {
  const request = sign({ headers: [...HEADERS, ['X-Amz-User-Agent', 'sdk'], ['Amz-Sdk-Request', 'attempt=1']] });
  for (const name of ['host', 'content-type', 'x-amz-target', 'x-amz-user-agent', 'amz-sdk-request']) {
    await refuses(
      withHeader(request, name, (value) => flipBit(value, value.length - 1)),
      'signature-invalid',
    );
  }
  await refuses(
    withHeader(request, 'x-amz-date', (value) => value.replace('00Z', '01Z')),
    'signature-invalid',
  );
});

test('another method, path or query', async () => {
  const request = sign();
  await refuses({ ...request, method: 'PUT' }, 'signature-invalid');
  await refuses({ ...request, target: '/a' }, 'signature-invalid');
  await refuses({ ...request, target: '/?a' }, 'signature-invalid');
});

test('another scope than the one signed for', async () => {
  const request = sign();
  const rewrite = (from: string, to: string) => withHeader(request, 'authorization', (value) => value.replace(from, to));
  await refuses(rewrite('us-east-1', 'eu-west-1'), 'signature-invalid');
  await refuses(rewrite('/ecr/', '/ecs/'), 'signature-invalid', { services: new Set(['ecr', 'ecs']) });
});

// Pitfall: the body is not bound, because the client's word for its hash is taken.
test('x-amz-content-sha256 is compared, never trusted', async () => {
  const declare = (value: string) => sign({ headers: [...HEADERS, ['X-Amz-Content-Sha256', value]] });
  await verify(declare(sha256Hex(BODY)));
  const other = Buffer.from('{"repositoryName":"other"}');
  await refuses({ ...declare(sha256Hex(other)), body: BODY }, 'signature-invalid');
  await refuses({ ...declare(sha256Hex(BODY)), body: other }, 'signature-invalid');
});

// Pitfall: unsigned payloads, trailers, and credentials in the query.
test('unsigned and streaming payloads are refused', async () => {
  for (const value of [
    'UNSIGNED-PAYLOAD',
    'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
    '',
  ]) {
    await refuses(sign({ headers: [...HEADERS, ['X-Amz-Content-Sha256', value]] }), 'signature-invalid');
  }
});

test('a signature in the query is refused, alone and beside a header', async () => {
  const query = '/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Signature=b';
  await refuses(sign({ target: query }), 'signature-incomplete');
  await refuses({ method: 'GET', target: query, headers: HEADERS, body: Buffer.alloc(0) }, 'signature-incomplete');
  for (const name of ['x-amz-signature', 'X-Amz-Security-Token', 'X%2DAmz%2DSignature']) {
    await refuses(sign({ target: `/?a=b&${name}=c` }), 'signature-incomplete');
  }
});

test('no signature, or another scheme', async () => {
  assert.deepEqual(await refuses({ ...sign(), headers: HEADERS }, 'unauthenticated'), { reason: 'Missing Authentication Token' });
  await refuses(
    withHeader(sign(), 'authorization', () => 'Basic QVdTOng='),
    'unauthenticated',
  );
  await refuses(
    withHeader(sign(), 'authorization', () => 'Bearer x'),
    'unauthenticated',
  );
});

test('two Authorization headers', async () => {
  const request = sign();
  const [name, value] = request.headers.find(([written]) => written === 'authorization') ?? ['', ''];
  await refuses(plus(request, [name, value]), 'signature-incomplete');
  await refuses(plus(request, ['AUTHORIZATION', 'Basic QVdTOng=']), 'signature-incomplete');
});

// Pitfall: what is not signed can be replayed against another host, or changed.
test('host, date, content-type and every x-amz- header must be signed', async () => {
  const unsign = (name: string) =>
    withHeader(sign(), 'authorization', (value) =>
      value.replace(new RegExp(`SignedHeaders=([^,]*?)${name};?`), 'SignedHeaders=$1').replace(';,', ','),
    );
  for (const name of ['host', 'content-type', 'x-amz-target', 'x-amz-date']) {
    const facts = await refuses(unsign(name), 'signature-incomplete');
    assert.match(facts.reason, new RegExp(`'${name}' must be a 'SignedHeader'`));
  }
  assert.match((await refuses(plus(sign(), ['X-Amz-Added', '1']), 'signature-incomplete')).reason, /'x-amz-added' must be/);
  assert.match(
    (
      await refuses(
        plus(without(sign({ headers: [['Host', 'a']] }), 'content-type'), ['Content-Type', 'text/plain']),
        'signature-incomplete',
      )
    ).reason,
    /content-type/,
  );
});

test('headers that proxies and sockets add need no signature', async () => {
  await verify(
    plus(
      sign(),
      ['User-Agent', 'x'],
      ['Content-Length', '29'],
      ['X-Amzn-Trace-Id', 'Root=1'],
      ['X-Forwarded-For', '10.0.0.1'],
      ['X-Forwarded-For', '10.0.0.2'],
    ),
  );
});

// Pitfall: one path encoding or two; `%2F`.
test('the path is taken from the raw target: two spellings of one path are two paths', async () => {
  for (const target of ['/a%2Fb', '/a%252Fb', '/a b', '/a%20b', '/\u00c3\u00a9', '/%C3%A9']) {
    const request = sign({ target });
    await verify(request);
    for (const other of ['/a/b', '/a%2fb', '/a+b']) await refuses({ ...request, target: other }, 'signature-invalid');
  }
});

// Pitfall: hosts with a port, IPv6 literals, and proxies that rewrite Host.
test('the host is taken as received', async () => {
  for (const host of [
    '[::1]:4600',
    'registry.example.com',
    'registry.example.com:443',
    '123456789012.dkr.ecr.us-east-1.localhost:4600',
  ]) {
    const request = sign({ headers: [['Host', host]] });
    await verify(request);
    await refuses(
      withHeader(request, 'host', (value) => `${value}0`),
      'signature-invalid',
    );
  }
});

test('a host that a proxy rewrote verifies only for the public names that are listed', async () => {
  const request = withHeader(sign({ headers: [['Host', 'registry.example.com']] }), 'host', () => '10.0.0.7:4600');
  await refuses(request, 'signature-invalid');
  await refuses(request, 'signature-invalid', { publicHosts: ['other.example.com'] });
  await verify(request, { publicHosts: ['other.example.com', 'registry.example.com'] });
});

// Pitfall: duplicates.
test('a signed header given twice is refused, whichever way it was signed', async () => {
  await refuses(sign({ headers: [...HEADERS, ['X-Amz-Extra', '1'], ['x-amz-extra', '2']] }), 'signature-incomplete');
  await refuses(sign({ headers: [...HEADERS, ['X-Other', '1'], ['X-Other', '2']] }), 'signature-incomplete');
  for (const name of ['Host', 'X-Amz-Date', 'X-Amz-Target', 'Content-Type']) {
    const request = sign();
    const value = request.headers.find(([written]) => written.toLowerCase() === name.toLowerCase())?.[1] ?? '';
    await refuses(plus(request, [name, value]), 'signature-incomplete');
  }
});

test('a signed header that is not there is refused', async () => {
  await refuses(without(sign({ headers: [...HEADERS, ['X-Other', '1']] }), 'x-other'), 'signature-incomplete');
  await refuses(without(sign({ headers: [...HEADERS, ['X-Other', '']] }), 'x-other'), 'signature-incomplete');
});

test('duplicate and empty query parameters keep their values', async () => {
  const request = sign({ target: '/?a=2&a=1&b=&c' });
  await verify(request);
  await verify({ ...request, target: '/?c=&b&a=1&a=2' });
  for (const target of ['/?a=1&b=&c', '/?a=2&a=2&b=&c', '/?A=2&a=1&b=&c', '/?a=2&a=1&b='])
    await refuses({ ...request, target }, 'signature-invalid');
});

// Pitfall: the clock.
test('five minutes on either side, to the millisecond, and fifteen at most', async () => {
  for (const offset of [-5 * MINUTE, 5 * MINUTE]) await verify(sign({ signedAt: NOW + offset }));
  for (const offset of [-5 * MINUTE - 1000, 5 * MINUTE + 1000]) {
    const facts = await refuses(sign({ signedAt: NOW + offset }), 'signature-skewed');
    assert.deepEqual(facts, { signedAt: NOW + offset, now: NOW, window: 5 * MINUTE });
    await verify(sign({ signedAt: NOW + offset }), { window: 15 * MINUTE });
  }
  await refuses(sign({ signedAt: NOW - 5 * MINUTE }), 'signature-skewed', { now: NOW + 1 });
  for (const window of [0, -1, 15 * MINUTE + 1, Number.NaN]) await assert.rejects(verify(sign(), { window }), RangeError);
});

test('around midnight the scope follows the date header, not the server', async () => {
  const midnight = Date.UTC(2026, 10, 22);
  await verify(sign({ signedAt: midnight - 1000 }), { now: midnight + MINUTE });
  await verify(sign({ signedAt: midnight + 1000 }), { now: midnight - MINUTE });
  const yesterday = withHeader(sign(), 'authorization', (value) => value.replace('20261121', '20261120'));
  const facts = await refuses(yesterday, 'signature-invalid');
  assert.match(facts.reason, /'20261120' != '20261121', from '20261121T120000Z'/);
});

test('a Date header stands in for x-amz-date when it is signed', async () => {
  const iso = sign();
  const asDate = (value: string): SignedRequest => {
    const headers: [string, string][] = [...HEADERS.map(([name, text]): [string, string] => [name, text]), ['Date', value]];
    const signed = sign({ headers });
    return without(signed, 'x-amz-date');
  };
  await verify(iso);
  await refuses(without(iso, 'x-amz-date'), 'signature-incomplete');
  await refuses(asDate('Sat, 21 Nov 2026 12:00:00 GMT'), 'signature-incomplete');
  await refuses(
    withHeader(iso, 'x-amz-date', () => 'yesterday'),
    'signature-invalid',
  );
});

test('a request signed with an HTTP date verifies', async () => {
  const scope = { date: '20261121', region: 'us-east-1', service: 'ecr' };
  const signedHeaders = ['content-type', 'date', 'host', 'x-amz-target'];
  const make = (date: string): SignedRequest => {
    const request = { method: 'POST', target: '/', headers: [...HEADERS, ['Date', date]] as [string, string][], body: BODY };
    const toSign = stringToSign('20261121T120000Z', scope, canonicalRequest(request, signedHeaders, sha256Hex(BODY)));
    const signature = signatureOf(signingKey(KEY.secretAccessKey, scope), toSign).toString('hex');
    return plus(request, [
      'Authorization',
      formatAuthorization({ accessKeyId: KEY.accessKeyId, scope, signedHeaders, signature }),
    ]);
  };
  await verify(make('Sat, 21 Nov 2026 12:00:00 GMT'));
  await verify(make('20261121T120000Z'));
  await refuses(make('2026-11-21 12:00'), 'signature-invalid');
});

test('regions and services that are not served, named', async () => {
  assert.deepEqual(await refuses(sign({ region: 'mars-1' }), 'region-unknown'), {
    region: 'mars-1',
    served: ['us-east-1', 'eu-west-1'],
  });
  assert.match((await refuses(sign({ service: 's3' }), 'signature-invalid')).reason, /correct service: 'ecr'\./);
});

// Pitfall: unknown keys; session tokens.
test('an unknown key is known only after the same work', async () => {
  const cache = createSigningKeyCache();
  await refuses(sign({ accessKeyId: 'AKIANOBODY' }), 'key-unknown', { cache });
  assert.equal(cache.size, 1);
});

test('nobody passes as an unknown key, not even with the stand-in for its secret', async () => {
  const secretAccessKey = 'nobody/has/this/secret/it/signs/nothing0';
  await refuses(sign({ accessKeyId: 'AKIANOBODY', secretAccessKey }), 'key-unknown');
  await refuses(sign({ secretAccessKey }), 'signature-invalid');
});

test('a session token, signed or added later, is a credential from elsewhere', async () => {
  await refuses(sign({ headers: [...HEADERS, ['X-Amz-Security-Token', 'x']] }), 'key-unknown');
  await refuses(plus(sign(), ['X-Amz-Security-Token', 'x']), 'signature-incomplete');
});

test('a key whose lookup fails is a failure, not a refusal', async () => {
  await assert.rejects(verify(sign(), { findKey: () => Promise.reject(new Error('disk')) }), /disk/);
});
