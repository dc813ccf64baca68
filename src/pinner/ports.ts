/** What the pinner needs of a file system. Paths are absolute or relative to the working directory, with `/`. */
export interface FileSystem {
  /** Names only, in any order. Raises what the system raises (`code` EACCES, ENOENT, ENOTDIR …). */
  readDirectory(path: string): Promise<DirectoryEntry[]>;
  /** The whole file. */
  readFile(path: string): Promise<Uint8Array>;
  /** Follows links. `undefined` when nothing is there, a dangling link included. */
  stat(path: string): Promise<FileStatus | undefined>;
  /** The path without links, for knowing a folder again. */
  realPath(path: string): Promise<string>;
}

export interface DirectoryEntry {
  name: string;
  kind: EntryKind;
}

export type EntryKind = 'file' | 'directory' | 'link' | 'other';

export interface FileStatus {
  kind: EntryKind;
  /** Bytes. */
  size: number;
  /** Permission bits. */
  mode: number;
}
