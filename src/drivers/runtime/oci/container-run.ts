import * as fs from 'node:fs/promises';
import { errorCode } from './error-code.ts';

/** One run of a container, as the files in its folder tell it. */
export interface ObservedRun {
  /** Milliseconds since the epoch; absent when its process was never started. */
  startedAt?: number;
  pid?: number;
  /** Present once it has ended, or could not be started. */
  end?: { exitCode?: number; outOfMemory: boolean; at: number };
}

/** Reads a run; `now` is for an end that nobody saw. */
export async function readRun(folder: string, id: string, now: number): Promise<ObservedRun> {
  const exit = await readExit(folder);
  const started = await readPid(folder);
  if (exit !== undefined) return { ...started, end: exit };
  if (await isParentAlive(folder)) return { ...started };
  // It may have written its last word and gone between the two looks.
  const late = await readExit(folder);
  if (late !== undefined) return { ...(await readPid(folder)), end: late };
  if (started.pid !== undefined && (await isOurs(started.pid, id))) return { ...started };
  return { ...started, end: { outOfMemory: false, at: now } };
}

async function readExit(folder: string): Promise<ObservedRun['end']> {
  const text = await readText(`${folder}/exit`);
  const [, code, kills] = /^(\d+) (\d+)\n$/.exec(text ?? '') ?? [];
  if (code === undefined || kills === undefined) return undefined;
  const { mtimeMs } = await fs.stat(`${folder}/exit`);
  return { exitCode: Number(code), outOfMemory: Number(kills) > 0, at: Math.round(mtimeMs) };
}

async function readPid(folder: string): Promise<{ pid?: number; startedAt?: number }> {
  const text = await readText(`${folder}/pid`);
  if (text === undefined || !/^\d+\s*$/.test(text)) return {};
  const { mtimeMs } = await fs.stat(`${folder}/pid`);
  return { pid: Number(text), startedAt: Math.round(mtimeMs) };
}

/** Whether the shell that waits for the container still does: the same process of the same run of the machine. */
export async function isParentAlive(folder: string): Promise<boolean> {
  const [boot, ...stat] = ((await readText(`${folder}/parent`)) ?? '').trim().split(' ');
  const written = parseStat(stat.join(' '));
  if (written === undefined || boot !== (await readBootId())) return false;
  const current = parseStat((await readText(`/proc/${written.pid}/stat`)) ?? '');
  return current !== undefined && current.startTime === written.startTime && current.state !== 'Z';
}

/** Whether anybody is, or was, there to wait. */
export async function hasParent(folder: string): Promise<boolean> {
  return (await readText(`${folder}/parent`))?.endsWith('\n') === true;
}

export async function readBootId(): Promise<string> {
  return (await fs.readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

/** A process is in the cgroup of its container, whose path ends with our own id. */
async function isOurs(pid: number, id: string): Promise<boolean> {
  const stat = parseStat((await readText(`/proc/${pid}/stat`)) ?? '');
  return stat !== undefined && stat.state !== 'Z' && ((await readText(`/proc/${pid}/cgroup`)) ?? '').includes(id);
}

/** proc(5): the name is in parentheses and may have anything in it; the start time is field 22. */
export function parseStat(line: string): { pid: number; state: string; startTime: string } | undefined {
  const pid = /^(\d+) \(/.exec(line)?.[1];
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  return pid === undefined || state === undefined || startTime === undefined ? undefined : { pid: Number(pid), state, startTime };
}

export async function readText(path: string): Promise<string | undefined> {
  try {
    return await fs.readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}
