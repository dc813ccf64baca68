import { isDigest, type Digest } from './digest.ts';
import { Fault } from './fault.ts';
import { isTag, type Tag } from './tag.ts';

/**
 * An image reference as people write it, `[host[:port]/]path[:tag][@digest]`, by the grammar of distribution/reference:
 * the first component is a host when it has a dot or a colon, is `localhost`, or has an upper-case letter; otherwise the
 * reference belongs to Docker Hub, where a path of one component lives below `library/`.
 */
export interface Reference {
  /** `docker.io` when none was written. */
  host: string;
  /** With `library/` for Docker Hub's official images. */
  path: string;
  tag?: Tag;
  digest?: Digest;
}

export const DOCKER_HUB = 'docker.io';
const HOST =
  /^(?:\[[a-fA-F0-9:.]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*\.?)(?::[0-9]{1,5})?$/;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;

/** Raises `reference-invalid`. */
export function parseReference(text: string): Reference {
  if (text.length > 1024) invalid(text, 'longer than 1024 characters');
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) invalid(text, 'the part after "@" is not a sha256 or sha512 digest');
  let name = at < 0 ? text : text.slice(0, at);
  let tag: Tag | undefined;
  const colon = name.lastIndexOf(':');
  if (colon > name.lastIndexOf('/') && !name.endsWith(']')) {
    const written = name.slice(colon + 1);
    if (!isTag(written)) invalid(text, 'the part after ":" is not a tag');
    tag = written;
    name = name.slice(0, colon);
  }
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const hasHost = slash > 0 && (/[.:[]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const host = hasHost ? first : DOCKER_HUB;
  if (!HOST.test(host)) invalid(text, `"${host}" is not a host name`);
  let path = hasHost ? name.slice(slash + 1) : name;
  if (path === '' || path.length > 255 || !path.split('/').every((part) => COMPONENT.test(part))) {
    invalid(text, 'a repository path is lower-case letters and digits, separated by ".", "_", "-" or "/"');
  }
  const isHub = host === DOCKER_HUB || host === 'index.docker.io';
  if (isHub && !path.includes('/')) path = `library/${path}`;
  return { host: isHub ? DOCKER_HUB : host, path, ...(tag ? { tag } : {}), ...(digest ? { digest } : {}) };
}

/** The shortest form that parses to the same reference. */
export function formatReference(reference: Reference): string {
  const isHub = reference.host === DOCKER_HUB;
  const path = isHub && reference.path.startsWith('library/') ? reference.path.slice('library/'.length) : reference.path;
  const name = isHub ? path : `${reference.host}/${path}`;
  return `${name}${reference.tag ? `:${reference.tag}` : ''}${reference.digest ? `@${reference.digest}` : ''}`;
}

function invalid(text: string, reason: string): never {
  throw new Fault('reference-invalid', { text: text.slice(0, 300), reason });
}
