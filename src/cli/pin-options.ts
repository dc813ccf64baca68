import { readFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { LOCK_FILE, LockError, parseLock, type Lock } from '../pinner/lock.ts';
import type { RegistryFilter } from '../pinner/registries.ts';
import { CommandFailure, UsageError, type CommandContext, type CommandOption } from './command.ts';
import { strings } from './pin-client.ts';

/** Which files, and which of their references. */
export const scopeOptions: Record<string, CommandOption> = {
  include: { type: 'string', multiple: true, value: 'GLOB', help: 'read only files that match' },
  exclude: {
    type: 'string',
    multiple: true,
    value: 'GLOB',
    help: 'leave out files that match, beside what .gitignore and .pinignore say',
  },
  shell: { type: 'boolean', help: 'read docker run and docker pull in shell scripts and Makefiles too' },
  'allow-registry': {
    type: 'string',
    multiple: true,
    value: 'PATTERN',
    help: 'only images of HOST or HOST/PATH; * matches any run of characters',
  },
  'deny-registry': { type: 'string', multiple: true, value: 'PATTERN', help: 'never images of HOST or HOST/PATH' },
};

export const lockOptions: Record<string, CommandOption> = {
  'lock-file': { type: 'string', value: 'FILE', help: `the lock file (default ${LOCK_FILE}, used when it is there)` },
};

export function filterOf(options: Record<string, unknown>): RegistryFilter {
  return { allow: strings(options['allow-registry']), deny: strings(options['deny-registry']) };
}

/** One of a few words. Raises UsageError. */
export function choiceOf<T extends string>(value: unknown, option: string, choices: readonly T[], fallback: T): T {
  if (value === undefined) return fallback;
  const choice = choices.find((each) => each === value);
  if (choice === undefined) throw new UsageError(`${option} is one of ${choices.join(', ')}.`);
  return choice;
}

export function lockPath(context: CommandContext, options: Record<string, unknown>): string {
  return resolve(context.cwd, typeof options['lock-file'] === 'string' ? options['lock-file'] : LOCK_FILE);
}

/** `undefined` when there is no such file. Raises CommandFailure when it is there and no lock. */
export async function readLock(context: CommandContext, path: string): Promise<Lock | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return parseLock(bytes);
  } catch (error) {
    if (!(error instanceof LockError)) throw error;
    throw new CommandFailure(`${relative(context.cwd, path) || path} is not a lock file: ${error.message}.`, {
      kind: 'lock-invalid',
      advice: 'Restore it from version control, or delete it and run: holdfast pin --write --lock',
    });
  }
}
