import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Finding {
  name: string;
  command: string;
  ok: boolean;
  output: string;
  milliseconds: number;
}

/** What `npm run check` runs. Each is seen to fail once by test/checks. */
export const checks = {
  format: ['oxfmt', '--check'],
  layers: ['oxlint', '--deny-warnings'],
  types: ['tsc', '-p', '.'],
  'dead code': ['knip', '--no-progress'],
} satisfies Record<string, string[]>;

export type CheckName = keyof typeof checks;

/** Runs the named checks (all of them by default) side by side in a folder that has the packages installed. */
export function runChecks(folder: URL, names = Object.keys(checks) as CheckName[]): Promise<Finding[]> {
  return Promise.all(names.map((name) => runCheck(folder, name)));
}

function runCheck(folder: URL, name: CheckName): Promise<Finding> {
  const [program = '', ...args] = checks[name];
  const started = performance.now();
  // The checkers' own shebangs ask the path for `node`, and must find the one that reads TypeScript.
  const path = `${fileURLToPath(new URL('node_modules/.bin', folder))}:${process.env['PATH']}`;
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, PATH: path, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({
        name,
        command: [program, ...args].join(' '),
        ok: code === 0,
        output: Buffer.concat(output).toString('utf8'),
        milliseconds: performance.now() - started,
      });
    });
  });
}
