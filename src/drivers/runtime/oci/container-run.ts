import { readFileSync, statSync } from 'node:fs';
import { errorCode } from './error-code.ts';

/** One run of a container, as the files in its folder tell it: a few small ones in memory, so that reading them blocks nobody. */
export interface ObservedRun {
  /** Milliseconds since the epoch; absent when its process was never started. */
  startedAt?: number;
  pid?: number;
  /** Present once it has ended, or could not be started. */
  end?: { exitCode?: number; outOfMemory: boolean; at: number };
}

/** Reads a run; `now` is for an end that nobody saw. */
export function readRun(folder: string, id: string, now: number): ObservedRun {
  const exit = readExit(folder);
  const started = readPid(folder);
  if (exit !== undefined) return { ...started, end: exit };
  if (isParentAlive(folder)) return { ...started };
  // It may have written its last word and gone between the two looks.
  const late = readExit(folder);
  if (late !== undefined) return { ...readPid(folder), end: late };
  if (started.pid !== undefined && isOurs(started.pid, id)) return { ...started };
  return { ...started, end: { outOfMemory: false, at: now } };
}

function readExit(folder: string): ObservedRun['end'] {
  const text = readText(`${folder}/exit`);
  const [, code, kills] = /^(\d+) (\d+)\n$/.exec(text ?? '') ?? [];
  if (code === undefined || kills === undefined) return undefined;
  const { mtimeMs } = statSync(`${folder}/exit`);
  return { exitCode: Number(code), outOfMemory: Number(kills) > 0, at: Math.round(mtimeMs) };
}

function readPid(folder: string): { pid?: number; startedAt?: number } {
  const text = readText(`${folder}/pid`);
  if (text === undefined || !/^\d+\s*$/.test(text)) return {};
  const { mtimeMs } = statSync(`${folder}/pid`);
  return { pid: Number(text), startedAt: Math.round(mtimeMs) };
}

/** Whether the shell that waits for the container still does: the same process of the same run of the machine. */
export function isParentAlive(folder: string): boolean {
  const [boot, ...stat] = (readText(`${folder}/parent`) ?? '').trim().split(' ');
  const written = parseStat(stat.join(' '));
  if (written === undefined || boot !== readBootId()) return false;
  const current = parseStat(readText(`/proc/${written.pid}/stat`) ?? '');
  return current !== undefined && current.startTime === written.startTime && current.state !== 'Z';
}

/** Whether anybody is, or was, there to wait. */
export function hasParent(folder: string): boolean {
  return readText(`${folder}/parent`)?.endsWith('\n') === true;
}

export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** A process is in the cgroup of its container, whose path ends with our own id. */
function isOurs(pid: number, id: string): boolean {
  const stat = parseStat(readText(`/proc/${pid}/stat`) ?? '');
  return stat !== undefined && stat.state !== 'Z' && (readText(`/proc/${pid}/cgroup`) ?? '').includes(id);
}

/** proc(5): the name is in parentheses and may have anything in it; the start time is field 22. */
export function parseStat(line: string): { pid: number; state: string; startTime: string } | undefined {
  const pid = /^(\d+) \(/.exec(line)?.[1];
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  return pid === undefined || state === undefined || startTime === undefined ? undefined : { pid: Number(pid), state, startTime };
}

export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}
