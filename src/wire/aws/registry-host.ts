import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Place } from '../../core/place.ts';

/** By which names clients reach this server. */
export interface PublicAddress {
  /** `host` or `host:port` as the operator set it; absent: what the request was sent to. */
  publicHost?: string;
  /** The first one is reached by the bare host name; the others by `<account>.dkr.ecr.<region>.<host>`. */
  regions: readonly string[];
}

const HOST = /^(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}))(?::[0-9]{1,5})?$/;
/** A name that says its region; what is behind it is the bare host. */
const REGIONAL = /^[0-9]{12}\.dkr\.ecr\.[a-z0-9-]{1,40}\.(.+)$/;

/**
 * The host (and port) of the registry of a place: what stands before the slash of a `repositoryUri`, and what the OCI
 * wire finds the region by. `requestHost` is the request's `Host`, used when the operator has set no name.
 */
export function registryHost(address: PublicAddress, requestHost: string | undefined, place: Place): string {
  const host = bareHost(address.publicHost ?? (requestHost !== undefined && HOST.test(requestHost) ? requestHost : 'localhost'));
  // An operator who wrote a name with its region gets it back, and the like of it for the other regions.
  const isBare = address.publicHost === undefined || !REGIONAL.test(address.publicHost);
  if (isBare && place.region === address.regions[0]) return host;
  return `${place.account}.dkr.ecr.${place.region}.${isLoopback(host) ? `localhost${portOf(host)}` : host}`;
}

/** `http` or `https`, as the client sees it: a proxy in front may have taken the TLS off. */
export function requestScheme(request: IncomingMessage): 'http' | 'https' {
  const encrypted = (request.socket as Partial<TLSSocket>).encrypted === true;
  return encrypted || request.headers['x-forwarded-proto'] === 'https' ? 'https' : 'http';
}

function bareHost(host: string): string {
  return REGIONAL.exec(host)?.[1] ?? host;
}

function portOf(host: string): string {
  return /:[0-9]{1,5}$/.exec(host)?.[0] ?? '';
}

function isLoopback(host: string): boolean {
  const name = host.slice(0, host.length - portOf(host).length);
  return name === 'localhost' || name.endsWith('.localhost') || name === '[::1]' || /^127\.[0-9.]+$/.test(name);
}
