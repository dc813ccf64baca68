import * as fs from 'node:fs/promises';
import { errorCode } from './error-code.ts';

/** The files of a container as it sees them, read from the folders that overlayfs puts on top of each other. Nothing is mounted. */
export interface LayerView {
  /** What is at an absolute path, links on the way followed within the container; the last one too. */
  find(path: string): Promise<Found>;
  /** Whether the entry itself is a link: only the last component is looked at, and it is not followed. */
  kindOf(path: string): Promise<Kind>;
  /** At most `limit` bytes of a regular file; `undefined` when there is none. */
  read(path: string, limit: number): Promise<Buffer | undefined>;
}

export type Kind = 'missing' | 'folder' | 'file' | 'link' | 'other';
export interface Found {
  kind: Exclude<Kind, 'link'>;
  /** Where it is on this machine. */
  path?: string;
  /** Where it is in the container, with no link on the way; empty for the root. */
  at: string;
}

export interface LayerOfView {
  path: string;
  /** Folders, below its root and with a leading slash, that hide what lies below them in lower layers. */
  opaque: ReadonlySet<string>;
}

const DEEPEST_LINKS = 40;

/** `layers` from the top down. */
export function createLayerView(layers: LayerOfView[]): LayerView {
  /** Looks at one name, whose folder is known to be a real one to the container; what hides lower layers ends the search. */
  async function look(path: string): Promise<{ kind: Kind; path?: string; target?: string }> {
    for (const layer of layers) {
      const { at, isLast } = await reach(layer, path);
      const stat = at === undefined ? undefined : await fs.lstat(at).catch(unlessMissing);
      if (at !== undefined && stat !== undefined) {
        if (stat.isDirectory()) return { kind: 'folder', path: at };
        if (stat.isSymbolicLink()) return { kind: 'link', target: await fs.readlink(at) };
        if (stat.isFile()) return { kind: 'file', path: at };
        return stat.isCharacterDevice() && stat.rdev === 0 ? { kind: 'missing' } : { kind: 'other' };
      }
      if (isLast) break;
    }
    return { kind: 'missing' };
  }

  /**
   * The path in one layer, when this layer has real folders all the way: one of its links would lead into this machine's own
   * files. `isLast`: it has something on the way that hides all lower layers.
   */
  async function reach(layer: LayerOfView, path: string): Promise<{ at?: string; isLast: boolean }> {
    let isLast = layer.opaque.has('');
    for (let slash = path.indexOf('/', 1); slash > 0; slash = path.indexOf('/', slash + 1)) {
      const parent = path.slice(0, slash);
      const stat = await fs.lstat(`${layer.path}${parent}`).catch(unlessMissing);
      if (stat === undefined) return { isLast };
      if (!stat.isDirectory()) return { isLast: true };
      isLast ||= layer.opaque.has(parent);
    }
    return { at: `${layer.path}${path}`, isLast };
  }

  async function find(path: string): Promise<Found> {
    const ahead = split(path).reverse();
    let at = '';
    let links = 0;
    let last: Omit<Found, 'at'> = layers[0] === undefined ? { kind: 'folder' } : { kind: 'folder', path: layers[0].path };
    for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
      if (name === '..') {
        at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
        last = { kind: 'folder' };
        continue;
      }
      const seen = await look(`${at}/${name}`);
      if (seen.kind === 'link') {
        if (++links > DEEPEST_LINKS) return { kind: 'missing', at };
        const target = seen.target ?? '';
        if (target.startsWith('/')) at = '';
        ahead.push(...split(target).reverse());
        continue;
      }
      if (seen.kind !== 'folder' && ahead.length > 0) return { kind: 'missing', at };
      at = `${at}/${name}`;
      last = seen.path === undefined ? { kind: seen.kind } : { kind: seen.kind, path: seen.path };
    }
    return { ...last, at };
  }

  return {
    find,
    kindOf: async (path) => (await look(path)).kind,
    async read(path, limit) {
      const found = await find(path);
      if (found.kind !== 'file' || found.path === undefined) return undefined;
      const file = await fs.open(found.path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
      try {
        const buffer = Buffer.alloc(Math.min(limit, (await file.stat()).size));
        let filled = 0;
        while (filled < buffer.length) {
          const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        return buffer.subarray(0, filled);
      } finally {
        await file.close();
      }
    },
  };
}

function split(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function unlessMissing(error: unknown): undefined {
  const code = errorCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENAMETOOLONG') return undefined;
  throw error;
}
