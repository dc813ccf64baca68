import type { IncomingMessage } from 'node:http';
import type { Principal } from '../../access/principal.ts';
import { Fault } from '../../core/fault.ts';
import type { Caller, Place } from '../../core/place.ts';
import { signedRequest } from '../aws/json-protocol.ts';
import type { ApiAccess } from './operation.ts';

const SIGNING_NAMES: ReadonlySet<string> = new Set(['holdfast']);

export interface ApiPlaces {
  /** The account and region of a `Host` header. Raises `account-unknown`, `region-unknown`. */
  ofHost(host: string | undefined): Place;
  regions: readonly string[];
}

export interface Authenticated {
  principal: Principal;
  caller: Caller;
}

/**
 * Who sends a request: by a signature for the service `holdfast`, which acts in the region of its scope, or by Basic
 * credentials (a key's id and secret, or `AWS` and a token), which act in `region` or else in the host's region.
 */
export async function authenticate(
  request: IncomingMessage,
  body: Uint8Array,
  region: string | undefined,
  access: ApiAccess,
  places: ApiPlaces,
): Promise<Authenticated> {
  const header = request.headers.authorization ?? '';
  const scheme = header.slice(0, header.indexOf(' ')).toLowerCase();
  if (scheme === 'basic') {
    const { user, password } = readBasic(header);
    const principal = await access.authenticateBasic(user, password);
    const place = region === undefined ? places.ofHost(request.headers.host) : { account: principal.account, region };
    if (!places.regions.includes(place.region))
      throw new Fault('region-unknown', { region: place.region.slice(0, 64), served: [...places.regions] });
    return { principal, caller: { account: principal.account, region: place.region, principal: principal.arn } };
  }
  if (header === '')
    throw new Fault('unauthenticated', {
      reason:
        'Sign the request for the service "holdfast", or send a key as Basic credentials: curl -u "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"',
    });
  const signed = await access.authenticateSignature(signedRequest(request, body), SIGNING_NAMES);
  if (region !== undefined && region !== signed.region)
    throw new Fault('request-invalid', { reason: `The request is signed for the region ${signed.region} and asks for another.` });
  return {
    principal: signed.principal,
    caller: { account: signed.principal.account, region: signed.region, principal: signed.principal.arn },
  };
}

function readBasic(header: string): { user: string; password: string } {
  const text = Buffer.from(header.slice('basic '.length).trim(), 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) throw new Fault('unauthenticated', { reason: 'The Basic credentials have no colon.' });
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
