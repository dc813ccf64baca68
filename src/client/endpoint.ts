import { DOCKER_HUB } from '../core/reference.ts';
import { hostnameOf } from './address.ts';

/** Where the registry API of a reference's host answers: Docker Hub's has a name of its own. */
export function registryHost(host: string): string {
  return host === DOCKER_HUB ? 'registry-1.docker.io' : host;
}

/** Who may see a registry's credentials besides the registry, where the parent-domain rule does not say it. */
const KNOWN_REALMS: ReadonlyMap<string, string> = new Map([['registry-1.docker.io', 'auth.docker.io']]);

/**
 * True when a token server may be given the credentials of a registry: it is the same origin; or, over https and the usual
 * port, a parent domain (whoever runs gitlab.com already runs registry.gitlab.com), a pair known here, or one that the
 * person has listed in `realmHosts` (registry host -> token host). Everywhere else the token is asked for without a name.
 */
export function mayReceiveCredentials(registry: URL, realm: URL, realmHosts: ReadonlyMap<string, string>): boolean {
  if (realm.origin === registry.origin) return true;
  if (realmHosts.get(registry.host) === realm.host && realm.protocol === registry.protocol) return true;
  if (realm.protocol !== 'https:' || realm.port !== '' || registry.protocol !== 'https:' || registry.port !== '') return false;
  const token = hostnameOf(realm.host);
  return KNOWN_REALMS.get(registry.host) === token || (token.includes('.') && hostnameOf(registry.host).endsWith(`.${token}`));
}
