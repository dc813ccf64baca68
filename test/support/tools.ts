import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';

/** Where programs are that a user's path often lacks. */
const extraFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The program's path, or undefined. PostgreSQL's servers are looked for where Debian puts them. */
export function findTool(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...extraFolders, ...postgresFolders()];
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

/**
 * The program's path. Without the program the test is skipped with that reason and `undefined` comes back, so that the
 * test returns; with CI=true it fails.
 *
 *     const skopeo = requireTool(t, 'skopeo');
 *     if (skopeo === undefined) return;
 */
export function requireTool(test: TestContext, name: string): string | undefined {
  const path = findTool(name);
  if (path === undefined) missing(test, `${name} is not installed (sh scripts/setup.sh test installs it)`);
  return path;
}

/** Skips the test unless the machine can do something, with the reason; fails with CI=true. Gives `condition` back. */
export function requireAbility(test: TestContext, condition: boolean, reason: string): boolean {
  if (!condition) missing(test, reason);
  return condition;
}

/** For tests that mount, or make network namespaces or containers. */
export function requireRoot(test: TestContext): boolean {
  return requireAbility(test, process.getuid?.() === 0, 'needs root');
}

function missing(test: TestContext, reason: string): void {
  if (process.env['CI'] === 'true') throw new Error(`CI=true, and ${reason}`);
  test.skip(reason);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function postgresFolders(): string[] {
  try {
    return readdirSync('/usr/lib/postgresql').map((version) => join('/usr/lib/postgresql', version, 'bin'));
  } catch {
    return [];
  }
}
