import type { Reference } from '../core/reference.ts';
import { matchesWildcard } from '../core/wildcard.ts';

/** Which images are the pinner's business. A pattern without `/` is a host, one with it a host and a path; `*` is any run of characters. */
export interface RegistryFilter {
  /** When any is given, only these. */
  allow: string[];
  /** Never these. */
  deny: string[];
}

export function isAdmitted(reference: Reference, { allow, deny }: RegistryFilter): boolean {
  const matches = (pattern: string): boolean =>
    matchesWildcard(pattern.includes('/') ? pattern : `${pattern}/*`, `${reference.host}/${reference.path}`);
  return !deny.some(matches) && (allow.length === 0 || allow.some(matches));
}
