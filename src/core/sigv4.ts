import { createHmac, hash } from 'node:crypto';
import { Fault } from './fault.ts';
import { createLruCache, type LruCache } from './lru-cache.ts';

/**
 * AWS Signature Version 4 for every service but S3 (AWS General Reference, "Create a signed AWS API request").
 *
 * Text that comes from or goes to the network has one character for one byte, as Node's HTTP parser gives it; a
 * character above U+00FF is an error in the caller.
 */
export type HeaderList = readonly (readonly [name: string, value: string])[];

export const SIGV4_ALGORITHM = 'AWS4-HMAC-SHA256';
const MAX_AUTHORIZATION = 8192;
const MAX_SIGNED_HEADERS = 100;
const NOT_A_BYTE = /[^\u0000-\u00ff]/;
const ONE_CHARACTER_ONE_BYTE = 'text to sign must have one character for one byte';

export interface RequestToSign {
  method: string;
  /** Path and query exactly as in the request line. */
  target: string;
  /** As received, duplicates and all. */
  headers: HeaderList;
  body: Uint8Array | string;
}

/** Where a signature is good: the day (`YYYYMMDD`), the region and the service. */
export interface SigningScope {
  date: string;
  region: string;
  service: string;
}

/** What an `Authorization: AWS4-HMAC-SHA256 …` header says. `signature` is 64 lower-case hexadecimal digits. */
export interface SignedAuthorization {
  accessKeyId: string;
  scope: SigningScope;
  /** Lower case, sorted, each once. */
  signedHeaders: string[];
  signature: string;
}

export type SigningKeyCache = LruCache<string, Buffer>;

/** Signing keys are good for a day; keeping them saves four of the five HMACs of a verification. */
export function createSigningKeyCache(capacity = 1000): SigningKeyCache {
  return createLruCache(capacity);
}

export function signingKey(secret: string, scope: SigningScope, cache?: SigningKeyCache): Buffer {
  const name = `${scope.date}/${scope.region}/${scope.service}/${secret}`;
  const known = cache?.get(name);
  if (known !== undefined) return known;
  let key: Buffer | string = `AWS4${secret}`;
  for (const part of [scope.date, scope.region, scope.service, 'aws4_request']) key = hmac(key, part);
  cache?.set(name, key as Buffer);
  return key as Buffer;
}

/** `signedHeaders` are lower-case names in order; one that the request lacks stands there with an empty value. */
export function canonicalRequest(request: RequestToSign, signedHeaders: readonly string[], bodyHash: string): string {
  const question = request.target.indexOf('?');
  const path = question < 0 ? request.target : request.target.slice(0, question);
  const query = question < 0 ? '' : request.target.slice(question + 1);
  let lines = '';
  for (const name of signedHeaders) {
    const values: string[] = [];
    for (const [written, value] of request.headers) if (written.toLowerCase() === name) values.push(trimValue(value));
    lines += `${name}:${values.join(',')}\n`;
  }
  return `${request.method}\n${canonicalPath(path)}\n${canonicalQuery(query)}\n${lines}\n${signedHeaders.join(';')}\n${bodyHash}`;
}

/** `amzDate` is `YYYYMMDDTHHMMSSZ`. */
export function stringToSign(amzDate: string, scope: SigningScope, canonical: string): string {
  return `${SIGV4_ALGORITHM}\n${amzDate}\n${scope.date}/${scope.region}/${scope.service}/aws4_request\n${sha256Hex(latin1(canonical))}`;
}

export function signatureOf(key: Buffer, toSign: string): Buffer {
  return createHmac('sha256', key).update(toSign, 'latin1').digest();
}

export function sha256Hex(bytes: Uint8Array | string): string {
  return hash('sha256', bytes, 'hex');
}

/**
 * Signs a request for our own client: the headers given (a `host` among them), with `x-amz-date` and `authorization`
 * added. Every header given is signed. `now` is milliseconds since the epoch.
 */
export function signRequest(
  request: RequestToSign & {
    now: number;
    accessKeyId: string;
    secretAccessKey: string;
    region: string;
    service: string;
    cache?: SigningKeyCache;
  },
): [name: string, value: string][] {
  const amzDate = formatAmzDate(request.now);
  const scope: SigningScope = { date: amzDate.slice(0, 8), region: request.region, service: request.service };
  const headers: [string, string][] = [
    ...request.headers.map(([name, value]): [string, string] => [name, value]),
    ['x-amz-date', amzDate],
  ];
  const signedHeaders = [...new Set(headers.map(([name]) => name.toLowerCase()))].sort();
  if (!signedHeaders.includes('host')) throw new Error('a request cannot be signed without its host header');
  const canonical = canonicalRequest({ ...request, headers }, signedHeaders, sha256Hex(request.body));
  const signature = signatureOf(
    signingKey(request.secretAccessKey, scope, request.cache),
    stringToSign(amzDate, scope, canonical),
  );
  headers.push([
    'authorization',
    formatAuthorization({ accessKeyId: request.accessKeyId, scope, signedHeaders, signature: signature.toString('hex') }),
  ]);
  return headers;
}

export function formatAuthorization(authorization: SignedAuthorization): string {
  const { accessKeyId, scope, signedHeaders, signature } = authorization;
  const credential = `${accessKeyId}/${scope.date}/${scope.region}/${scope.service}/aws4_request`;
  return `${SIGV4_ALGORITHM} Credential=${credential}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`;
}

/**
 * Reads an `Authorization` header. Raises `unauthenticated` for another scheme and `signature-incomplete` for a
 * signature of this family that is malformed: an unknown, missing or repeated part, an unordered list of headers.
 */
export function parseAuthorization(header: string): SignedAuthorization {
  if (header.length > MAX_AUTHORIZATION) incomplete('the Authorization header is too long');
  const space = header.indexOf(' ');
  const scheme = space < 0 ? header : header.slice(0, space);
  if (!scheme.startsWith('AWS4-'))
    throw new Fault('unauthenticated', { reason: `the Authorization header is not ${SIGV4_ALGORITHM}` });
  if (scheme !== SIGV4_ALGORITHM) incomplete(`only ${SIGV4_ALGORITHM} signatures are accepted`);
  const parts = new Map<string, string>();
  for (const part of header.slice(scheme.length).split(',')) {
    const text = part.trim();
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    if (name !== 'Credential' && name !== 'SignedHeaders' && name !== 'Signature') {
      incomplete('Authorization header has a part other than Credential, SignedHeaders and Signature');
    }
    if (parts.has(name)) incomplete(`Authorization header gives '${name}' twice`);
    parts.set(name, equals < 0 ? '' : text.slice(equals + 1));
  }
  const read = (name: string): string => parts.get(name) || incomplete(`Authorization header requires '${name}' parameter.`);
  const signature = read('Signature');
  if (!/^[0-9a-f]{64}$/.test(signature)) incomplete("'Signature' is not 64 lower-case hexadecimal digits");
  return { ...parseCredential(read('Credential')), signedHeaders: parseSignedHeaders(read('SignedHeaders')), signature };
}

/** `20150830T123600Z`. */
export function formatAmzDate(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

/** Milliseconds since the epoch; `undefined` for text that is not `YYYYMMDDTHHMMSSZ` or not a moment. */
export function readAmzDate(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  // A 31st of February parses nowhere, or as another day.
  return Number.isNaN(time) || formatAmzDate(time) !== text ? undefined : time;
}

function parseCredential(credential: string): { accessKeyId: string; scope: SigningScope } {
  const [accessKeyId, date, region, service, terminator, ...rest] = credential.split('/');
  const readable = accessKeyId && date && region && service && rest.length === 0;
  if (!readable || terminator !== 'aws4_request') {
    incomplete("'Credential' is not ACCESS-KEY-ID/DATE/REGION/SERVICE/aws4_request");
  }
  if (!/^\d{8}$/.test(date)) incomplete('Date in Credential scope is not YYYYMMDD');
  return { accessKeyId, scope: { date, region, service } };
}

function parseSignedHeaders(text: string): string[] {
  const names = text.split(';');
  if (names.length > MAX_SIGNED_HEADERS) incomplete(`more than ${MAX_SIGNED_HEADERS} signed headers`);
  for (const [index, name] of names.entries()) {
    if (!/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
      incomplete("'SignedHeaders' has a name that is empty, not lower case, or not a header's");
    const before = names[index - 1];
    if (before !== undefined && before >= name) incomplete("'SignedHeaders' must be in order, each name once");
  }
  return names;
}

/** Dot segments and repeated slashes go; then every byte but the unreserved ones is escaped, `%` included. */
function canonicalPath(path: string): string {
  if (path === '/' || path === '') return '/';
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') segments.pop();
    else segments.push(escapeBytes(segment));
  }
  const slash = segments.length > 0 && path.endsWith('/') ? '/' : '';
  return `/${segments.join('/')}${slash}`;
}

/** Pairs ordered by name, then by value, as they stand after escaping. A `+` is a plus sign, not a space. */
function canonicalQuery(query: string): string {
  if (query === '') return '';
  const pairs: [string, string][] = [];
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = equals < 0 ? pair : pair.slice(0, equals);
    const value = equals < 0 ? '' : pair.slice(equals + 1);
    pairs.push([escapeBytes(unescapeBytes(name)), escapeBytes(unescapeBytes(value))]);
  }
  pairs.sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0));
  return pairs.map(([name, value]) => `${name}=${value}`).join('&');
}

function escapeBytes(text: string): string {
  return text.replace(/[^A-Za-z0-9_.~-]/g, (char) => {
    const code = char.charCodeAt(0);
    if (code > 0xff) throw new RangeError(ONE_CHARACTER_ONE_BYTE);
    return `%${code.toString(16).toUpperCase().padStart(2, '0')}`;
  });
}

function unescapeBytes(text: string): string {
  return text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** ASCII space only: to `trim`, the last byte of an `à` in UTF-8 is a space too. */
function trimValue(value: string): string {
  return value.replace(/[\t\n\v\f\r ]+/g, ' ').replace(/^ | $/g, '');
}

function latin1(text: string): Buffer {
  if (NOT_A_BYTE.test(text)) throw new RangeError(ONE_CHARACTER_ONE_BYTE);
  return Buffer.from(text, 'latin1');
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function incomplete(reason: string): never {
  throw new Fault('signature-incomplete', { reason });
}
