import type { Clock } from '../core/clock.ts';
import { isJsonObject, JsonError, parseJson } from '../core/json.ts';
import { discardBody, readBody, type BodyPatience } from './body.ts';
import type { Challenge } from './challenge.ts';
import type { Credentials, Keychain } from './credentials/keychain.ts';
import { mayReceiveCredentials } from './endpoint.ts';
import { FetchError } from './outcome.ts';
import type { WireAnswer, WireRequest } from './transport.ts';

/** A registry's way of asking who we are, as its `/v2/` or a refusal told it. */
export interface Counterpart {
  /** As references name it. */
  host: string;
  /** Scheme, host and port of its API. */
  base: URL;
  challenge?: Challenge;
}

export interface Authorizer {
  /** The `Authorization` value for `scope`, from the cache or fetched; `undefined` when the registry asks for none. Raises FetchError. */
  authorize(counterpart: Counterpart, scope: string): Promise<string | undefined>;
  /** Drops a token that was refused. */
  forget(counterpart: Counterpart, scope: string): void;
  /** True when a login for the host was found and used. */
  hasLogin(host: string): Promise<boolean>;
}

export interface AuthorizerDependencies {
  /** Sends to a token server for a registry, with the patience of the client. */
  send(origin: string, request: WireRequest): Promise<WireAnswer>;
  keychain: Keychain;
  clock: Clock;
  /** Registry host -> token host that may be given its credentials (see mayReceiveCredentials). */
  realmHosts: ReadonlyMap<string, string>;
  bodyPatience: BodyPatience;
}

interface Token {
  value: string;
  /** Monotonic milliseconds. */
  until: number;
}

const TOKEN_ANSWER_LIMIT = 1024 * 1024;
/** The token specification's lifetime where the answer names none, in seconds. */
const DEFAULT_LIFETIME = 60;
const CACHE_LIMIT = 10_000;
/** A token this close to its end is not worth sending, in milliseconds. */
const MARGIN = 5_000;

/** Turns challenges into `Authorization` values: Basic, and Bearer tokens cached by host and scope until they expire. */
export function createAuthorizer({ send, keychain, clock, realmHosts, bodyPatience }: AuthorizerDependencies): Authorizer {
  const tokens = new Map<string, Promise<Token>>();
  const keyOf = (counterpart: Counterpart, scope: string): string => `${counterpart.base.origin} ${scope}`;

  async function authorize(counterpart: Counterpart, scope: string): Promise<string | undefined> {
    const { challenge, host } = counterpart;
    if (challenge === undefined) return undefined;
    if (challenge.scheme === 'basic') {
      const credentials = await keychain.find(host);
      if (credentials === undefined) throw denied(host, `it needs a login, and none was found (docker login ${host})`);
      if (credentials.kind !== 'password') throw denied(host, 'it wants a user name and a password, and the login holds a token');
      return basic(credentials);
    }
    const key = keyOf(counterpart, scope);
    for (;;) {
      const kept = tokens.get(key);
      const token = await (kept ?? startFetch(key, counterpart, challenge, scope));
      if (clock.monotonic() < token.until) return `Bearer ${token.value}`;
      if (tokens.get(key) === kept) tokens.delete(key);
    }
  }

  /** Everybody who needs the same token waits for one request; one that failed is not kept. */
  function startFetch(key: string, counterpart: Counterpart, challenge: Challenge, scope: string): Promise<Token> {
    const pending = fetchToken(counterpart, challenge, scope);
    if (tokens.size >= CACHE_LIMIT) tokens.clear();
    tokens.set(key, pending);
    pending.catch(() => {
      if (tokens.get(key) === pending) tokens.delete(key);
    });
    return pending;
  }

  async function fetchToken(counterpart: Counterpart, challenge: Challenge, scope: string): Promise<Token> {
    const { host } = counterpart;
    const realm = URL.parse(challenge.parameters.get('realm') ?? '');
    if (realm === null) throw new FetchError({ kind: 'unreachable', host, reason: 'it names no token server that can be asked' });
    const service = challenge.parameters.get('service');
    const trusted = mayReceiveCredentials(counterpart.base, realm, realmHosts);
    const credentials = trusted ? await keychain.find(host) : undefined;
    if (credentials?.kind === 'bearer') return { value: credentials.token, until: clock.monotonic() + DEFAULT_LIFETIME * 1000 };

    let answer = await send(host, tokenRequest(realm, service, scope, credentials));
    // A stale login must not hide a public image: asked again without a name.
    if ((answer.status === 401 || answer.status === 403) && credentials !== undefined) {
      discardBody(answer);
      answer = await send(host, tokenRequest(realm, service, scope, undefined));
      if (answer.status === 401 || answer.status === 403) {
        discardBody(answer);
        throw denied(host, `its token server refuses the login (docker login ${host})`);
      }
    }
    if (answer.status === 401 || answer.status === 403) {
      discardBody(answer);
      const withheld = !trusted && (await keychain.find(host)) !== undefined;
      throw denied(
        host,
        withheld
          ? `it asks to send its login to ${realm.host}, another host; allow that host as its token server if it is right`
          : `its token server gives no token without a login (docker login ${host})`,
      );
    }
    if (answer.status !== 200) {
      discardBody(answer);
      throw new FetchError({ kind: 'unreachable', host, reason: `its token server answers HTTP ${answer.status}` });
    }
    return parseToken(host, await readBody(host, answer, TOKEN_ANSWER_LIMIT, bodyPatience), clock.monotonic());
  }

  return {
    authorize,
    forget: (counterpart, scope) => void tokens.delete(keyOf(counterpart, scope)),
    hasLogin: async (host) => (await keychain.find(host)) !== undefined,
  };
}

function tokenRequest(realm: URL, service: string | undefined, scope: string, credentials: Credentials | undefined): WireRequest {
  if (credentials?.kind === 'identity') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: 'holdfast',
      scope,
      refresh_token: credentials.token,
    });
    if (service !== undefined) form.set('service', service);
    return {
      method: 'POST',
      url: realm,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
    };
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.append('scope', scope);
  return { method: 'GET', url, headers: credentials?.kind === 'password' ? { authorization: basic(credentials) } : {} };
}

function parseToken(host: string, bytes: Uint8Array, now: number): Token {
  const answer = readJson(bytes);
  const value = isJsonObject(answer) ? (answer['token'] ?? answer['access_token']) : undefined;
  // A line break in it would end the header that it is put into.
  if (typeof value !== 'string' || value === '' || !/^[\x21-\x7e]+$/.test(value)) {
    throw new FetchError({ kind: 'corrupt', host, reason: 'its token server answers without a token' });
  }
  const seconds =
    isJsonObject(answer) && typeof answer['expires_in'] === 'number' && answer['expires_in'] > 0
      ? answer['expires_in']
      : DEFAULT_LIFETIME;
  return { value, until: now + Math.max(seconds * 1000 - MARGIN, 1000) };
}

function readJson(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes);
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

function basic(credentials: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
}

function denied(host: string, reason: string): FetchError {
  return new FetchError({ kind: 'denied', host, reason });
}
