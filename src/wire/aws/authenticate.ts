import type { Access } from '../../access/access.ts';
import type { Principal } from '../../access/principal.ts';
import type { Authenticate } from './json-protocol.ts';

/** Who signed a request, by the access room. The region of the credential scope is the one that the call acts in. */
export function createAuthenticate(access: Pick<Access, 'authenticateSignature'>): Authenticate<Principal> {
  return async (request, signingNames) => {
    const { principal, region } = await access.authenticateSignature(request, signingNames);
    return { caller: { account: principal.account, region, principal: principal.arn }, identity: principal };
  };
}
