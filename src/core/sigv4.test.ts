import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SIGV4_VECTOR_KEY, SIGV4_VECTORS } from '../../test/fixtures/sigv4/vectors.ts';
import { isFault } from './fault.ts';
import {
  canonicalRequest,
  createSigningKeyCache,
  formatAmzDate,
  formatAuthorization,
  parseAuthorization,
  readAmzDate,
  sha256Hex,
  signatureOf,
  signingKey,
  signRequest,
  stringToSign,
  type HeaderList,
} from './sigv4.ts';

const SCOPE = { date: '20150830', region: SIGV4_VECTOR_KEY.region, service: SIGV4_VECTOR_KEY.service };

for (const vector of SIGV4_VECTORS) {
  test(`public vector: ${vector.name}`, () => {
    const canonical = canonicalRequest(vector, vector.signedHeaders.split(';'), sha256Hex(vector.body));
    assert.deepEqual(canonical.split('\n'), vector.canonical);
    const toSign = stringToSign(SIGV4_VECTOR_KEY.amzDate, SCOPE, canonical);
    assert.equal(toSign.split('\n')[3], vector.canonicalHash);
    const signature = signatureOf(signingKey(SIGV4_VECTOR_KEY.secretAccessKey, SCOPE), toSign).toString('hex');
    assert.equal(signature, vector.signature);
    const header = formatAuthorization({
      accessKeyId: 'AKIDEXAMPLE',
      scope: SCOPE,
      signedHeaders: vector.signedHeaders.split(';'),
      signature,
    });
    assert.deepEqual(parseAuthorization(header), {
      accessKeyId: 'AKIDEXAMPLE',
      scope: SCOPE,
      signedHeaders: vector.signedHeaders.split(';'),
      signature,
    });
  });
}

test('the vectors are all there', () => {
  assert.equal(SIGV4_VECTORS.length, 34);
  assert.equal(new Set(SIGV4_VECTORS.map((vector) => vector.name)).size, 34);
});

test('our own client signs as the vectors do', () => {
  const { accessKeyId, secretAccessKey, region, service } = SIGV4_VECTOR_KEY;
  const now = readAmzDate(SIGV4_VECTOR_KEY.amzDate) ?? 0;
  for (const name of ['get-vanilla', 'post-x-www-form-urlencoded', 'get-vanilla-query-order-key']) {
    const vector = SIGV4_VECTORS.find((candidate) => candidate.name === name);
    assert.ok(vector);
    const headers = vector.headers.filter(([header]) => header !== 'X-Amz-Date');
    const signed = signRequest({ ...vector, headers, now, accessKeyId, secretAccessKey, region, service });
    const authorization = signed.find(([header]) => header === 'authorization')?.[1] ?? '';
    assert.equal(parseAuthorization(authorization).signature, vector.signature);
  }
});

test('a request without a host is not signed', () => {
  assert.throws(
    () =>
      signRequest({
        method: 'GET',
        target: '/',
        headers: [],
        body: '',
        now: 0,
        accessKeyId: 'a',
        secretAccessKey: 'b',
        region: 'c',
        service: 'd',
      }),
    /host/,
  );
});

/** What stands after the method in the canonical request, for a target. */
function canonicalTarget(target: string): string[] {
  return canonicalRequest({ method: 'GET', target, headers: [], body: '' }, [], '').split('\n').slice(1, 3);
}

test('a path is canonicalised from its raw bytes: what is escaped already is escaped again', () => {
  const cases: [target: string, path: string, query: string][] = [
    ['/', '/', ''],
    ['', '/', ''],
    ['/a%2Fb', '/a%252Fb', ''],
    ['/a%20b', '/a%2520b', ''],
    ['/a b', '/a%20b', ''],
    ['/a/./b/../c', '/a/c', ''],
    ['/../../a', '/a', ''],
    ['/a/', '/a/', ''],
    ['//', '/', ''],
    ['/.', '/', ''],
    ['/~a.b_c-d', '/~a.b_c-d', ''],
    ['/\u00c3\u00a0', '/%C3%A0', ''],
    ['/?b=&a', '/', 'a=&b='],
    ['/?a=b=c', '/', 'a=b%3Dc'],
    ['/?a=%2f&a=%2F', '/', 'a=%2F&a=%2F'],
    ['/?a=1+2', '/', 'a=1%2B2'],
    ['/?a=%zz', '/', 'a=%25zz'],
    ['/?&&a=1&', '/', 'a=1'],
    ['/?a-b=1&a=2', '/', 'a=2&a-b=1'],
    ['/??a=1', '/', '%3Fa=1'],
  ];
  for (const [target, path, query] of cases) assert.deepEqual(canonicalTarget(target), [path, query], target);
});

test('header values: duplicates in order, ASCII space trimmed and folded, other bytes left alone', () => {
  const headers: HeaderList = [
    ['Host', '[::1]:4600'],
    ['X-A', '  one \t two  '],
    ['x-a', 'three'],
    ['X-B', ' \u00c3\u00a0 '],
  ];
  const lines = canonicalRequest({ method: 'GET', target: '/', headers, body: '' }, ['host', 'x-a', 'x-b'], 'H').split('\n');
  assert.deepEqual(lines.slice(3), ['host:[::1]:4600', 'x-a:one two,three', 'x-b:\u00c3\u00a0', '', 'host;x-a;x-b', 'H']);
});

test('text that is not one character for one byte is refused, not cut', () => {
  assert.throws(() => canonicalTarget('/\u1234'), RangeError);
  assert.throws(() => stringToSign('20150830T123600Z', SCOPE, 'host:\u1234'), RangeError);
});

test('a signing key is derived once and kept', () => {
  const cache = createSigningKeyCache(2);
  const first = signingKey('secret', SCOPE, cache);
  assert.equal(signingKey('secret', SCOPE, cache), first);
  assert.deepEqual(signingKey('secret', SCOPE), first);
  assert.notDeepEqual(signingKey('Secret', SCOPE, cache), first);
  assert.notDeepEqual(signingKey('secret', { ...SCOPE, date: '20150831' }, cache), first);
  assert.equal(cache.size, 2);
});

const SIGNATURE = 'a'.repeat(64);
const GOOD = `AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/ecr/aws4_request, SignedHeaders=host;x-amz-date, Signature=${SIGNATURE}`;

test('an Authorization header may have any spacing around its commas', () => {
  assert.deepEqual(parseAuthorization(GOOD.replaceAll(', ', ',')), parseAuthorization(GOOD));
  assert.deepEqual(parseAuthorization(GOOD.replaceAll(', ', '  ,  ')), parseAuthorization(GOOD));
});

const MALFORMED: [what: string, header: string][] = [
  ['no parts', 'AWS4-HMAC-SHA256'],
  ['no space', 'AWS4-HMAC-SHA256,Credential=a'],
  ['another algorithm of the family', GOOD.replace('HMAC-SHA256', 'ECDSA-P256-SHA256')],
  ['a streaming algorithm', GOOD.replace('HMAC-SHA256', 'HMAC-SHA256-PAYLOAD')],
  ['no credential', GOOD.replace(/Credential=[^,]+, /, '')],
  ['no signature', GOOD.replace(/, Signature=.*/, '')],
  ['no signed headers', GOOD.replace(/SignedHeaders=[^,]+, /, '')],
  ['empty signed headers', GOOD.replace('host;x-amz-date', '')],
  ['a part given twice', `${GOOD}, Signature=${SIGNATURE}`],
  ['an unknown part', `${GOOD}, Extra=1`],
  ['a part in another case', GOOD.replace('Signature=', 'signature=')],
  ['short credential', GOOD.replace('/aws4_request', '')],
  ['long credential', GOOD.replace('/ecr/', '/ecr/x/')],
  ['another terminator', GOOD.replace('aws4_request', 'aws5_request')],
  ['an empty region', GOOD.replace('us-east-1', '')],
  ['a date that is not one', GOOD.replace('20150830', '2015083x')],
  ['upper case signature', GOOD.replace(SIGNATURE, SIGNATURE.toUpperCase())],
  ['short signature', GOOD.slice(0, -1)],
  ['long signature', `${GOOD}a`],
  ['upper case header name', GOOD.replace('host;', 'Host;')],
  ['unordered headers', GOOD.replace('host;x-amz-date', 'x-amz-date;host')],
  ['a header twice', GOOD.replace('host;', 'host;host;')],
  ['too long', GOOD + ' '.repeat(9000)],
  ['too many headers', GOOD.replace('host;x-amz-date', Array.from({ length: 101 }, (_, index) => `h${1000 + index}`).join(';'))],
];
for (const [what, header] of MALFORMED) {
  test(`a malformed Authorization header is incomplete: ${what}`, () => {
    assert.throws(
      () => parseAuthorization(header),
      (error) => isFault(error, 'signature-incomplete'),
    );
  });
}

test('another scheme is no authentication at all', () => {
  for (const header of ['Basic QVdTOng=', 'Bearer x', '', 'aws4-hmac-sha256 Credential=a']) {
    assert.throws(
      () => parseAuthorization(header),
      (error) => isFault(error, 'unauthenticated'),
      header,
    );
  }
});

test('dates: only moments that exist, written in one way', () => {
  assert.equal(readAmzDate('20150830T123600Z'), Date.UTC(2015, 7, 30, 12, 36, 0));
  assert.equal(formatAmzDate(Date.UTC(2015, 7, 30, 12, 36, 0)), '20150830T123600Z');
  for (const text of [
    '20150231T000000Z',
    '20150830T250000Z',
    '20150830T123600',
    '2015-08-30T12:36:00Z',
    '',
    '20150830T123660Z',
    ' 20150830T123600Z',
  ]) {
    assert.equal(readAmzDate(text), undefined, text);
  }
});
