import type { Digest } from '../core/digest.ts';

/** What the pinner needs of a file system. Paths are absolute or relative to the working directory, with `/`. */
export interface FileSystem {
  /** Names only, in any order. Raises what the system raises (`code` EACCES, ENOENT, ENOTDIR …). */
  readDirectory(path: string): Promise<DirectoryEntry[]>;
  /** The whole file. */
  readFile(path: string): Promise<Uint8Array>;
  /** Follows links. `undefined` when nothing is there, a dangling link included. */
  stat(path: string): Promise<FileStatus | undefined>;
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

/** Replaces files so that a reader, or a crash at any moment, sees the old bytes or the new ones and nothing else. */
export interface FileReplacer {
  /**
   * Writes the new bytes of `path` beside it, with its permission bits, and touches nothing else yet. A path that is a
   * link stages the file that it leads to.
   */
  stage(path: string, bytes: Uint8Array): Promise<StagedFile>;
}

export interface StagedFile {
  /** Puts the new bytes in place in one step, if the file's bytes still have the digest `expected`. */
  commit(expected: Digest): Promise<'replaced' | 'changed'>;
  /** Removes what was staged. */
  discard(): Promise<void>;
}
