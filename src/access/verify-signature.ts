import { timingSafeEqual } from 'node:crypto';
import { Fault } from '../core/fault.ts';
import {
  canonicalRequest,
  formatAmzDate,
  parseAuthorization,
  readAmzDate,
  sha256Hex,
  signatureOf,
  signingKey,
  stringToSign,
  type HeaderList,
  type SigningKeyCache,
} from '../core/sigv4.ts';

const MINUTE = 60_000;
export const DEFAULT_SIGNATURE_WINDOW = 5 * MINUTE;
export const MAX_SIGNATURE_WINDOW = 15 * MINUTE;
/** Stands in for the secret of a key that does not exist, so that such a request costs what a wrong signature costs. */
const NOBODYS_SECRET = 'nobody/has/this/secret/it/signs/nothing0';
const MISMATCH =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.';

export interface SignedRequest {
  method: string;
  /** Path and query exactly as received, one character for one byte. */
  target: string;
  /** Every header as received, in order, duplicates and all. */
  headers: HeaderList;
  /** All of the body; a stream cannot be bound to a signature before it is acted on. */
  body: Uint8Array;
}

export interface SignatureRules {
  /** Milliseconds since the epoch. */
  now: number;
  /** Gives `undefined` for a key that does not exist or was revoked. */
  findKey(accessKeyId: string): Promise<{ secret: string } | undefined>;
  /** The services that the operation asked for belongs to. */
  services: ReadonlySet<string>;
  regions: readonly string[];
  cache: SigningKeyCache;
  /** Milliseconds on either side of `now`; five minutes unless told, never more than fifteen. */
  window?: number;
  /** Names by which clients know this server when a proxy rewrites `Host` (host or host:port). */
  publicHosts?: readonly string[];
}

export interface VerifiedSignature {
  accessKeyId: string;
  region: string;
  service: string;
  /** Milliseconds since the epoch. */
  signedAt: number;
}

/**
 * Verifies the one way in which a request may be signed here: an `Authorization: AWS4-HMAC-SHA256` header that covers
 * `host`, the date, `content-type`, every `x-amz-*` header and the body.
 *
 * Raises `unauthenticated` (not signed), `signature-incomplete` (cannot be checked), `signature-skewed` (too old or too
 * new), `region-unknown`, `key-unknown` (no such key, or a session token, which nobody here gives out) and
 * `signature-invalid`.
 */
export async function verifySignature(request: SignedRequest, rules: SignatureRules): Promise<VerifiedSignature> {
  const window = rules.window ?? DEFAULT_SIGNATURE_WINDOW;
  if (!(window > 0 && window <= MAX_SIGNATURE_WINDOW))
    throw new RangeError('the signature window is more than 0 and at most 15 minutes');
  const headers = indexHeaders(request.headers);
  const authorization = parseAuthorization(readAuthorization(request.target, headers));
  const { accessKeyId, scope, signedHeaders } = authorization;

  const amzDate = readDate(headers);
  requireSigned(headers, signedHeaders);
  const signedAt = readAmzDate(amzDate) ?? invalid("the date header is neither YYYYMMDD'T'HHMMSS'Z' nor an HTTP date");
  if (scope.date !== amzDate.slice(0, 8)) {
    invalid(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${scope.date}' != '${amzDate.slice(0, 8)}', from '${amzDate}'.`,
    );
  }
  if (Math.abs(signedAt - rules.now) > window) throw new Fault('signature-skewed', { signedAt, now: rules.now, window });
  if (!rules.services.has(scope.service)) {
    invalid(
      `Credential should be scoped to correct service: ${[...rules.services].map((service) => `'${service}'`).join(' or ')}.`,
    );
  }
  if (!rules.regions.includes(scope.region)) {
    throw new Fault('region-unknown', { region: scope.region.slice(0, 100), served: [...rules.regions] });
  }
  // Nobody here gives out session tokens, so one that is presented was made elsewhere, for a key that is not ours.
  if (headers.has('x-amz-security-token')) throw new Fault('key-unknown', {});

  const bodyHash = sha256Hex(request.body);
  checkDeclaredHash(headers.get('x-amz-content-sha256')?.[0], bodyHash);

  const key = await rules.findKey(accessKeyId);
  const signing = signingKey(key?.secret ?? NOBODYS_SECRET, scope, rules.cache);
  const given = Buffer.from(authorization.signature, 'hex');
  let matches = false;
  for (const host of [undefined, ...(rules.publicHosts ?? [])]) {
    const canonical = canonicalRequest(host === undefined ? request : withHost(request, host), signedHeaders, bodyHash);
    if (timingSafeEqual(signatureOf(signing, stringToSign(amzDate, scope, canonical)), given)) {
      matches = true;
      break;
    }
  }
  if (key === undefined) throw new Fault('key-unknown', {});
  if (!matches) invalid(MISMATCH);
  return { accessKeyId, region: scope.region, service: scope.service, signedAt };
}

/** Values by lower-case name. */
function indexHeaders(headers: HeaderList): Map<string, string[]> {
  const index = new Map<string, string[]>();
  for (const [written, value] of headers) {
    const name = written.toLowerCase();
    const values = index.get(name);
    if (values === undefined) index.set(name, [value]);
    else values.push(value);
  }
  return index;
}

/** One mechanism in one place: a signature in the query, alone or beside a header, is not taken. */
function readAuthorization(target: string, headers: Map<string, string[]>): string {
  const values = headers.get('authorization') ?? [];
  if (values.length > 1) incomplete('the Authorization header is given twice');
  const question = target.indexOf('?');
  if (
    question >= 0 &&
    /[?&]x(?:-|%2d)amz(?:-|%2d)(?:algorithm|credential|signature|signedheaders|security(?:-|%2d)token)(?:[=&]|$)/i.test(
      target.slice(question),
    )
  ) {
    incomplete('signatures in the query are not accepted here; sign in the Authorization header');
  }
  return values[0] ?? unauthenticated();
}

/** `x-amz-date`, else `Date`, as `YYYYMMDDTHHMMSSZ`. */
function readDate(headers: Map<string, string[]>): string {
  const amzDate = headers.get('x-amz-date')?.[0];
  if (amzDate !== undefined) return amzDate.trim();
  const date = headers.get('date')?.[0];
  if (date === undefined) incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  if (readAmzDate(date.trim()) !== undefined) return date.trim();
  const time = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(date.trim()) ? Date.parse(date) : Number.NaN;
  if (Number.isNaN(time)) invalid("the date header is neither YYYYMMDD'T'HHMMSS'Z' nor an HTTP date");
  return formatAmzDate(time);
}

/** What is not signed could be changed on the way, and what is there twice could be read in two ways. */
function requireSigned(headers: Map<string, string[]>, signedHeaders: readonly string[]): void {
  const signed = new Set(signedHeaders);
  const dateHeader = headers.has('x-amz-date') ? 'x-amz-date' : 'date';
  for (const name of ['host', dateHeader]) {
    if (!signed.has(name)) incomplete(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
  }
  for (const [name, values] of headers) {
    const bound = name === 'host' || name === 'content-type' || name.startsWith('x-amz-') || signed.has(name);
    if (!bound) continue;
    if (!signed.has(name)) incomplete(`'${name.slice(0, 100)}' must be a 'SignedHeader' in the AWS Authorization.`);
    if (values.length > 1) incomplete(`the signed header '${name.slice(0, 100)}' is given twice`);
  }
  for (const name of signedHeaders) {
    if (!headers.has(name)) incomplete(`the signed header '${name.slice(0, 100)}' is not in the request`);
  }
}

/** The body is always hashed here; what the client says of it is only held against that. */
function checkDeclaredHash(declared: string | undefined, bodyHash: string): void {
  if (declared === undefined) return;
  if (!/^[0-9a-fA-F]{64}$/.test(declared))
    invalid("'x-amz-content-sha256' must be the SHA-256 of the body; unsigned and streaming payloads are not accepted here");
  if (declared.toLowerCase() !== bodyHash)
    invalid("The provided 'x-amz-content-sha256' header does not match what was computed.");
}

function withHost(request: SignedRequest, host: string): SignedRequest {
  return {
    ...request,
    headers: request.headers.map(([name, value]) => [name, name.toLowerCase() === 'host' ? host : value] as const),
  };
}

function unauthenticated(): never {
  throw new Fault('unauthenticated', { reason: 'Missing Authentication Token' });
}

function incomplete(reason: string): never {
  throw new Fault('signature-incomplete', { reason });
}

function invalid(reason: string): never {
  throw new Fault('signature-invalid', { reason });
}
