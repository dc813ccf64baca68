import type { Clock } from '../../core/clock.ts';

/** What proves to a registry who we are. */
export type Credentials =
  | { kind: 'password'; username: string; password: string }
  /** A refresh token, exchanged at the token server (`identitytoken` in docker's config.json). */
  | { kind: 'identity'; token: string }
  /** Sent as it is (`registrytoken`). */
  | { kind: 'bearer'; token: string };

export interface Keychain {
  /** The login for a registry host as references name it (`docker.io`, `host:port`). A source that fails has warned and gives nothing. */
  find(host: string): Promise<Credentials | undefined>;
}

/** One place where logins are kept. Raises CredentialError when it should have one and cannot give it. */
export interface CredentialSource {
  find(host: string): Promise<Credentials | undefined>;
}

/** A login that should be there and cannot be had: a missing helper program, an expired key. Never holds a secret. */
export class CredentialError extends Error {}

/** How long a login is kept before its source is asked again, in milliseconds. */
const KEPT = 5 * 60_000;

/**
 * Asks the sources in order; the first that has a login wins. A broken source is told once to `warn` and passed over, so
 * that one missing helper does not hide the public images of every other host.
 */
export function createKeychain(sources: CredentialSource[], clock: Clock, warn: (message: string) => void): Keychain {
  const found = new Map<string, { until: number; credentials: Promise<Credentials | undefined> }>();
  const warned = new Set<string>();

  async function ask(host: string): Promise<Credentials | undefined> {
    for (const source of sources) {
      try {
        const credentials = await source.find(host);
        if (credentials !== undefined) return credentials;
      } catch (error) {
        if (!(error instanceof CredentialError)) throw error;
        if (!warned.has(error.message)) warn(error.message);
        warned.add(error.message);
      }
    }
    return undefined;
  }

  return {
    find(host) {
      const kept = found.get(host);
      if (kept !== undefined && clock.monotonic() < kept.until) return kept.credentials;
      const credentials = ask(host);
      found.set(host, { until: clock.monotonic() + KEPT, credentials });
      return credentials;
    },
  };
}
