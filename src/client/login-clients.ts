import type { Keychain } from './credentials/keychain.ts';
import type { RegistryClient } from './registry-client.ts';

/** Clients that each know one login, for one registry alone: what one of them was told is not for the others. */
export interface LoginClients {
  /** `host` as references name it. Two calls with the same login may give the same client. */
  get(host: string, login: { username: string; password: string }): RegistryClient;
  /** Lets idle connections go. */
  close(): void;
}

/** So many keep their tokens and connections; one that is forgotten while it is used goes on to its end. */
const KEPT = 32;

export function createLoginClients(open: (keychain: Keychain) => RegistryClient): LoginClients {
  const clients = new Map<string, RegistryClient>();
  return {
    get(host, { username, password }) {
      const key = JSON.stringify([host, username, password]);
      const credentials = { kind: 'password', username, password } as const;
      const client = clients.get(key) ?? open({ find: (asked) => Promise.resolve(asked === host ? credentials : undefined) });
      clients.delete(key);
      clients.set(key, client);
      const [oldest] = clients.keys();
      if (clients.size > KEPT && oldest !== undefined) clients.delete(oldest);
      return client;
    },
    close() {
      for (const client of clients.values()) client.close();
      clients.clear();
    },
  };
}
