import type { Clock } from '../core/clock.ts';
import type { Reference } from '../core/reference.ts';
import { isLoopbackHost } from './address.ts';
import { createAuthorizer, type Counterpart } from './authorizer.ts';
import { discardBody, readBody, type BodyPatience } from './body.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import type { Keychain } from './credentials/keychain.ts';
import { registryHost } from './endpoint.ts';
import { createHostGate, type HostGate } from './host-gate.ts';
import { FetchError } from './outcome.ts';
import { persist, type Patience } from './persist.ts';
import { createTransport, TransientError, type StreamedBody, type WireAnswer, type WireRequest } from './transport.ts';

/** A repository somewhere: the part of a reference before tag and digest. */
export type RepositoryAddress = Pick<Reference, 'host' | 'path'>;

export interface ClientDependencies {
  keychain: Keychain;
  clock: Clock;
  wait(milliseconds: number): Promise<void>;
}

export interface ClientSettings {
  /** `host[:port]`, spoken to over plain http; loopback hosts need no entry. */
  insecureHosts?: Iterable<string>;
  /** `host[:port]` or `host` that may be on a private network although its name does not say so. */
  privateHosts?: Iterable<string>;
  /** Registry host -> token host that may be given its credentials. */
  realmHosts?: ReadonlyMap<string, string>;
  /** Requests to one host at once (default 32). */
  concurrency?: number;
  /** Milliseconds: for a connection (10 000), an answer (30 000), and silence within one (30 000). */
  connectTimeout?: number;
  headerTimeout?: number;
  idleTimeout?: number;
  /** See Patience: 3, 8, and 60 seconds. */
  attempts?: number;
  rateLimitAttempts?: number;
  longestRest?: number;
  userAgent?: string;
}

export interface RepositoryRequest {
  method: WireRequest['method'];
  /** Below the registry's address; a whole one, as a `Location` may be, is not given our credentials at another host. */
  path: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array | StreamedBody;
  /** What the token must allow (default `pull`). */
  actions?: 'pull' | 'pull,push';
  /** Do not send it again when the connection breaks or the host fails: the caller begins anew. */
  once?: boolean;
  signal?: AbortSignal;
}

/** Requests to registries, with their challenges, tokens and patience; what the answers mean is its callers' business. */
export interface RegistryCaller {
  /** One request on a repository, with authorization; a refusal brings a fresh token once. Raises FetchError. */
  call(repository: RepositoryAddress, request: RepositoryRequest): Promise<WireAnswer>;
  /** True when a login for the host was found. */
  hasLogin(host: string): Promise<boolean>;
  /** Within an answer. */
  readonly patience: BodyPatience;
  /** Breaks off what is under way, and takes nothing any more. */
  close(): void;
}

export function createRegistryCaller(dependencies: ClientDependencies, settings: ClientSettings = {}): RegistryCaller {
  const { keychain, clock, wait } = dependencies;
  const concurrency = settings.concurrency ?? 32;
  const bodyPatience: BodyPatience = { clock, idleTimeout: settings.idleTimeout ?? 30_000 };
  const insecureHosts = new Set(settings.insecureHosts);
  const patience: Patience = {
    clock,
    wait,
    attempts: settings.attempts ?? 3,
    rateLimitAttempts: settings.rateLimitAttempts ?? 8,
    longestRest: settings.longestRest ?? 60,
  };
  const transport = createTransport({
    connectionsPerHost: concurrency,
    connectTimeout: settings.connectTimeout ?? 10_000,
    headerTimeout: settings.headerTimeout ?? 30_000,
    insecureHosts,
    privateHosts: new Set(settings.privateHosts),
    userAgent: settings.userAgent ?? 'holdfast',
  });
  const gates = new Map<string, HostGate>();
  const counterparts = new Map<string, Promise<Counterpart>>();

  const gateOf = (url: URL): HostGate => {
    const existing = gates.get(url.host);
    if (existing) return existing;
    const gate = createHostGate(concurrency);
    gates.set(url.host, gate);
    return gate;
  };
  const send = (origin: string, request: WireRequest): Promise<WireAnswer> =>
    persist(origin, gateOf(request.url), patience, () => transport.send(origin, request));
  const sendOnce = (origin: string, request: WireRequest): Promise<WireAnswer> =>
    persist(origin, gateOf(request.url), { ...patience, attempts: 1 }, () => transport.send(origin, request));
  const authorizer = createAuthorizer({ send, keychain, clock, realmHosts: settings.realmHosts ?? new Map(), bodyPatience });

  /** One `/v2/` for each host, whoever asks first: it tells the scheme and the challenge. */
  function meet(host: string): Promise<Counterpart> {
    const known = counterparts.get(host);
    if (known) return known;
    const meeting = greet(host);
    counterparts.set(host, meeting);
    // Only a success is worth keeping.
    meeting.catch(() => counterparts.delete(host));
    return meeting;
  }

  async function greet(host: string): Promise<Counterpart> {
    const name = registryHost(host);
    const isPlain = insecureHosts.has(name) || isLoopbackHost(name);
    const first = new URL(`${isPlain ? 'http' : 'https'}://${name}/`);
    if (!isPlain) return ping(host, first);
    try {
      return await ping(host, first);
    } catch (error) {
      // A local registry may speak TLS: what it says to plain http breaks off or makes no sense.
      const mayBeTls =
        error instanceof TransientError ||
        (error instanceof FetchError && /Parse Error|HTTP request to an HTTPS/i.test(error.failure.reason));
      if (!mayBeTls) throw error;
      return ping(host, new URL(`https://${name}/`)).catch(() => Promise.reject(error));
    }
  }

  async function ping(host: string, base: URL): Promise<Counterpart> {
    const answer = await send(host, { method: 'GET', url: new URL('/v2/', base), headers: {} });
    if (answer.status === 400 && base.protocol === 'http:') {
      const text = (await readBody(host, answer, 64 * 1024, bodyPatience)).toString('latin1');
      if (/HTTPS/i.test(text))
        throw new FetchError({ kind: 'unreachable', host, reason: 'client sent an HTTP request to an HTTPS server' });
    } else {
      discardBody(answer);
    }
    const challenge = answer.status === 401 ? chooseChallenge(host, answer) : undefined;
    return { host, base, ...(challenge ? { challenge } : {}) };
  }

  /** One request on a repository, with authorization; a refusal brings a fresh token once. */
  async function call(repository: RepositoryAddress, request: RepositoryRequest): Promise<WireAnswer> {
    const counterpart = await meet(repository.host);
    const scope = `repository:${repository.path}:${request.actions ?? 'pull'}`;
    const url = new URL(request.path, counterpart.base);
    const isElsewhere = url.origin !== counterpart.base.origin;
    for (let refused = 0; ; refused++) {
      const authorization = isElsewhere ? undefined : await authorizer.authorize(counterpart, scope);
      const wire: WireRequest = {
        method: request.method,
        url,
        headers: { ...request.headers, ...(authorization === undefined ? {} : { authorization }) },
        ...(request.body === undefined ? {} : { body: request.body }),
        ...(request.signal ? { signal: request.signal } : {}),
      };
      const answer = await (request.once === true ? sendOnce : send)(repository.host, wire);
      if (answer.status !== 401 || refused > 0 || isElsewhere) return answer;
      const challenge = chooseChallenge(repository.host, answer);
      discardBody(answer);
      if (authorization !== undefined && challenge?.scheme === 'basic') return answer;
      if (challenge) counterpart.challenge = challenge;
      authorizer.forget(counterpart, scope);
    }
  }

  return { call, hasLogin: (host) => authorizer.hasLogin(host), patience: bodyPatience, close: () => transport.close() };
}

function chooseChallenge(host: string, answer: WireAnswer): Challenge | undefined {
  const challenges = parseChallenges(answer.headers['www-authenticate'] ?? '');
  const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'));
  const chosen = bearer ?? challenges.find(({ scheme }) => scheme === 'basic');
  if (chosen === undefined && challenges[0] !== undefined) {
    throw new FetchError({
      kind: 'denied',
      host,
      reason: `it wants to be told who asks by "${challenges[0].scheme}", which is not known here`,
    });
  }
  return chosen;
}
