import { Fault } from '../../core/fault.ts';
import type { HttpHandler } from '../http/context.ts';
import { sendJson } from '../http/send.ts';
import { ANONYMOUS_TOKEN, parseCredentials } from './credentials.ts';
import type { OciAccess } from './ports.ts';

/** Where the Bearer challenge sends clients. */
export const TOKEN_PATH = '/holdfast/token';

/**
 * Gives a token for Basic credentials, and one for none (distribution's token protocol, by GET). A token may do what the
 * credentials may: the scope that clients ask for is not looked at. It lives no longer than the password it was fetched
 * with. Raises `unauthenticated`, `token-expired`, and `operation-unsupported` for another method, upon which clients try GET.
 */
export function createTokenHandler(access: OciAccess): HttpHandler {
  return async (request, response) => {
    if (request.method !== 'GET')
      throw new Fault('operation-unsupported', { operation: `${request.method} ${TOKEN_PATH}`, instead: 'Use GET.' });
    const credentials = parseCredentials(request.headers.authorization);
    let token = ANONYMOUS_TOKEN;
    if (credentials !== undefined) {
      const principal = await access.authenticateBasic(credentials.user, credentials.password);
      token = credentials.user === 'AWS' ? credentials.password : (await access.issueToken(principal)).password;
    }
    // Clients know the answer by one name or the other.
    sendJson(response, 200, { token, access_token: token, expires_in: LIFETIME_SECONDS }, { 'Cache-Control': 'no-store' });
  };
}

/** Then clients ask again; the password behind may be good for longer, or have been revoked. */
const LIFETIME_SECONDS = 300;
