import { Fault } from '../../core/fault.ts';

export interface BasicCredentials {
  user: string;
  password: string;
}

/** The token of those who have no credentials. */
export const ANONYMOUS_TOKEN = 'anonymous';

/**
 * Reads an `Authorization` header: Basic credentials, or a token that was fetched with them and stands for the password of
 * `AWS`. `undefined` for a client without credentials; some send an empty user and password then. Raises
 * `unauthenticated` for anything else.
 */
export function parseCredentials(header: string | undefined): BasicCredentials | undefined {
  if (header === undefined || header === '') return undefined;
  if (header.slice(0, 7).toLowerCase() === 'bearer ') {
    const token = header.slice(7).trim();
    return token === ANONYMOUS_TOKEN ? undefined : { user: 'AWS', password: token };
  }
  if (header.slice(0, 6).toLowerCase() !== 'basic ')
    throw new Fault('unauthenticated', { reason: 'only Basic credentials and tokens fetched with them are understood here' });
  const text = Buffer.from(header.slice(6).trim(), 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) throw new Fault('unauthenticated', { reason: 'the Basic credentials have no colon' });
  if (text.length === 1) return undefined;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
