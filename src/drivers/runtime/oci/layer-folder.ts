import * as fs from 'node:fs';
import { showName, splitEntryName, TarError } from '../../../core/tar-entry.ts';

const DEEPEST_LINKS = 40;
const SLASH = Buffer.from('/');

/**
 * The folder that one layer is written into: it says where a name of the archive leads, and never outside. Links are
 * followed as the container would follow them, with the folder as `/`. That is safe without `openat` because nobody
 * but this thread can change anything in the folder (it is fresh, and 0700): see docs/decisions, "unpacking layers".
 */
export interface LayerFolder {
  /** The real folder that holds the last component, made where it is missing, and the path of the entry in it. */
  place(name: Buffer): Place;
  /** As `place`, but a link on the way is refused and nothing is made; undefined when the folder is not there. */
  placeExactly(name: Buffer): Place | undefined;
  /** What is at the path, links not followed; `undefined` when nothing is. */
  stat(path: Buffer): fs.Stats | undefined;
  /** Takes away whatever is at the path. */
  clear(path: Buffer): void;
  /** Makes a folder, or leaves the one that is there. */
  makeFolder(path: Buffer): void;
  /** Asks that a folder gets this time when everything has been written into it. */
  setTimeLater(path: Buffer, mtime: number): void;
  setTimes(): void;
}

export interface Place {
  path: Buffer;
  /** The last component; empty for the root itself. */
  base: Buffer;
  folder: Buffer;
}

/** `root` exists, is empty and belongs to us alone. Raises `TarError` for a name that leads nowhere good. */
export function createLayerFolder(root: Buffer): LayerFolder {
  /** Folders that were seen to be real ones; exact, because only `clear` can end one. */
  const folders = new Set<string>([key(root)]);
  const times = new Map<string, { path: Buffer; mtime: number }>();

  function stat(path: Buffer): fs.Stats | undefined {
    return fs.lstatSync(path, { throwIfNoEntry: false });
  }

  function makeFolder(path: Buffer): void {
    if (folders.has(key(path))) return;
    const there = stat(path);
    if (there?.isDirectory() !== true) {
      if (there !== undefined) clear(path);
      fs.mkdirSync(path, 0o755);
    }
    folders.add(key(path));
  }

  function clear(path: Buffer): void {
    const there = stat(path);
    if (there === undefined) return;
    if (!there.isDirectory()) return fs.unlinkSync(path);
    removeFolder(path);
    const prefix = `${key(path)}/`;
    for (const known of [...folders, ...times.keys()]) {
      if (known !== key(path) && !known.startsWith(prefix)) continue;
      folders.delete(known);
      times.delete(known);
    }
  }

  function walk(name: Buffer, components: Buffer[], exactly: boolean): Buffer | undefined {
    const ahead = [...components].reverse();
    const passed: Buffer[] = [root];
    let links = 0;
    for (let component = ahead.pop(); component !== undefined; component = ahead.pop()) {
      if (isDots(component, 2)) {
        if (passed.length > 1) passed.pop();
        continue;
      }
      const path = join(passed.at(-1) ?? root, component);
      if (folders.has(key(path))) {
        passed.push(path);
        continue;
      }
      const there = stat(path);
      if (there === undefined) {
        if (exactly) return undefined;
        makeFolder(path);
      } else if (there.isSymbolicLink()) {
        if (exactly) throw new TarError(`${showName(name)} lies behind the symbolic link ${showName(component)}`);
        if (++links > DEEPEST_LINKS) throw new TarError(`${showName(name)} lies behind too many symbolic links`);
        const target = fs.readlinkSync(path, { encoding: 'buffer' });
        if (target[0] === 0x2f) passed.splice(1);
        ahead.push(...splitTarget(target).reverse());
        if (ahead.length > 4096) throw new TarError(`${showName(name)} lies behind too many symbolic links`);
        continue;
      } else if (!there.isDirectory()) {
        throw new TarError(`${showName(name)} lies below ${showName(component)}, which is not a folder`);
      }
      folders.add(key(path));
      passed.push(path);
    }
    return passed.at(-1) ?? root;
  }

  function find(name: Buffer, exactly: boolean): Place | undefined {
    const components = splitEntryName(name);
    const base = components.pop();
    if (base === undefined) return { path: root, base: Buffer.alloc(0), folder: root };
    const folder = walk(name, components, exactly);
    return folder === undefined ? undefined : { path: join(folder, base), base, folder };
  }

  return {
    place: (name) => find(name, false) as Place,
    placeExactly: (name) => find(name, true),
    stat,
    clear,
    makeFolder,
    setTimeLater: (path, mtime) => void times.set(key(path), { path, mtime }),
    setTimes() {
      for (const { path, mtime } of times.values()) fs.utimesSync(path, mtime, mtime);
    },
  };
}

export function join(folder: Buffer, name: Buffer): Buffer {
  return Buffer.concat([folder, SLASH, name]);
}

/** Bytes as a key: two names that differ differ here, which decoding as UTF-8 does not promise. */
function key(path: Buffer): string {
  return path.toString('latin1');
}

function isDots(component: Buffer, count: number): boolean {
  return component.length === count && component.every((byte) => byte === 0x2e);
}

function splitTarget(target: Buffer): Buffer[] {
  const components: Buffer[] = [];
  for (let start = 0; start <= target.length;) {
    const slash = target.indexOf(0x2f, start);
    const end = slash < 0 ? target.length : slash;
    const component = target.subarray(start, end);
    start = end + 1;
    if (component.length > 0 && !isDots(component, 1)) components.push(component);
  }
  return components;
}

/** Node's own recursive removal reads names as text, and so misses those that are not UTF-8. */
function removeFolder(path: Buffer): void {
  for (const entry of fs.readdirSync(path, { withFileTypes: true, encoding: 'buffer' })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) removeFolder(child);
    else fs.unlinkSync(child);
  }
  fs.rmdirSync(path);
}
