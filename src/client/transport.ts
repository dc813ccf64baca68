import type * as Http from 'node:http';
import type * as Https from 'node:https';
import { lookup as resolveName, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { classifyAddress, hostnameOf, isLoopbackHost, namesPrivateAddress } from './address.ts';
import { FetchError, type FailureKind } from './outcome.ts';

// `import` would read every name that the module exports, and some bring another HTTP client: 8 MiB and 30 ms.
const http = process.getBuiltinModule('node:http');
const https = process.getBuiltinModule('node:https');

export interface TransportSettings {
  /** Open connections for each host. */
  connectionsPerHost: number;
  /** Until a connection stands, in milliseconds. */
  connectTimeout: number;
  /** Until an answer's headers are there. */
  headerTimeout: number;
  /** `host[:port]`, spoken to over plain http; loopback hosts need no entry. */
  insecureHosts: ReadonlySet<string>;
  /** `host[:port]` or `host` that may be on a private network although its name does not say so. */
  privateHosts: ReadonlySet<string>;
  userAgent: string;
}

/** Content that is not held in memory. */
export interface StreamedBody {
  /** How many there will be; a source that gives another count breaks the request off. */
  bytes: number;
  /** From the beginning; called again for another try. */
  open(): AsyncIterable<Uint8Array>;
}

export interface WireRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';
  url: URL;
  headers: Record<string, string>;
  body?: string | Uint8Array | StreamedBody;
  signal?: AbortSignal;
}

export interface WireAnswer {
  status: number;
  headers: Http.IncomingHttpHeaders;
  /** Must be read to its end or destroyed. */
  body: Http.IncomingMessage;
  /** Where the answer came from, after redirects. */
  url: URL;
}

export interface Transport {
  /**
   * Sends a request to the registry `origin` (`host[:port]` as the reference names it) or to where it points us, and
   * follows at most 3 redirects. `Authorization` never leaves the origin of the URL that it was given for. Raises FetchError.
   */
  send(origin: string, request: WireRequest): Promise<WireAnswer>;
  /** Breaks off what is under way, and takes nothing any more. */
  close(): void;
}

const REDIRECTS = 3;
/** Failures that another attempt would only repeat. */
const FINAL_CODES = new Set(['ENOTFOUND', 'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'EACCES']);

/** A transport failure that may be gone at the next attempt. */
export class TransientError extends FetchError {}

export function createTransport(settings: TransportSettings): Transport {
  // Two pools: a socket that may end in a private network is never reused for a request that may not.
  let isClosed = false;
  const pools = { anywhere: createPool(settings, false), publicOnly: createPool(settings, true) };

  function mayBePrivate(origin: string, url: URL): boolean {
    const listed = (host: string): boolean => settings.privateHosts.has(host) || settings.privateHosts.has(hostnameOf(host));
    if (listed(url.host) || settings.insecureHosts.has(url.host)) return true;
    if (isLoopbackHost(url.host)) return isLoopbackHost(origin);
    return hostnameOf(url.host) === hostnameOf(origin) && namesPrivateAddress(origin);
  }

  function check(origin: string, url: URL): { privateAllowed: boolean } {
    if (url.protocol !== 'https:' && url.protocol !== 'http:') refuse(origin, `leads to a ${url.protocol} address`);
    if (url.username !== '' || url.password !== '') refuse(origin, 'leads to an address with a password in it');
    const privateAllowed = mayBePrivate(origin, url);
    if (url.protocol === 'http:' && !settings.insecureHosts.has(url.host) && !(isLoopbackHost(url.host) && privateAllowed)) {
      refuse(origin, `leads to http://${url.host}, which is not encrypted; list it as insecure to allow it`);
    }
    const literal = hostnameOf(url.host);
    if (!privateAllowed && isIP(literal) !== 0 && classifyAddress(literal) !== 'public')
      refuse(origin, `leads to ${privateReason(url.host)}`);
    return { privateAllowed };
  }

  async function send(origin: string, request: WireRequest): Promise<WireAnswer> {
    let url = request.url;
    let headers = request.headers;
    const { method } = request;
    for (let hops = 0; ; hops++) {
      if (isClosed) throw new FetchError({ kind: 'unreachable', host: origin, reason: 'it is not asked any more' });
      const { privateAllowed } = check(origin, url);
      const pool = privateAllowed ? pools.anywhere : pools.publicOnly;
      const answer = await exchange(pool, settings, origin, { ...request, method, url, headers });
      const location = answer.headers.location;
      if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined) return answer;
      answer.body.resume();
      // A token request that is redirected would hand its form to whoever the redirect names.
      if (method !== 'GET' && method !== 'HEAD') refuse(origin, 'redirects a request that carries a credential or content');
      if (hops === REDIRECTS) refuse(origin, `redirects more than ${REDIRECTS} times`);
      const next = URL.parse(location, url.href);
      if (next === null) refuse(origin, 'redirects to an address that does not parse');
      if (next.origin !== url.origin) headers = withoutCredentials(headers);
      url = next;
    }
  }

  return {
    send,
    close() {
      isClosed = true;
      for (const pool of Object.values(pools)) {
        pool.http.destroy();
        pool.https.destroy();
      }
    },
  };
}

interface Pool {
  http: Http.Agent;
  https: Https.Agent;
  lookup: LookupFunction;
}

function createPool(settings: TransportSettings, publicOnly: boolean): Pool {
  const options = { keepAlive: true, maxSockets: settings.connectionsPerHost, scheduling: 'lifo' as const };
  return { http: new http.Agent(options), https: new https.Agent(options), lookup: guardedLookup(publicOnly) };
}

/** Resolves once; the addresses that pass are the ones connected to, so that a second answer of the DNS cannot lead elsewhere. */
function guardedLookup(publicOnly: boolean): LookupFunction {
  return (hostname, options, callback) => {
    // Names below localhost are this machine (RFC 6761, 6.3), and many systems do not know them.
    if (hostname.endsWith('.localhost') && !publicOnly) {
      if (options.all === true) return callback(null, [{ address: '127.0.0.1', family: 4 }]);
      return callback(null, '127.0.0.1', 4);
    }
    resolveName(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error) return callback(error, '');
      const allowed = publicOnly ? addresses.filter(({ address }) => classifyAddress(address) === 'public') : addresses;
      const [first] = allowed;
      if (first === undefined)
        return callback(Object.assign(new Error(`refused: it leads to ${privateReason(hostname)}`), { code: 'EPRIVATE' }), '');
      if (options.all === true) return callback(null, allowed);
      return callback(null, first.address, first.family);
    });
  };
}

function exchange(pool: Pool, settings: TransportSettings, origin: string, request: WireRequest): Promise<WireAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<WireAnswer>();
  const secure = request.url.protocol === 'https:';
  const outgoing = (secure ? https : http).request(request.url, {
    method: request.method,
    agent: secure ? pool.https : pool.http,
    lookup: pool.lookup,
    headers: {
      'user-agent': settings.userAgent,
      'accept-encoding': 'identity',
      ...request.headers,
      ...(request.body === undefined
        ? {}
        : { 'content-length': String(isStreamed(request.body) ? request.body.bytes : Buffer.byteLength(request.body)) }),
    },
    ...(request.signal ? { signal: request.signal } : {}),
  });
  const fail = (message: string): void => {
    outgoing.destroy(Object.assign(new Error(message), { code: 'ETIMEDOUT' }));
  };
  let connecting: NodeJS.Timeout | undefined;
  const patience = (): NodeJS.Timeout =>
    setTimeout(() => fail(`no answer within ${settings.headerTimeout / 1000} s`), settings.headerTimeout);
  let waiting = patience();
  outgoing.on('socket', (socket) => {
    if (!socket.connecting) return;
    connecting = setTimeout(() => fail(`no connection within ${settings.connectTimeout / 1000} s`), settings.connectTimeout);
    socket.once(secure ? 'secureConnect' : 'connect', () => clearTimeout(connecting));
  });
  const settled = (): void => {
    clearTimeout(connecting);
    clearTimeout(waiting);
  };
  let answered = false;
  outgoing.on('response', (body) => {
    settled();
    answered = true;
    resolve({ status: body.statusCode ?? 0, headers: body.headers, body, url: request.url });
  });
  outgoing.on('error', (error: NodeJS.ErrnoException) => {
    settled();
    if (request.signal?.aborted === true) reject(request.signal.reason as Error);
    else reject(transportFailure(origin, request.url, error));
  });
  const { body } = request;
  if (body === undefined || !isStreamed(body)) {
    outgoing.end(body);
    return promise;
  }
  // Each piece that the other side takes is a sign of life; what it does with the last may take longer.
  const progress = (): void => {
    clearTimeout(waiting);
    if (!answered) waiting = patience();
  };
  sendStream(outgoing, body, progress, () => answered).catch((error: Error) => {
    settled();
    // Ours, not the other side's: it goes to who gave the content.
    reject(error);
    outgoing.destroy();
  });
  return promise;
}

function isStreamed(body: string | Uint8Array | StreamedBody): body is StreamedBody {
  return typeof body === 'object' && 'open' in body;
}

/** Sends as fast as the other side takes, and stops when it has answered before the end. Raises what the source raises. */
async function sendStream(
  outgoing: Http.ClientRequest,
  body: StreamedBody,
  progress: () => void,
  isAnswered: () => boolean,
): Promise<void> {
  let sent = 0;
  for await (const chunk of body.open()) {
    if (isAnswered() || outgoing.destroyed) break;
    sent += chunk.length;
    if (sent > body.bytes) throw new Error(`content has more than the ${body.bytes} bytes that were announced`);
    if (!outgoing.write(chunk)) await drained(outgoing);
    progress();
  }
  if (isAnswered() || outgoing.destroyed) {
    // Half a request is out, so nothing can follow it on this connection once the answer has been read.
    outgoing.shouldKeepAlive = false;
    return;
  }
  if (sent !== body.bytes) throw new Error(`content has ${sent} of the ${body.bytes} bytes that were announced`);
  outgoing.end();
}

function drained(outgoing: Http.ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'close', 'response', 'error']) outgoing.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'close', 'response', 'error']) outgoing.on(event, done);
  });
}

/** What a broken connection means, in words. */
export function transportFailure(origin: string, url: URL, error: NodeJS.ErrnoException): FetchError {
  const code = error.code ?? '';
  const where = url.host === origin ? '' : ` (at ${url.host})`;
  const failure = { kind: 'unreachable' as FailureKind, host: origin, reason: `${describe(error)}${where}` };
  const final = FINAL_CODES.has(code) || code === 'EPRIVATE' || code === 'ETIMEDOUT' || isTlsFailure(code);
  return final ? new FetchError(failure, { cause: error }) : new TransientError(failure, { cause: error });
}

function isTlsFailure(code: string): boolean {
  return (
    code.startsWith('ERR_TLS') ||
    code.startsWith('ERR_SSL') ||
    code.startsWith('HPE_') ||
    code.includes('CERT') ||
    code === 'EPROTO' ||
    code === 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
  );
}

function describe(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ENOTFOUND':
      return 'there is no such host';
    case 'ECONNREFUSED':
      return 'nobody listens there';
    case 'ECONNRESET':
      return 'the connection was cut';
    case 'EAI_AGAIN':
      return 'the name service does not answer';
    case undefined:
      return describeAggregate(error) ?? error.message;
    default:
      return error.message.slice(0, 300);
  }
}

/** Node tries every address of a host and reports the attempts together. */
function describeAggregate(error: Error): string | undefined {
  const first = error instanceof AggregateError ? (error.errors[0] as NodeJS.ErrnoException | undefined) : undefined;
  return first === undefined ? undefined : describe(first);
}

function withoutCredentials(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'));
}

function privateReason(host: string): string {
  return `${host}, an address on a private network that the reference does not name (list it as a private host to allow it)`;
}

function refuse(host: string, what: string): never {
  throw new FetchError({ kind: 'unreachable', host, reason: `refused: it ${what}` });
}
