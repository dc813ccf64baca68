import { spawn } from 'node:child_process';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createCleanup } from '../../test/support/cleanup.ts';
import { startHoldfast, type HoldfastProcess } from '../../test/support/server.ts';

const holdfast = fileURLToPath(new URL('../../bin/holdfast', import.meta.url));

export interface PreviewOnServer {
  /** The whole command, its own start and the reading of the answer among it. */
  ms: number;
  /** Of the server, above what it had before. */
  mibMore: number;
  mib: number;
  /** Of the answer. */
  megabytes: number;
  /** The longest that another request has waited for its answer meanwhile. */
  longestWaitMs: number;
}

/** `holdfast lifecycle preview --json` against a real server on the filled database, some times one after the other. */
export async function previewOnServer(filled: string, policy: string, rounds: number): Promise<PreviewOnServer[]> {
  const cleanup = createCleanup();
  try {
    const server = await startHoldfast(cleanup);
    await server.stop();
    for (const end of ['-wal', '-shm', '']) await rm(join(server.dataFolder, `holdfast.db${end}`), { force: true });
    await copyFile(filled, join(server.dataFolder, 'holdfast.db'));
    await server.restart({
      HOLDFAST_ACCESS_KEY_ID: server.credentials.accessKeyId,
      HOLDFAST_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    });
    const file = join(server.dataFolder, 'policy.json');
    await writeFile(file, policy);
    const results: PreviewOnServer[] = [];
    for (let round = 0; round < rounds; round++) results.push(await previewOnce(server, file));
    return results;
  } finally {
    await cleanup.run();
  }
}

async function previewOnce(server: HoldfastProcess, policyFile: string): Promise<PreviewOnServer> {
  const agent = new http.Agent({ keepAlive: true });
  await ask(server.url, agent);
  const before = await memory(server);
  let [longestWaitMs, mib, isOn] = [0, 0, true];
  const watching = (async () => {
    while (isOn) {
      longestWaitMs = Math.max(longestWaitMs, await ask(server.url, agent));
      mib = Math.max(mib, await memory(server));
      await wait(2);
    }
  })();
  const started = performance.now();
  const bytes = await run(server, ['lifecycle', 'preview', 'bench/app', '--policy', policyFile, '--json']);
  const ms = performance.now() - started;
  isOn = false;
  await watching;
  agent.destroy();
  return { ms, mib, mibMore: mib - before, megabytes: bytes / 1e6, longestWaitMs };
}

/** Runs the command and gives the bytes of its answer, which are not kept. */
async function run(server: HoldfastProcess, args: string[]): Promise<number> {
  const child = spawn(holdfast, args, { env: server.env, stdio: ['ignore', 'pipe', 'inherit'] });
  let bytes = 0;
  for await (const chunk of child.stdout) bytes += (chunk as Buffer).length;
  return bytes;
}

function ask(url: string, agent: http.Agent): Promise<number> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const request = http.get(`${url}/healthz`, { agent }, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(performance.now() - started));
    });
    request.once('error', reject);
  });
}

async function memory(server: HoldfastProcess): Promise<number> {
  return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${server.processId}/status`, 'utf8'))?.[1]) / 1024;
}
