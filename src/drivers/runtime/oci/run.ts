import { spawn } from 'node:child_process';

const OUTPUT_LIMIT = 256 * 1024;
const LONGEST_MILLISECONDS = 60_000;

export interface RunOptions {
  /** Text for its standard input. */
  input?: string;
  cwd?: string;
  /** Milliseconds; then it is killed. */
  timeout?: number;
}

export interface RunResult {
  /** 128 + signal number when a signal ended it. */
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs one of the machine's own programs to its end, and gives how it ended. Fails only when there is no such program. */
export function tryRun(command: string, argv: string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, argv, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    // Not spawn's own `timeout`: that keeps the process alive for its time when there is no such program.
    const late = setTimeout(() => child.kill('SIGKILL'), options.timeout ?? LONGEST_MILLISECONDS);
    let [stdout, stderr] = ['', ''];
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < OUTPUT_LIMIT) stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < OUTPUT_LIMIT) stderr += text;
    });
    child.on('error', (error) => {
      clearTimeout(late);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(late);
      resolve({ code: code ?? (signal === 'SIGKILL' ? 137 : 255), stdout, stderr });
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input);
  });
}

/** As `tryRun`, and raises an Error with what it wrote when it did not end well. */
export async function run(command: string, argv: string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await tryRun(command, argv, options);
  if (code !== 0) {
    const said = (stderr.trim() || stdout.trim()).slice(0, 1000);
    throw new Error(`${command} ${argv.slice(0, 3).join(' ')} ended with ${code}${said === '' ? '' : `: ${said}`}`);
  }
  return stdout;
}
