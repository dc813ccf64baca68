import { execFile } from 'node:child_process';
import { CommandFailure, UsageError } from './command.ts';

export interface GitWish {
  /** A new branch to write on, or one that is there. */
  branch?: string;
  /** Commit what was written, with this message. */
  message?: string;
}

/** The checkout that `folder` lies in. Nothing of the environment's hooks, signing or identity is overridden: it is the person's git. */
export interface GitCheckout {
  /** Files with changes that are not committed, new ones included, relative to the folder: a commit of them would take those along. */
  listChanged(): Promise<Set<string>>;
  switchTo(branch: string): Promise<void>;
  /** Gives the commit's id. */
  commit(paths: string[], message: string): Promise<string>;
}

/** Raises CommandFailure when the folder is in no checkout. */
export async function openCheckout(folder: string): Promise<GitCheckout> {
  await git(folder, ['rev-parse', '--show-toplevel']);
  return {
    async listChanged() {
      const changed = await git(folder, ['diff', 'HEAD', '--name-only', '--relative', '-z']);
      const untracked = await git(folder, ['ls-files', '--others', '--exclude-standard', '-z']);
      return new Set(`${changed}${untracked}`.split('\0').filter((path) => path !== ''));
    },
    async switchTo(branch) {
      if (branch.startsWith('-')) throw new UsageError('--branch wants the name of a branch.');
      const exists = (await git(folder, ['branch', '--list', '--format=%(refname:short)', '--', branch])).trim() !== '';
      await git(folder, ['switch', ...(exists ? [branch] : ['--create', branch])]);
    },
    async commit(paths, message) {
      await git(folder, ['add', '--', ...paths]);
      await git(folder, ['commit', '--quiet', `--message=${message}`, '--only', '--', ...paths]);
      return (await git(folder, ['rev-parse', 'HEAD'])).trim();
    },
  };
}

function git(folder: string, args: string[]): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  // Paths are paths: a name such as `:(glob)x` has no other meaning.
  execFile('git', ['--literal-pathspecs', '-C', folder, ...args], { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
    if (error === null) return resolve(stdout);
    const said = stderr.trim().split('\n').at(-1) || error.message;
    return reject(new CommandFailure(`git ${args[0]} failed: ${said}`, { kind: 'git-failed', cause: error }));
  });
  return promise;
}
