import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { showName, TarError, type TarEntry } from '../../../core/tar-entry.ts';
import { CAPABILITY, createFileCapabilities } from './file-capabilities.ts';
import { createLayerFolder, join, type LayerFolder, type Place } from './layer-folder.ts';

const WHITEOUT = Buffer.from('.wh.');
const OPAQUE = Buffer.from('.wh..wh..opq');
const LARGEST_ID = 0xff_ff_ff_fe;
const LARGEST_TIME = 2 ** 33;
const MOST_FIFOS = 1000;

/** What a layer holds beside its files. Paths are below its root, in base64 because names are bytes. */
export interface WrittenLayer {
  entries: number;
  /** Bytes of its files. */
  bytes: number;
  opaque: string[];
  /** Device nodes below `/dev`, which every container gets of its own. */
  skippedDevices: number;
  /** Entries with extended attributes other than the capabilities of a file, which were not kept. */
  droppedAttributes: number;
}

/**
 * Writes the entries of one layer into `root`, which is fresh, as overlayfs wants a lower layer: whiteouts become
 * devices 0:0, folders that hide what lies below them get their attribute. `scratch` is a fresh folder beside it, on the
 * same file system. Raises `TarError` for what does not belong into an image, errors of the file system as they are.
 * Must run as root.
 */
export async function writeLayer(entries: AsyncIterable<TarEntry>, root: string, scratch: string): Promise<WrittenLayer> {
  const rootPath = Buffer.from(root);
  const folder = createLayerFolder(rootPath);
  const layer: WrittenLayer = { entries: 0, bytes: 0, opaque: [], skippedDevices: 0, droppedAttributes: 0 };
  const capabilities = createFileCapabilities(scratch);
  const hidden: Buffer[] = [];
  /** Of folders that show nothing from below: a name in each. */
  const emptied: Buffer[] = [];
  let fifos = 0;

  for await (const entry of entries) {
    layer.entries++;
    const below = nameOf(entry);
    if (below.subarray(0, WHITEOUT.length).equals(WHITEOUT)) {
      noteWhiteout(entry, below, hidden, emptied);
      continue;
    }
    if (entry.type === 'character-device' && entry.deviceMajor === 0 && entry.deviceMinor === 0) {
      hidden.push(Buffer.from(entry.name));
      continue;
    }
    if (entry.uid > LARGEST_ID || entry.gid > LARGEST_ID) refuse(entry, 'belongs to a user or group number above 4294967294');
    const place = folder.place(entry.name);
    if (place.base.length === 0 && entry.type !== 'folder') refuse(entry, 'takes the place of the root folder');
    switch (entry.type) {
      case 'folder':
        folder.makeFolder(place.path);
        own(place.path, entry);
        folder.setTimeLater(place.path, timeOf(entry));
        break;
      case 'file':
        folder.clear(place.path);
        await writeFile(place.path, entry);
        layer.bytes += entry.size;
        break;
      case 'symbolic-link':
        writeLink(folder, place, entry);
        break;
      case 'hard-link':
        writeHardLink(folder, place, entry);
        break;
      case 'fifo':
        if (++fifos > MOST_FIFOS) refuse(entry, `is one of more than ${MOST_FIFOS} named pipes`);
        writeFifo(folder, place, entry, scratch);
        break;
      case 'character-device':
      case 'block-device':
        if (!isBelowDev(entry.name)) refuse(entry, 'is a device, which an image may have below /dev only');
        layer.skippedDevices++;
        break;
      case 'unknown':
        refuse(entry, `is of the unknown type ${JSON.stringify(entry.typeFlag)}`);
    }
    const isCapable = entry.xattrs.has(CAPABILITY) && hasFile(entry) && capabilities.note(entry, place.path);
    if (entry.xattrs.size > (isCapable ? 1 : 0)) layer.droppedAttributes++;
  }
  capabilities.write();
  const opaque = findOpaque(folder, emptied);
  hide(folder, hidden, opaque, scratch);
  makeOpaque([...opaque.values()], rootPath, scratch);
  layer.opaque = [...opaque.values()].map((path) => path.subarray(rootPath.length).toString('base64'));
  folder.setTimes();
  return layer;
}

/** Only the names are noted: where they lead is asked when no entry can change it any more. */
function noteWhiteout(entry: TarEntry, base: Buffer, hidden: Buffer[], emptied: Buffer[]): void {
  const parent = entry.name.subarray(0, entry.name.length - base.length);
  if (base.equals(OPAQUE)) {
    emptied.push(join(parent, Buffer.from('x')));
    return;
  }
  // AUFS kept its own records under such names; they hide nothing.
  if (base.subarray(WHITEOUT.length, 2 * WHITEOUT.length).equals(WHITEOUT)) return;
  const name = base.subarray(WHITEOUT.length);
  if (name.length === 0 || name.equals(Buffer.from('.')) || name.equals(Buffer.from('..')))
    refuse(entry, 'hides a folder by a name that is none');
  hidden.push(Buffer.concat([parent, name]));
}

/** A link on the way is refused: it would hide something else in a container than here. */
function findOpaque(folder: LayerFolder, emptied: Buffer[]): Map<string, Buffer> {
  const opaque = new Map<string, Buffer>();
  for (const name of emptied) {
    if (folder.placeExactly(name) === undefined) folder.place(name);
    const { folder: path } = folder.placeExactly(name) as Place;
    opaque.set(path.toString('latin1'), path);
  }
  return opaque;
}

async function writeFile(path: Buffer, entry: TarEntry): Promise<void> {
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = fs.constants;
  const file = fs.openSync(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
  try {
    for await (const chunk of entry.body) {
      for (let written = 0; written < chunk.length;) written += fs.writeSync(file, chunk, written);
    }
    // In this order: a change of the owner takes the setuid bit away.
    fs.fchownSync(file, entry.uid, entry.gid);
    fs.fchmodSync(file, entry.mode & 0o7777);
    fs.futimesSync(file, timeOf(entry), timeOf(entry));
  } finally {
    fs.closeSync(file);
  }
}

function writeLink(folder: LayerFolder, { path }: Place, entry: TarEntry): void {
  if (entry.linkName.length === 0 || entry.linkName.includes(0)) refuse(entry, 'is a symbolic link to nothing');
  folder.clear(path);
  fs.symlinkSync(entry.linkName, path);
  fs.lchownSync(path, entry.uid, entry.gid);
  fs.lutimesSync(path, timeOf(entry), timeOf(entry));
}

/** A second name of what this layer has already; a symbolic link may have one, and is not followed. */
function writeHardLink(folder: LayerFolder, { path }: Place, entry: TarEntry): void {
  const target = folder.place(entry.linkName);
  const there = target.base.length === 0 ? undefined : folder.stat(target.path);
  if (there === undefined || !(there.isFile() || there.isSymbolicLink()))
    refuse(entry, `is a hard link to ${showName(entry.linkName)}, which is no earlier file of this layer`);
  if (target.path.equals(path)) refuse(entry, 'is a hard link to itself');
  folder.clear(path);
  // It may have been below what was just cleared.
  if (folder.stat(target.path) === undefined) refuse(entry, 'takes the place of the file that it links to');
  fs.linkSync(target.path, path);
}

function writeFifo(folder: LayerFolder, { path }: Place, entry: TarEntry, scratch: string): void {
  folder.clear(path);
  const made = `${scratch}/fifo`;
  execFileSync('mkfifo', [made]);
  fs.renameSync(made, path);
  own(path, entry);
}

/** `path` is a folder or a pipe of ours, never a link. */
function own(path: Buffer, entry: TarEntry): void {
  fs.lchownSync(path, entry.uid, entry.gid);
  fs.chmodSync(path, entry.mode & 0o7777);
}

/**
 * Writes whiteouts, behind all entries: a layer's own files are on top of what it hides, in whatever order they come
 * (image-spec, layer.md, "Whiteouts"). A folder that the layer hides and has too is opaque.
 */
function hide(folder: LayerFolder, hidden: Buffer[], opaque: Map<string, Buffer>, scratch: string): void {
  if (hidden.length === 0) return;
  let mark = '';
  let marks = 0;
  for (const name of hidden) {
    if (folder.placeExactly(name) === undefined) folder.place(name);
    const { path, base } = folder.placeExactly(name) as Place;
    if (base.length === 0) throw new TarError('the layer hides the root folder');
    const there = folder.stat(path);
    if (there?.isDirectory() === true) opaque.set(path.toString('latin1'), path);
    if (there !== undefined) continue;
    // File systems bound the names of one file: ext4 at 65000.
    if (marks++ % 30_000 === 0) {
      mark = `${scratch}/mark${marks}`;
      execFileSync('mknod', [mark, 'c', '0', '0']);
    }
    fs.linkSync(mark, path);
  }
  for (const name of fs.readdirSync(scratch)) if (name.startsWith('mark')) fs.unlinkSync(`${scratch}/${name}`);
}

/**
 * Marks folders as hiding everything below them. The mark is an extended attribute, which Node cannot set; overlayfs
 * sets it itself on a folder that is made where a lower one was removed, and the content is moved into that.
 */
function makeOpaque(paths: Buffer[], root: Buffer, scratch: string): void {
  const folders = paths.filter((path) => !path.equals(root));
  if (folders.length === 0) return;
  const at = `${scratch}/opaque`;
  for (const name of ['lower', 'upper', 'work', 'merged']) fs.mkdirSync(`${at}/${name}`, { recursive: true });
  for (const index of folders.keys()) fs.mkdirSync(`${at}/lower/${index}`);
  execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', 'lowerdir=lower,upperdir=upper,workdir=work', 'merged'], { cwd: at });
  try {
    for (const index of folders.keys()) {
      fs.rmdirSync(`${at}/merged/${index}`);
      fs.mkdirSync(`${at}/merged/${index}`);
    }
  } finally {
    execFileSync('umount', [`${at}/merged`]);
  }
  // The deepest first, so that the paths of the others still hold.
  for (const [index, path] of [...folders.entries()].sort(([, a], [, b]) => b.length - a.length)) {
    const fresh = Buffer.from(`${at}/upper/${index}`);
    const before = fs.lstatSync(path);
    for (const name of fs.readdirSync(path, { encoding: 'buffer' })) fs.renameSync(join(path, name), join(fresh, name));
    fs.lchownSync(fresh, before.uid, before.gid);
    fs.chmodSync(fresh, before.mode & 0o7777);
    fs.rmdirSync(path);
    fs.renameSync(fresh, path);
    fs.utimesSync(path, before.mtime, before.mtime);
  }
}

function nameOf(entry: TarEntry): Buffer {
  let end = entry.name.length;
  while (end > 0 && entry.name[end - 1] === 0x2f) end--;
  const start = entry.name.subarray(0, end).lastIndexOf(0x2f) + 1;
  return entry.name.subarray(start, end);
}

function hasFile({ type }: TarEntry): boolean {
  return type === 'file' || type === 'hard-link';
}

function isBelowDev(name: Buffer): boolean {
  return /^(?:\.?\/)*dev\//.test(name.toString('latin1'));
}

function timeOf(entry: TarEntry): number {
  return Number.isFinite(entry.mtime) ? Math.min(Math.max(0, entry.mtime), LARGEST_TIME) : 0;
}

function refuse(entry: TarEntry, what: string): never {
  throw new TarError(`${showName(entry.name)} ${what}`);
}
