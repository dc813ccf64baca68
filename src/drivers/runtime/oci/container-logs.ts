import { watch } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { LogLine, LogRequest } from '../../../orchestrator/ports.ts';
import { errorCode } from './error-code.ts';

type Stream = LogLine['stream'];
const STREAMS: Stream[] = ['stdout', 'stderr'];
const CHUNK = 64 * 1024;
/** A longer line is given in pieces. */
const LONGEST_LINE = 64 * 1024;
/** How far back `tail` looks. */
const TAIL_BYTES = 4 * 1024 * 1024;

/**
 * The output of a container, from the files that it writes itself. Lines of each stream come in their order; which came
 * first of two streams nobody has noted down, so what was written before is given stream by stream.
 */
export async function* readLogs(
  folder: string,
  container: string,
  { follow, tail, signal }: Omit<LogRequest, 'container'>,
  isRunning: () => boolean,
): AsyncGenerator<LogLine, void, undefined> {
  const cursors = STREAMS.map((stream) => ({ stream, position: 0, rest: Buffer.alloc(0) }));
  let wake: () => void = () => undefined;
  let hasChanged = false;
  const change = (): void => {
    hasChanged = true;
    wake();
  };
  const watcher = follow === true ? watch(folder, { persistent: false }, change) : undefined;
  watcher?.on('error', change);
  signal?.addEventListener('abort', change, { once: true });
  // The end of a container shows in another folder.
  const poll = follow === true ? setInterval(change, 500).unref() : undefined;
  try {
    const history: LogLine[] = [];
    for (const cursor of cursors) {
      const before = await sizeOf(`${folder}/${cursor.stream}.1`);
      if (tail === undefined && before !== undefined) {
        const older = { ...cursor };
        yield* linesOf(older, `${folder}/${cursor.stream}.1`, container);
        cursor.rest = older.rest;
      }
      if (tail === undefined) continue;
      const size = (await sizeOf(`${folder}/${cursor.stream}`)) ?? 0;
      cursor.position = Math.max(0, size - TAIL_BYTES);
      const lines: LogLine[] = [];
      for await (const line of linesOf(cursor, `${folder}/${cursor.stream}`, container)) {
        lines.push(line);
        if (lines.length > tail) lines.shift();
      }
      // What was written last may have no end of a line, and is one all the same; it may go on where that is followed.
      if (follow !== true && cursor.rest.length > 0) {
        lines.push({ container, stream: cursor.stream, text: cursor.rest.toString('utf8') });
        cursor.rest = Buffer.alloc(0);
      }
      history.push(...lines);
    }
    if (tail !== undefined) yield* history.slice(Math.max(0, history.length - tail));
    for (;;) {
      hasChanged = false;
      const goesOn = follow === true && signal?.aborted !== true && isRunning();
      for (const cursor of cursors) yield* linesOf(cursor, `${folder}/${cursor.stream}`, container);
      if (!goesOn) break;
      if (!hasChanged) await new Promise<void>((resolve) => (wake = resolve));
      wake = () => undefined;
    }
    for (const { stream, rest } of cursors) if (rest.length > 0) yield { container, stream, text: rest.toString('utf8') };
  } finally {
    clearInterval(poll);
    watcher?.close();
    signal?.removeEventListener('abort', change);
  }
}

interface Cursor {
  stream: Stream;
  position: number;
  rest: Buffer;
}

/** Whole lines from where the cursor stands; what is left of the last one stays with it. */
async function* linesOf(cursor: Cursor, path: string, container: string): AsyncGenerator<LogLine, void, undefined> {
  const size = await sizeOf(path);
  if (size === undefined) return;
  // It was turned over: the bytes behind the cursor are in the older file now.
  if (size < cursor.position) cursor.position = 0;
  if (size === cursor.position) return;
  const file = await fs.open(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  try {
    const buffer = Buffer.alloc(CHUNK);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK, cursor.position);
      if (bytesRead === 0) return;
      cursor.position += bytesRead;
      let bytes: Buffer = Buffer.concat([cursor.rest, buffer.subarray(0, bytesRead)]);
      for (;;) {
        const end = bytes.indexOf(0x0a);
        if (end < 0 && bytes.length < LONGEST_LINE) break;
        const stop = end < 0 || end > LONGEST_LINE ? LONGEST_LINE : end;
        yield { container, stream: cursor.stream, text: bytes.toString('utf8', 0, stop) };
        bytes = bytes.subarray(stop === end ? stop + 1 : stop);
      }
      cursor.rest = bytes;
    }
  } finally {
    await file.close();
  }
}

/**
 * Turns a log over that has grown beyond `limit` bytes: what it has goes to the older file, and it starts again. The container
 * keeps its file open, so that it is emptied and not replaced; what is written between the two steps is lost.
 */
export async function turnOver(folder: string, limit: number): Promise<void> {
  for (const stream of STREAMS) {
    const path = `${folder}/${stream}`;
    if (((await sizeOf(path)) ?? 0) <= limit) continue;
    await fs.copyFile(path, `${path}.1`);
    await fs.truncate(path);
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await fs.stat(path)).size;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
