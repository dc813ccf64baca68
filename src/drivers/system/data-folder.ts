import { access, constants, mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder, and those above it that are missing, for its owner alone, and sees that files can be made in it. Raises
 * an Error that says what is in the way and which `setting` to change. One folder after the other: Node's recursive mkdir
 * never comes back below /proc, where a folder is there and yet nothing can be made in it.
 */
export async function openDataFolder(path: string, setting: string): Promise<void> {
  const missing: string[] = [];
  try {
    for (let folder = resolve(path); !(await isFolder(folder)); folder = dirname(folder)) missing.push(folder);
    for (const folder of missing.reverse()) await makeFolder(folder);
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new Error(`Cannot keep data in ${path}: ${reasons[code] ?? message}. Choose another folder with ${setting}.`, {
      cause: error,
    });
  }
}

const reasons: Record<string, string> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'the disk is read-only',
  ENOTDIR: 'a part of the path is not a folder',
  ENOENT: 'no folder can be made there',
  ENOSPC: 'the disk is full',
  ENAMETOOLONG: 'the path is too long',
};

async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  throw Object.assign(new Error(`${path} is not a folder`), { code: 'ENOTDIR' });
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, 0o700);
  } catch (error) {
    // Somebody else made it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
