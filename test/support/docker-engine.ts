import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { requireRoot, requireTool } from './tools.ts';
import { plainEnv, runProgram, type Finished, type RunOptions } from './server.ts';

export interface DockerEngine {
  readonly socket: string;
  /** For a shell in which `docker` talks to this engine. */
  readonly env: Readonly<Record<string, string>>;
  /** `docker …` against this engine, with a configuration folder of its own. */
  docker(args: string[], options?: RunOptions): Promise<Finished>;
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
  const engine = spawn(
    dockerd,
    [
      '--data-root',
      join(folder, 'data'),
      '--exec-root',
      join(folder, 'exec'),
      '--pidfile',
      join(folder, 'pid'),
      '-H',
      `unix://${socket}`,
      `--bridge=${bridge ?? 'none'}`,
      '--iptables=false',
      '--ip6tables=false',
      '--ip-masq=false',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], env: plainEnv() },
  );
  const ended = new Promise<void>((resolve) => engine.once('close', () => resolve()));
  test.after(async () => {
    engine.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  });
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: engine.stderr }).on('line', (line) => {
      said.push(line);
      if (line.includes('API listen on')) resolve();
    });
    void ended.then(() => reject(new Error(`dockerd ended:\n${said.slice(-20).join('\n')}`)));
  });
  const own = {
    DOCKER_CONFIG: join(folder, 'config'),
    DOCKER_HOST: `unix://${socket}`,
    DOCKER_BUILDKIT: '0',
  };
  const env = { ...plainEnv(), HOME: folder, ...own };
  return {
    socket,
    env: own,
    docker: (args, options = {}) => runProgram(docker, args, { ...options, env: { ...env, ...options.env } }),
  };
}
