import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * Keeps a second server out of a data folder: a lock of the operating system on a small file, which goes with the process
 * however that ends. Gives the function that lets go. Raises an Error that says what to do.
 */
export function lockFolder(folder: string): () => void {
  const path = join(folder, 'lock.db');
  const lock = new DatabaseSync(path);
  try {
    lock.exec('pragma journal_mode = memory; pragma locking_mode = exclusive; begin exclusive;');
  } catch (error) {
    lock.close();
    if ((error as { errcode?: number }).errcode !== 5) throw error;
    throw new Error(
      `Another Holdfast server is using ${folder}. Stop it, or give this one a folder of its own with HOLDFAST_DATA.`,
      { cause: error },
    );
  }
  return () => lock.close();
}
