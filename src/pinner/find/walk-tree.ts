import type { DirectoryEntry, FileSystem } from '../ports.ts';
import { classifyFile } from './classify-file.ts';
import { evaluateIgnore, parseIgnore, parseIgnoreRule, type IgnoreRule } from './ignore.ts';
import { readGitIndex } from './git-index.ts';

export interface WalkOptions {
  /** Globs in the syntax of `.gitignore`, relative to each given path; when there are any, only files that match one are read. */
  include?: readonly string[];
  exclude?: readonly string[];
  /** Whether `.pinignore` files are obeyed. Default true. */
  pinignore?: boolean;
  /** Whether `.gitignore` files are obeyed, for files that git does not track. Default true. */
  gitignore?: boolean;
  /** Larger files are not read. Default 4 MiB. */
  maxFileBytes?: number;
}

/** A file that may hold references, or a place that could not be looked at and why. */
export type Walked = { kind: 'file'; path: string; bytes: Uint8Array } | { kind: 'problem'; path: string; message: string };

/** Folders of tools: what is in them was not written by the people of this tree. */
const SKIPPED = new Set([
  '.git',
  '.hg',
  '.svn',
  '.jj',
  'node_modules',
  'bower_components',
  '.terraform',
  '.terragrunt-cache',
  'cdk.out',
  '.aws-sam',
  '.serverless',
  '.venv',
  '__pycache__',
  '.tox',
  '.mypy_cache',
  '.pytest_cache',
  '.gradle',
  '.idea',
  '.yarn',
  '.pnpm-store',
  '.next',
  '.nuxt',
]);
/** A folder called `vendor` is another's code when one of these stands in it. */
const VENDOR_MARKS = new Set(['modules.txt', 'autoload.php', 'bundle']);
const MAX_FILE_BYTES = 4 << 20;
const MAX_DEPTH = 100;
const MAX_INDEX_BYTES = 256 << 20;
const BATCH = 64;

/** The rules of one folder's ignore file, and how many characters of a path lie above it. */
interface Layer {
  rules: IgnoreRule[];
  above: number;
  /** From a `.pinignore`: it holds for files that git tracks too. */
  isOwn: boolean;
}

interface Scene {
  files: FileSystem;
  options: WalkOptions;
  root: string;
  /** Paths that git tracks, relative to `gitRoot`; absent where there is no index to read. */
  tracked?: { paths: Set<string>; folders: Set<string>; above: number };
  include: IgnoreRule[];
  exclude: IgnoreRule[];
}

/**
 * The files below the given paths that are of a kind that is read, in the order of their names, with their bytes. Links are
 * never followed, except when a given path is one; so nothing is visited twice and nothing outside is read. A path that was
 * given by its own name is read whatever the ignore rules say.
 */
export async function* walkTree(files: FileSystem, paths: readonly string[], options: WalkOptions = {}): AsyncGenerator<Walked> {
  for (const given of paths) {
    const path = given.length > 1 ? given.replace(/\/+$/, '') : given;
    const status = await files.stat(path);
    if (status === undefined) yield { kind: 'problem', path, message: 'there is no such file or folder' };
    else if (status.kind === 'file') yield* readBatch(files, [path], options);
    else if (status.kind === 'directory') {
      const scene: Scene = { files, options, root: path, include: rulesOf(options.include), exclude: rulesOf(options.exclude) };
      const layers = options.gitignore === false ? [] : await openRepository(scene);
      yield* walkFolder(scene, path, layers, 0);
    } else yield { kind: 'problem', path, message: 'it is neither a file nor a folder' };
  }
}

function rulesOf(patterns: readonly string[] = []): IgnoreRule[] {
  return patterns.flatMap((pattern) => parseIgnoreRule(pattern) ?? []);
}

/** Looks for the git checkout that the root belongs to; gives the ignore rules of the folders above the root. */
async function openRepository(scene: Scene): Promise<Layer[]> {
  const up: string[] = [];
  for (let folder = scene.root, steps = 0; steps < MAX_DEPTH; steps++) {
    const index = `${prefixOf(folder)}.git/index`;
    const status = await scene.files.stat(index);
    if (status?.kind === 'file' && status.size < MAX_INDEX_BYTES) {
      const paths = readGitIndex(await scene.files.readFile(index));
      if (paths === undefined) return [];
      const folders = new Set<string>();
      for (const path of paths)
        for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1))
          folders.add(path.slice(0, slash));
      scene.tracked = { paths, folders, above: prefixOf(folder).length };
      const layers: Layer[] = [];
      for (const above of up.toReversed()) layers.push(...(await readIgnore(scene.files, above, '.gitignore')));
      return layers;
    }
    // Above a relative path there is nothing to see; callers that want the checkout around it give an absolute one.
    const slash = folder.lastIndexOf('/');
    if (slash <= 0) return [];
    folder = folder.slice(0, slash);
    up.push(folder);
  }
  return [];
}

async function readIgnore(files: FileSystem, folder: string, name: '.gitignore' | '.pinignore'): Promise<Layer[]> {
  const path = `${prefixOf(folder)}${name}`;
  const status = await files.stat(path);
  if (status?.kind !== 'file' || status.size > 1 << 20) return [];
  const text = Buffer.from(await files.readFile(path)).toString('utf8');
  return [{ rules: parseIgnore(text), above: prefixOf(folder).length, isOwn: name === '.pinignore' }];
}

/** What the paths in a folder begin with. */
function prefixOf(folder: string): string {
  return folder === '.' ? '' : folder.endsWith('/') ? folder : `${folder}/`;
}

/** `onlyTracked`: git ignores the folder, and only what it tracks all the same is read. */
async function* walkFolder(
  scene: Scene,
  folder: string,
  inherited: readonly Layer[],
  depth: number,
  onlyTracked = false,
): AsyncGenerator<Walked> {
  if (depth > MAX_DEPTH) return yield { kind: 'problem', path: folder, message: `more than ${MAX_DEPTH} folders deep` };
  let entries: DirectoryEntry[];
  try {
    entries = await scene.files.readDirectory(folder);
  } catch (error) {
    return yield { kind: 'problem', path: folder, message: sentence(error, 'the folder') };
  }
  const names = new Set(entries.map((entry) => entry.name));
  if (folder !== scene.root && /(?:^|\/)vendor$/.test(folder) && [...VENDOR_MARKS].some((mark) => names.has(mark))) return;
  const layers = [...inherited];
  if (scene.tracked && names.has('.gitignore')) layers.push(...(await readIgnore(scene.files, folder, '.gitignore')));
  if (scene.options.pinignore !== false && names.has('.pinignore'))
    layers.push(...(await readIgnore(scene.files, folder, '.pinignore')));
  entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const folders: [string, boolean][] = [];
  let batch: string[] = [];
  for (const { name, kind } of entries) {
    const path = prefixOf(folder) + name;
    if (kind === 'directory') {
      if (SKIPPED.has(name)) continue;
      const verdict = judge(scene, layers, path, true);
      const isHidden = onlyTracked || verdict === 'hidden';
      if (verdict !== 'excluded' && (!isHidden || isTracked(scene, path, true))) folders.push([path, isHidden]);
    } else if (kind === 'file' && mayBeRead(name, path) && isIncluded(scene, path)) {
      const verdict = judge(scene, layers, path, false);
      if (verdict === 'excluded' || ((onlyTracked || verdict === 'hidden') && !isTracked(scene, path, false))) continue;
      batch.push(path);
      if (batch.length === BATCH) {
        yield* readBatch(scene.files, batch, scene.options);
        batch = [];
      }
    }
  }
  yield* readBatch(scene.files, batch, scene.options);
  for (const [path, isHidden] of folders) yield* walkFolder(scene, path, layers, depth + 1, isHidden);
}

const NO_BYTES = new Uint8Array();

/** By its name alone; one without an extension, or called after a Dockerfile, may turn out to be something by its content. */
function mayBeRead(name: string, path: string): boolean {
  return !name.includes('.') || /(?:docker|container)file/i.test(name) || classifyFile(path, NO_BYTES) !== undefined;
}

function isIncluded(scene: Scene, path: string): boolean {
  return (
    scene.include.length === 0 || evaluateIgnore(scene.include, path.slice(prefixOf(scene.root).length), false) === 'ignored'
  );
}

/** `excluded`: by this tool's own rules. `hidden`: by git's, which do not hold for what git tracks. */
function judge(scene: Scene, layers: readonly Layer[], path: string, isDirectory: boolean): 'read' | 'hidden' | 'excluded' {
  if (evaluateIgnore(scene.exclude, path.slice(prefixOf(scene.root).length), isDirectory) === 'ignored') return 'excluded';
  for (let index = layers.length - 1; index >= 0; index--) {
    const layer = layers[index];
    const verdict = layer && evaluateIgnore(layer.rules, path.slice(layer.above), isDirectory);
    if (layer && verdict !== undefined) return verdict === 'kept' ? 'read' : layer.isOwn ? 'excluded' : 'hidden';
  }
  return 'read';
}

function isTracked({ tracked }: Scene, path: string, isDirectory: boolean): boolean {
  if (!tracked) return true;
  const inside = path.slice(tracked.above);
  return isDirectory ? tracked.folders.has(inside) : tracked.paths.has(inside);
}

async function* readBatch(files: FileSystem, batch: readonly string[], options: WalkOptions): AsyncGenerator<Walked> {
  const limit = options.maxFileBytes ?? MAX_FILE_BYTES;
  const read = await Promise.all(batch.map((path) => readOne(files, path, limit)));
  for (const one of read) if (one) yield one;
}

async function readOne(files: FileSystem, path: string, limit: number): Promise<Walked | undefined> {
  try {
    const status = await files.stat(path);
    if (status?.kind !== 'file')
      return status === undefined ? { kind: 'problem', path, message: 'the file went away' } : undefined;
    if (status.size > limit)
      return { kind: 'problem', path, message: `larger than ${Math.round(limit / 1024)} KiB, so it was not read` };
    if (status.size === 0) return undefined;
    return { kind: 'file', path, bytes: await files.readFile(path) };
  } catch (error) {
    return { kind: 'problem', path, message: sentence(error, 'the file') };
  }
}

function sentence(error: unknown, what: string): string {
  const code = (error as { code?: unknown }).code;
  if (code === 'EACCES' || code === 'EPERM') return `${what} may not be read (permission denied)`;
  if (code === 'ENOENT') return `${what} went away`;
  if (typeof code === 'string') return `${what} could not be read (${code})`;
  throw error;
}
