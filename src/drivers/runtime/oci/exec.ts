import { spawn } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { ContainerError } from '../../../core/container-error.ts';
import type { IdSource } from '../../../core/ids.ts';
import type { ExecCommand, ExecResult } from '../../../orchestrator/container-engine.ts';
import { errorCode } from './error-code.ts';
import type { ContainerRecord } from './records.ts';

/** What was written before the end of a command is in its pipe by now. */
const LINGER_MILLISECONDS = 500;

export interface ExecInput {
  stateFolder: string;
  ids: IdSource;
  record: ContainerRecord;
  /** Of the container. */
  folder: string;
}

/**
 * Runs a command in a running container, with its user, environment and limits. Raises `CannotStartContainerError` when the
 * runtime itself cannot be run.
 */
export async function execInContainer(
  { stateFolder, ids, record, folder }: ExecInput,
  { command, timeout, outputLimit }: ExecCommand,
): Promise<ExecResult> {
  const base = `${folder}/exec-${ids.uuid()}`;
  const [processFile, pidFile] = [`${base}.json`, `${base}.pid`];
  await fs.writeFile(processFile, JSON.stringify({ ...record.process, args: command }), { mode: 0o600 });
  try {
    return await new Promise<ExecResult>((resolve, reject) => {
      const child = spawn(
        record.runtime,
        ['--root', stateFolder, 'exec', '--process', processFile, '--pid-file', pidFile, record.id],
        {
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
      const chunks: Buffer[] = [];
      let missing = outputLimit;
      const keep = (chunk: Buffer): void => {
        if (missing <= 0) return;
        chunks.push(chunk.subarray(0, missing));
        missing -= chunk.length;
      };
      child.stdout.on('data', keep);
      child.stderr.on('data', keep);
      const output = (): string => Buffer.concat(chunks).toString('utf8');
      const late = setTimeout(() => {
        void kill(pidFile).finally(() => {
          child.kill('SIGKILL');
          // Something that it started may hold its output open for ever.
          child.stdout.destroy();
          child.stderr.destroy();
          resolve({ kind: 'timed-out', output: output() });
        });
      }, timeout);
      child.once('error', (error) => {
        clearTimeout(late);
        reject(
          new ContainerError('CannotStartContainerError', `cannot run ${record.runtime}: ${error.message}`, { cause: error }),
        );
      });
      const end = (code: number | null): void => {
        clearTimeout(late);
        child.stdout.destroy();
        child.stderr.destroy();
        resolve({ kind: 'exited', exitCode: code ?? 137, output: output() });
      };
      child.once('close', end);
      // Something that it left behind may hold its output open for ever.
      child.once('exit', (code) => setTimeout(() => end(code), LINGER_MILLISECONDS).unref());
    });
  } finally {
    await fs.rm(processFile, { force: true });
    await fs.rm(pidFile, { force: true });
  }
}

async function kill(pidFile: string): Promise<void> {
  try {
    const pid = Number(await fs.readFile(pidFile, 'utf8'));
    // The runtime, its parent, still waits for it: the number is its own.
    if (Number.isSafeInteger(pid) && pid > 1) process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ESRCH') throw error;
  }
}
