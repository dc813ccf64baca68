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

/** A path as the log may show it: without the secret that a download link carries. */
export function loggablePath(path: string): string {
  const secret = '/holdfast/download/';
  return path.startsWith(secret) ? `${secret}…` : path.slice(0, 500);
}
