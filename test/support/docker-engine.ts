import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { requireRoot, requireTool } from './tools.ts';
import { plainEnv, runProgram, type Finished, type RunOptions } from './server.ts';

export interface DockerEngine {
  readonly socket: string;
  /** For a shell in which `docker` talks to this engine. */
  readonly env: Readonly<Record<string, string>>;
  /** `docker …` against this engine, with a configuration folder of its own. */
  docker(args: string[], options?: RunOptions): Promise<Finished>;
  /** Ends it without a chance to tidy up. */
  kill9(): Promise<void>;
  /** Starts it again on the same data and the same socket, with further words for it; it must have ended. */
  restart(...more: string[]): Promise<void>;
}

/**
 * A Docker engine of the test's own: its data, its socket, its process id; no packet filter, and no bridge but
 * the one that is named, so that it touches nothing of the machine. Skips the test where none can run.
 */
export async function startDockerEngine(test: TestContext, bridge?: string): Promise<DockerEngine | undefined> {
  const dockerd = requireTool(test, 'dockerd');
  const docker = requireTool(test, 'docker');
  if (dockerd === undefined || docker === undefined || !requireRoot(test)) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-dockerd-'));
  const socket = join(folder, 'docker.sock');
  const args = [
    ...['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec'), '--pidfile', join(folder, 'pid')],
    ...['-H', `unix://${socket}`, `--bridge=${bridge ?? 'none'}`, '--iptables=false', '--ip6tables=false', '--ip-masq=false'],
  ];
  let engine = await launch(dockerd, args);
  const own = {
    DOCKER_CONFIG: join(folder, 'config'),
    DOCKER_HOST: `unix://${socket}`,
    DOCKER_BUILDKIT: '0',
  };
  const env = { ...plainEnv(), HOME: folder, ...own };
  const run = (words: string[], options: RunOptions = {}): Promise<Finished> =>
    runProgram(docker, words, { ...options, env: { ...env, ...options.env } });
  test.after(async () => {
    // The engine gives each that still runs ten seconds to hear SIGTERM.
    const running = (await run(['ps', '--quiet'])).stdout.split('\n').filter((id) => id !== '');
    if (running.length > 0) await run(['kill', ...running]);
    engine.child.kill('SIGTERM');
    await engine.ended;
    // What an engine has mounted that was killed.
    for (const path of mountsBelow(await readFile('/proc/self/mounts', 'utf8'), folder)) await runProgram('umount', [path]);
    await rm(folder, { recursive: true, force: true });
  });
  return {
    socket,
    env: own,
    docker: run,
    async kill9() {
      const containerd = join(folder, 'exec', 'containerd', 'containerd.pid');
      const id = await readFile(containerd, 'utf8');
      engine.child.kill('SIGKILL');
      await engine.ended;
      // It is killed with its parent, a moment later, and a new engine would take it for one that it can go on with.
      while (await isAlive(id.trim())) await setTimeout(10);
      await rm(containerd, { force: true });
    },
    async restart(...more) {
      engine = await launch(dockerd, [...args, ...more]);
    },
  };
}

async function isAlive(processId: string): Promise<boolean> {
  const status = await readFile(`/proc/${processId}/status`, 'utf8').catch(() => '');
  return status !== '' && !/^State:\tZ/m.test(status);
}

/** The deepest first. */
function mountsBelow(mounts: string, folder: string): string[] {
  const paths = mounts.split('\n').map((line) => line.split(' ')[1] ?? '');
  return paths.filter((path) => path.startsWith(`${folder}/`)).sort((one, other) => (one < other ? 1 : -1));
}

/** Resolves once it listens; rejects with what it wrote if it ends before. */
async function launch(dockerd: string, args: string[]): Promise<{ child: ChildProcess; ended: Promise<void> }> {
  const child = spawn(dockerd, args, { stdio: ['ignore', 'ignore', 'pipe'], env: plainEnv() });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      said.push(line);
      if (line.includes('API listen on')) resolve();
    });
    void ended.then(() => reject(new Error(`dockerd ended:\n${said.slice(-20).join('\n')}`)));
  });
  return { child, ended };
}
