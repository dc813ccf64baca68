import { isFault } from '../core/fault.ts';
import { CommandFailure, UsageError } from './command.ts';
import { faultSentence } from './sentences.ts';

export interface FailureDescription {
  /** A word for scripts: a fault's kind, `usage`, an errno such as `ENOENT`, or `bug`. */
  kind: string;
  message: string;
  advice?: string;
  facts?: unknown;
}

/** What to say of anything that a command threw. */
export function describeFailure(error: unknown): FailureDescription {
  if (error instanceof UsageError) return { kind: 'usage', message: error.message };
  if (error instanceof CommandFailure) {
    const { kind, message, advice } = error;
    return { kind, message, ...(advice === undefined ? {} : { advice }) };
  }
  if (isFault(error)) return { kind: error.kind, message: faultSentence(error), facts: error.facts };
  const system = systemFailure(error);
  if (system !== undefined) return system;
  return {
    kind: 'bug',
    message: `Something that should not happen did: ${error instanceof Error ? error.message : String(error)}`,
  };
}

const systemSentences: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'this user may not',
  EPERM: 'this user may not',
  EEXIST: 'it is already there',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  ENOTEMPTY: 'the folder is not empty',
  ENOSPC: 'the disk is full',
  EROFS: 'the disk is read-only',
  EMFILE: 'too many files are open',
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'the address is not one of this machine',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was cut',
  ETIMEDOUT: 'no answer came in time',
  ENOTFOUND: 'the host name is not known',
};

/** The operating system's refusals are not bugs: a path or an address that the person gave, most often. */
function systemFailure(error: unknown): FailureDescription | undefined {
  if (!(error instanceof Error)) return undefined;
  // `fetch` says only "fetch failed" and keeps what happened as the cause.
  const from = error.message === 'fetch failed' && error.cause instanceof Error ? error.cause : error;
  const { code, syscall, path, address, port } = from as NodeJS.ErrnoException & { address?: string; port?: number };
  if (code === undefined || syscall === undefined) return undefined;
  const sentence = systemSentences[code] ?? from.message;
  const where = path ?? (address === undefined ? undefined : `${address}${port === undefined ? '' : `:${port}`}`);
  return { kind: code, message: `Cannot ${syscall}${where === undefined ? '' : ` ${where}`}: ${sentence}.` };
}
