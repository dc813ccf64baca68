/** A request target in its two parts, as they were sent: nothing is decoded here. */
export interface RequestTarget {
  path: string;
  /** Without the question mark; empty when there is none. */
  query: string;
}

/** Splits a request target. A client that talks as to a proxy sends a whole URL; its authority is cut off (RFC 9112, 3.2.2). */
export function splitTarget(url: string): RequestTarget {
  let target = url;
  if (target.charCodeAt(0) !== 0x2f) {
    const scheme = target.indexOf('://');
    const slash = scheme < 0 ? -1 : target.indexOf('/', scheme + 3);
    target = slash < 0 ? '/' : target.slice(slash);
  }
  const mark = target.indexOf('?');
  return mark < 0 ? { path: target, query: '' } : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

/** A path as a log or an error may show it: without the secret of a download link, wherever it stands, or of a container. */
export function loggablePath(path: string): string {
  const container = /^\/(?:v4|api)\/[^/]*/.exec(path)?.[0];
  if (container !== undefined)
    return `${container.slice(0, container.indexOf('/', 1) + 1)}…${path.slice(container.length).slice(0, 100)}`;
  const secret = '/holdfast/download/';
  const at = path.indexOf(secret);
  return at >= 0 && at < 500 ? `${path.slice(0, at + secret.length)}…` : path.slice(0, 500);
}
