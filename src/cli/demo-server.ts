import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { CommandFailure, type CommandContext } from './command.ts';

/** A server that is there for one demonstration only. */
export interface DemoServer {
  /** The same world, with this server in it and no other. */
  context: CommandContext;
  dataFolder: string;
  processId: number;
  url: string;
  /** Ends it, and gives back its folder when `remove` says so. */
  stop(remove: boolean): Promise<void>;
}

/** Of the caller's environment, what would make the server or the commands talk to somebody else. */
const FOREIGN = /^(?:HOLDFAST_|AWS_)/;
const STOP_MS = 20_000;

/** Raises CommandFailure with what the server said when it does not come up. */
export async function startDemoServer(context: CommandContext, runtime: string): Promise<DemoServer> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'holdfast-demo-'));
  const kept = Object.fromEntries(Object.entries(context.env).filter(([name]) => !FOREIGN.test(name)));
  const env = {
    ...kept,
    HOLDFAST_DATA: dataFolder,
    HOLDFAST_PORT: '0',
    HOLDFAST_RUNTIME: runtime,
    HOLDFAST_LOG: 'error',
  };
  const program = fileURLToPath(new URL('../../bin/holdfast', import.meta.url));
  // A group of its own: a Ctrl-C must reach this command only, which needs the server to tidy up.
  const child = spawn(program, ['serve'], { env, cwd: dataFolder, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const ended = once(child, 'close');
  const said: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => {
    if (said.length < 100) said.push(chunk.toString());
  });
  const url = await Promise.race([readReady(child.stdout), ended.then(() => undefined)]);
  if (url === undefined) {
    child.kill('SIGKILL');
    await rm(dataFolder, { recursive: true, force: true });
    throw new CommandFailure(`The server did not start: ${said.join('').trim() || 'it said nothing.'}`, { kind: 'no-server' });
  }
  return {
    context: { ...context, cwd: dataFolder, env: { ...kept, HOLDFAST_DATA: dataFolder } },
    dataFolder,
    processId: child.pid ?? 0,
    url,
    async stop(remove) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(timer);
      if (remove) await rm(dataFolder, { recursive: true, force: true });
    },
  };
}

async function readReady(stdout: NodeJS.ReadableStream): Promise<string | undefined> {
  const lines = createInterface({ input: stdout, crlfDelay: Infinity });
  const url = await new Promise<string | undefined>((resolve) => {
    lines.on('line', (line) => {
      const found = /^Holdfast ready on (\S+)/.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
    lines.once('close', () => resolve(undefined));
  });
  return url;
}
