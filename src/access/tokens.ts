import type { Clock } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import { createLruCache } from '../core/lru-cache.ts';
import type { Keys } from './keys.ts';
import type { Principal } from './principal.ts';
import { seal, unseal } from './sealed.ts';
import type { ReadServerSecret } from './server-secret.ts';

export const TOKEN_LIFETIME = 12 * 60 * 60 * 1000;
const PURPOSE = 'registry token';
const CACHED_TOKENS = 10_000;

export interface IssuedToken {
  /** For the user name `AWS`. Has no `:`. */
  password: string;
  /** Milliseconds since the epoch, a whole second. */
  expiresAt: number;
}

export interface Tokens {
  /** For twelve hours. Raises `key-unknown` when the principal's key has gone meanwhile. */
  issue(principal: Principal): Promise<IssuedToken>;
  /** Raises `token-expired` for a token of ours that is too old, `unauthenticated` for anything else. */
  verify(password: string): Promise<Principal>;
}

interface TokenFacts {
  accessKeyId: string;
  epoch: number;
  expiresAt: number;
}

/**
 * Registry passwords as `GetAuthorizationToken` gives them. A token names a key and the key's epoch and nothing else: what
 * it may do is what the key may do when it is used, and a key that is revoked or changed takes its tokens with it.
 */
export function createTokens({ keys, clock, readSecret }: { keys: Keys; clock: Clock; readSecret: ReadServerSecret }): Tokens {
  const verified = createLruCache<string, TokenFacts>(CACHED_TOKENS);

  const open = async (password: string): Promise<TokenFacts> => {
    const payload = unseal(await readSecret(), PURPOSE, password);
    if (payload === undefined) throw new Fault('unauthenticated', { reason: 'the password is not a token of this server' });
    return unpack(payload);
  };

  return {
    async issue(principal) {
      const key = await keys.find(principal.accessKeyId);
      if (key === undefined) throw new Fault('key-unknown', {});
      const expiresAt = Math.floor((clock.now() + TOKEN_LIFETIME) / 1000) * 1000;
      const payload = pack({ accessKeyId: key.principal.accessKeyId, epoch: key.epoch, expiresAt });
      return { password: seal(await readSecret(), PURPOSE, payload), expiresAt };
    },

    async verify(password) {
      const cached = verified.get(password);
      const facts = cached ?? (await open(password));
      if (facts.expiresAt <= clock.now()) {
        verified.delete(password);
        throw new Fault('token-expired', {});
      }
      const key = keys.peek(facts.accessKeyId) ?? (await keys.find(facts.accessKeyId));
      if (key === undefined || key.epoch !== facts.epoch) {
        verified.delete(password);
        throw new Fault('unauthenticated', { reason: 'the access key that the token was made for is revoked or changed' });
      }
      if (cached === undefined) verified.set(password, facts);
      keys.noteUse(facts.accessKeyId);
      return key.principal;
    },
  };
}

/** Seconds in 6 bytes, the epoch in 4, then the key's id. */
function pack({ accessKeyId, epoch, expiresAt }: TokenFacts): Buffer {
  const head = Buffer.alloc(10);
  head.writeUIntBE(expiresAt / 1000, 0, 6);
  head.writeUInt32BE(epoch, 6);
  return Buffer.concat([head, Buffer.from(accessKeyId, 'latin1')]);
}

function unpack(payload: Buffer): TokenFacts {
  return {
    expiresAt: payload.readUIntBE(0, 6) * 1000,
    epoch: payload.readUInt32BE(6),
    accessKeyId: payload.toString('latin1', 10),
  };
}
