import { Fault } from '../../core/fault.ts';

export interface BasicCredentials {
  user: string;
  password: string;
}

/**
 * Reads an `Authorization` header. `undefined` for a client without credentials; some send an empty user and password
 * then. Raises `unauthenticated` for what is not Basic.
 */
export function parseBasic(header: string | undefined): BasicCredentials | undefined {
  if (header === undefined || header === '') return undefined;
  if (header.slice(0, 6).toLowerCase() !== 'basic ')
    throw new Fault('unauthenticated', { reason: 'only Basic credentials are understood here' });
  const text = Buffer.from(header.slice(6).trim(), 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) throw new Fault('unauthenticated', { reason: 'the Basic credentials have no colon' });
  if (text.length === 1) return undefined;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
