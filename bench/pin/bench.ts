import { fork, spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { median, type Report } from '../report.ts';
import { writeTree } from './tree.ts';

const SIZE = { files: 10_000, references: 1_000, repositories: 400, bytesPerFile: 7_500 };
const DELAY = 30;
const ROUNDS = 3;
const here = (name: string): string => new URL(name, import.meta.url).pathname;

/** `holdfast pin` on 10,000 generated files against a registry that answers after 30 ms. Medians of 3 runs, each in its own process. */
export async function run(report: Report): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-pin-'));
  const registry = fork(here('slow-registry.ts'), [String(DELAY)]);
  try {
    const { port } = (await message(registry)) as { port: number };
    const bytes = await writeTree(folder, `127.0.0.1:${port}`, SIZE);
    const memory = join(tmpdir(), `holdfast-bench-memory-${process.pid}`);
    const node = async (args: string[]): Promise<{ ms: number; mib: number; stdout: string; code: number }> => {
      const started = performance.now();
      const { stdout, code } = await runNode(folder, ['--import', here('report-memory.ts'), ...args], {
        HOLDFAST_BENCH_MEMORY: memory,
      });
      const ms = performance.now() - started;
      const mib = Number(await readFile(memory, 'utf8')) / 1024;
      return { ms, mib, stdout, code };
    };
    const holdfast = (...args: string[]) => node([here('../../src/main.ts'), ...args]);

    const parts: { scan: number; resolve: number; found: number; distinct: number; failed: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) parts.push(JSON.parse((await node([here('measure.ts')])).stdout));
    const { found, distinct, failed } = parts[0]!;
    if (distinct !== SIZE.references || failed > 0)
      throw new Error(`${distinct} references found instead of ${SIZE.references}, ${failed} not resolved`);
    const size = `${SIZE.files.toLocaleString('en')} files, ${Math.round(bytes / 1e6)} MB, ${found} references, ${distinct} distinct`;
    report.row('pin: scan', seconds(median(parts.map(({ scan }) => scan))), `${size}; at most 1.5 s`);
    report.row(
      'pin: resolve',
      seconds(median(parts.map(({ resolve }) => resolve))),
      `registry with ${DELAY} ms of delay and a token for each repository; at most 3 s`,
    );

    registry.send('count');
    await message(registry);
    const whole = await repeat(() => holdfast('pin'));
    registry.send('count');
    const { requests } = (await message(registry)) as { requests: number };
    report.row(
      'pin: whole run, diff',
      seconds(median(whole.map(({ ms }) => ms))),
      `${Math.round(requests / ROUNDS)} requests; at most 5 s`,
    );
    report.row(
      'pin: memory',
      `${Math.round(Math.max(...whole.map(({ mib }) => mib)))} MiB`,
      'most of the three runs; at most 200 MiB',
    );
    const offline = await repeat(() => holdfast('pin', 'check', '--offline'));
    report.row('pin check --offline', seconds(median(offline.map(({ ms }) => ms))), 'at most 1.5 s');
    const written = await holdfast('pin', '--write');
    if (written.code !== 0) throw new Error('pin --write failed');
    report.row('pin: whole run, --write', seconds(written.ms), `one run; ${Math.round(written.mib)} MiB`);
    const again = await holdfast('pin', 'check', '--offline');
    if (again.code !== 0) throw new Error('the written tree is not pinned');
    report.row('pin check --offline, all pinned', seconds(again.ms), 'one run');
    await rm(memory, { force: true });
  } finally {
    registry.disconnect();
    await rm(folder, { recursive: true, force: true });
  }
}

async function repeat<T>(work: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let round = 0; round < ROUNDS; round++) results.push(await work());
  return results;
}

function runNode(folder: string, args: string[], env: Record<string, string>): Promise<{ stdout: string; code: number }> {
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.resume();
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ stdout: Buffer.concat(chunks).toString(), code: code ?? -1 }));
  });
}

function message(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.once('message', resolve));
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
