import { readFile } from 'node:fs/promises';
import type { Timers } from '../../../core/timers.ts';
import type { ExecCommand, ExecResult } from '../../../orchestrator/container-engine.ts';
import { DockerError, type DockerApi } from './api.ts';
import { outputOf } from './frames.ts';

/** Runs a command in a container that runs (Engine API, "Exec"). Raises `DockerError`. */
export async function execute(
  api: DockerApi,
  timers: Timers,
  container: string,
  { command, timeout, outputLimit }: ExecCommand,
): Promise<ExecResult> {
  const made = await api.call<{ Id: string }>(`/containers/${container}/exec`, {
    method: 'POST',
    body: { AttachStdout: true, AttachStderr: true, Cmd: command },
  });
  if (made === undefined) throw new DockerError(500, 'the engine made no exec');
  const stop = new AbortController();
  let isLate = false;
  const cancel = timers.after(timeout, () => {
    isLate = true;
    stop.abort();
  });
  const kept: Buffer[] = [];
  let length = 0;
  try {
    const body = await api.open(`/exec/${made.Id}/start`, {
      method: 'POST',
      body: { Detach: false, Tty: false },
      signal: stop.signal,
    });
    for await (const { bytes } of outputOf(body as AsyncIterable<Buffer>, false)) {
      if (length < outputLimit) kept.push(bytes.subarray(0, outputLimit - length));
      length += bytes.length;
    }
  } catch (error) {
    if (!isLate) throw error;
  } finally {
    cancel();
  }
  const output = Buffer.concat(kept).toString('utf8');
  const end = await api.call<{ Running: boolean; ExitCode: number | null; Pid?: number; ContainerID?: string }>(
    `/exec/${made.Id}/json`,
  );
  if (isLate || end?.Running === true) {
    await killExec(end?.Pid, end?.ContainerID);
    return { kind: 'timed-out', output };
  }
  return { kind: 'exited', exitCode: end?.ExitCode ?? 0, output };
}

/**
 * The API cannot end what it began. Where the engine shares this machine's processes, it is ended by its number, once it is
 * certain that the number is still a process of that container; elsewhere it goes on until it ends by itself.
 */
async function killExec(pid: number | undefined, containerId: string | undefined): Promise<void> {
  if (pid === undefined || pid <= 1 || containerId === undefined || containerId.length < 64) return;
  try {
    if ((await readFile(`/proc/${pid}/cgroup`, 'utf8')).includes(containerId)) process.kill(pid, 'SIGKILL');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // It has ended, or is not ours to end.
    if (code !== 'ENOENT' && code !== 'ESRCH' && code !== 'EPERM' && code !== 'EACCES') throw error;
  }
}
