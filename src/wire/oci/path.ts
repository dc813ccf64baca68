/** What a path under `/v2/` names. The parts are as sent: nothing in here is valid yet. */
export type OciTarget =
  | { kind: 'base' }
  | { kind: 'catalog' }
  | { kind: 'manifest'; name: string; reference: string }
  | { kind: 'blob'; name: string; digest: string }
  | { kind: 'uploads'; name: string }
  | { kind: 'upload'; name: string; uploadId: string }
  | { kind: 'tags'; name: string }
  | { kind: 'referrers'; name: string; digest: string };

export type OciTargetKind = OciTarget['kind'];

/**
 * Reads a path from its end, because a repository name may hold any of the words that the routes use (`blobs`,
 * `uploads`, `tags`, …) and as many slashes as it likes. Gives `undefined` for a path that is no endpoint.
 *
 * By hand and without decoding: this runs for every request, and a name or digest has no character that needs an escape.
 * Only the last part is decoded, since some clients escape the colon of a digest.
 */
export function parseOciPath(path: string): OciTarget | undefined {
  if (path === '/v2/' || path === '/v2') return { kind: 'base' };
  if (path === '/v2/_catalog') return { kind: 'catalog' };
  if (path.endsWith('/blobs/uploads/'))
    return { kind: 'uploads', name: nameBefore(path, path.length - '/blobs/uploads/'.length) };
  if (path.endsWith('/blobs/uploads')) return { kind: 'uploads', name: nameBefore(path, path.length - '/blobs/uploads'.length) };
  const end = path.lastIndexOf('/');
  const before = path.lastIndexOf('/', end - 1);
  if (before < PREFIX) return undefined;
  const last = decode(path.slice(end + 1));
  if (last === undefined || last === '') return undefined;
  switch (path.slice(before + 1, end)) {
    case 'manifests':
      return { kind: 'manifest', name: nameBefore(path, before), reference: last };
    case 'blobs':
      return { kind: 'blob', name: nameBefore(path, before), digest: last };
    case 'referrers':
      return { kind: 'referrers', name: nameBefore(path, before), digest: last };
    case 'tags':
      return last === 'list' ? { kind: 'tags', name: nameBefore(path, before) } : undefined;
    case 'uploads': {
      const blobs = before - '/blobs'.length;
      return path.startsWith('/blobs', blobs) ? { kind: 'upload', name: nameBefore(path, blobs), uploadId: last } : undefined;
    }
    default:
      return undefined;
  }
}

/** Where a name starts: behind `/v2/`. */
const PREFIX = '/v2/'.length - 1;

function nameBefore(path: string, end: number): string {
  return path.slice(PREFIX + 1, Math.max(end, PREFIX + 1));
}

function decode(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
