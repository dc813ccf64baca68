import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { glob, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Cleanup } from './cleanup.ts';

const holdfast = fileURLToPath(new URL('../../bin/holdfast', import.meta.url));

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  stdin?: string | Buffer;
}

export interface HoldfastProcess {
  /** `http://127.0.0.1:port`; the same after a restart. */
  readonly url: string;
  /** `127.0.0.1:port`. */
  readonly registryHost: string;
  readonly credentials: { accessKeyId: string; secretAccessKey: string };
  readonly dataFolder: string;
  readonly processId: number;
  /** What a client program needs: the AWS variables, and those of `holdfast env`. */
  readonly env: Record<string, string>;
  /** What the server has logged since it was started last. */
  log(): string;
  /** Ends it as a person would; gives its exit code. */
  stop(): Promise<number | null>;
  /** Its exit code, once it has ended by itself. */
  ended(): Promise<number | null>;
  /** Ends it without a chance to tidy up. */
  kill9(): Promise<void>;
  /** Starts it again on the same data and the same port; it must have ended. */
  restart(env?: Record<string, string>): Promise<void>;
  /** Runs `holdfast ...args` as somebody on the same machine would, who has only HOLDFAST_DATA set. */
  run(args: string[], options?: RunOptions): Promise<Finished>;
}

/** What a person has who never used AWS or Holdfast here, and whom no test runner has started. */
export function plainEnv(): Record<string, string> {
  const foreign =
    /^(?:npm_|AWS_|HOLDFAST_|DOCKER_|REGISTRY_AUTH_FILE$|NODE_TEST|NODE_OPTIONS$|NODE_COMPILE_CACHE$|NO_COLOR$|FORCE_COLOR$)/;
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined || foreign.test(name) ? [] : [[name, value]])),
  );
}

/** Runs a program to its end; a failure is the caller's to judge by the code. */
export async function runProgram(program: string, args: string[], options: RunOptions = {}): Promise<Finished> {
  const child = spawn(program, args, {
    stdio: 'pipe',
    env: options.env ?? plainEnv(),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const ended = once(child, 'close') as Promise<[number | null]>;
  // A program that never reads its input may be gone before it is written.
  child.stdin.on('error', () => {});
  child.stdin.end(options.stdin);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}

/**
 * A server of its own, started by `bin/holdfast serve` on a free port, with its data in a folder that goes away with the
 * test. `env` adds settings (HOLDFAST_GRACE and the like).
 */
export async function startHoldfast(test: Cleanup, env: Record<string, string> = {}): Promise<HoldfastProcess> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'holdfast-e2e-'));
  const world = {
    ...plainEnv(),
    HOME: dataFolder,
    HOLDFAST_LOG: 'warn',
    HOLDFAST_RUNTIME: 'none',
    ...env,
    HOLDFAST_DATA: dataFolder,
  };
  let running = await launch({ ...world, HOLDFAST_PORT: env['HOLDFAST_PORT'] ?? '0' }).catch(async (error: unknown) => {
    await rm(dataFolder, { recursive: true });
    throw error;
  });
  test.after(async () => {
    await running.end('SIGKILL');
    await endContainers(dataFolder);
    await rm(dataFolder, { recursive: true, force: true });
  });

  const told = JSON.parse(await readFile(join(dataFolder, 'server.json'), 'utf8')) as Record<string, string>;
  const { url = '', registryHost = '', accessKeyId = '', secretAccessKey = '', region = '' } = told;
  const cliEnv = { ...plainEnv(), HOME: dataFolder, HOLDFAST_DATA: dataFolder };
  return {
    url,
    registryHost,
    credentials: { accessKeyId, secretAccessKey },
    dataFolder,
    get processId() {
      return running.child.pid ?? 0;
    },
    env: {
      ...cliEnv,
      AWS_ENDPOINT_URL: url,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      HOLDFAST_REGISTRY: registryHost,
    },
    log: () => running.log(),
    stop: () => running.end('SIGTERM'),
    ended: () => running.closed,
    async kill9() {
      await running.end('SIGKILL');
    },
    async restart(more = {}) {
      await running.end('SIGTERM');
      running = await launch({ ...world, HOLDFAST_PORT: new URL(url).port, ...more });
    },
    run: (args, options = {}) => runProgram(holdfast, args, { ...options, env: { ...cliEnv, ...options.env } }),
  };
}

/** Containers outlive their server; these have nobody any more who would stop them. */
async function endContainers(dataFolder: string): Promise<void> {
  for await (const path of glob('oci/tasks/*/containers/*/runs/*/pid', { cwd: dataFolder })) {
    const [, , taskId = '-'] = path.split('/');
    const exit = join(dataFolder, dirname(path), 'exit');
    const id = await readFile(join(dataFolder, path), 'utf8');
    if (existsSync(exit) || !(await readFile(`/proc/${id}/cgroup`, 'utf8').catch(() => '')).includes(taskId)) continue;
    process.kill(Number(id), 'SIGKILL');
    for (let look = 0; look < 100 && !existsSync(exit); look++) await setTimeout(20);
  }
}

interface Launched {
  child: ChildProcess;
  log(): string;
  closed: Promise<number | null>;
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Resolves once the server says that it is ready; rejects with what it wrote if it ends before. */
async function launch(env: Record<string, string>): Promise<Launched> {
  const child = spawn(holdfast, ['serve'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const log: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => log.push(chunk.toString()));
  if (!(await says(child.stdout, /^Holdfast ready on /))) {
    const code = await closed;
    throw new Error(`holdfast serve ended with ${code}:\n${log.join('')}`);
  }
  return {
    child,
    log: () => log.join(''),
    closed,
    end(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return closed;
    },
  };
}

/** True once a line matches; false when the stream ends without one. */
function says(stream: Readable, pattern: RegExp): Promise<boolean> {
  const lines = createInterface({ input: stream });
  return new Promise((resolve) => {
    lines.on('line', (line) => {
      if (pattern.test(line)) resolve(true);
    });
    lines.on('close', () => resolve(false));
  });
}
