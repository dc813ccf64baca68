import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { showName, TarError, type TarEntry } from '../../../core/tar-entry.ts';
import { errorCode } from './error-code.ts';

/** The extended attribute that holds what a program may do more than who starts it. */
export const CAPABILITY = 'security.capability';
const MOST = 1000;

/** Bytes of each revision of the attribute, by the highest byte of its first word (linux/capability.h, `vfs_cap_data`). */
const SIZES: ReadonlyMap<number, number> = new Map([
  [1, 12],
  [2, 20],
  [3, 24],
]);
const EFFECTIVE = 1;
const SECOND_REVISION = 0x0200_0000;
const NOBODY = 0xffff_ffff;

/**
 * The capabilities of a layer's programs. Node cannot set extended attributes: `setfattr` does, once for a layer, behind all
 * entries, because a change of the owner takes them away.
 */
export interface FileCapabilities {
  /** `path` is what the entry has just become; false when that is no regular file. Raises `TarError` for no such attribute. */
  note(entry: TarEntry, path: Buffer): boolean;
  /** Raises an Error that says what is missing when this machine, or its file system, cannot. */
  write(): void;
}

/** `scratch` is a folder of our own on the file system of the layer. */
export function createFileCapabilities(scratch: string): FileCapabilities {
  const folder = `${scratch}/capabilities`;
  /**
   * By the inode, which is the name of a second link to the file: later entries may put links in the way of its own name, and
   * that one is bytes.
   */
  const noted = new Map<bigint, { value: Buffer; shown: string }>();

  return {
    note(entry, path) {
      const value = readCapability(entry);
      const file = fs.lstatSync(path, { bigint: true });
      if (!file.isFile()) return false;
      if (!noted.has(file.ino)) {
        if (noted.size === MOST) throw new TarError(`more than ${MOST} files of the layer have capabilities`);
        fs.mkdirSync(folder, { recursive: true });
        fs.linkSync(path, `${folder}/${file.ino}`);
      }
      noted.set(file.ino, { value, shown: showName(entry.name) });
      return true;
    },
    write() {
      const [first] = noted.values();
      if (first === undefined) return;
      const lines = [...noted].map(([inode, { value }]) => `# file: ${inode}\n${CAPABILITY}=0x${value.toString('hex')}\n`);
      try {
        execFileSync('setfattr', ['--no-dereference', '--restore=-'], { cwd: folder, input: lines.join('\n'), stdio: 'pipe' });
      } catch (error) {
        const why =
          errorCode(error) === 'ENOENT'
            ? 'only setfattr can write them, and this machine has none; install it (apt-get install attr), and start the task again'
            : `${String((error as { stderr?: unknown }).stderr)
                .trim()
                .slice(0, 300)}; the data folder must be on a file system that keeps them, as ext4 and XFS do`;
        throw new Error(`the capabilities of the file ${first.shown} cannot be kept: ${why}`, { cause: error });
      }
      fs.rmSync(folder, { recursive: true });
    },
  };
}

/** As today's kernels take it: they read the first revision, and do not write it. */
function readCapability({ name, xattrs }: TarEntry): Buffer {
  const value = xattrs.get(CAPABILITY) ?? Buffer.alloc(0);
  const word = value.length < 4 ? 0 : value.readUInt32LE(0);
  const isWhole = SIZES.get(word >>> 24) === value.length && ((word & 0xff_ffff) | EFFECTIVE) === EFFECTIVE;
  if (!isWhole || (value.length === 24 && value.readUInt32LE(20) === NOBODY))
    throw new TarError(`${showName(name)} has a ${CAPABILITY} that no kernel takes: ${value.length} bytes, ${shownStart(value)}`);
  if (value.length !== SIZES.get(1)) return value;
  const second = Buffer.alloc(20);
  value.copy(second);
  second.writeUInt32LE(SECOND_REVISION | (word & EFFECTIVE), 0);
  return second;
}

function shownStart(value: Buffer): string {
  return value.length === 0 ? 'nothing' : `0x${value.subarray(0, 24).toString('hex')}`;
}
