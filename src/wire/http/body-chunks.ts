import type { IncomingMessage } from 'node:http';

/** Chunks taken from the connection before the reader asked for them; then the connection waits. */
const AHEAD = 4;
/** Chunks taken in one turn of the event loop; a quick sender would otherwise hold up everybody for milliseconds. */
const A_TURN = 8;
/** Below it, the collector frees memory in passing. */
const RELEASED_FROM = 16 * 1024;

/**
 * The body as it comes in, each chunk to be used before the next is asked for: then its memory is given back at once.
 * A gigabyte left to the garbage collector makes it stop everybody thirty times. Fails when the client goes away before
 * the body is whole. A reader that stops early leaves the rest to be dropped, and the connection to carry the answer.
 */
export async function* bodyChunks(request: IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
  const queue: Buffer[] = [];
  let ended = request.readableEnded;
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  const notify = (): void => {
    wake?.();
    wake = undefined;
  };
  let inTurn = 0;
  const nextTurn = (): void => {
    const wasFull = inTurn >= A_TURN;
    inTurn = 0;
    if (wasFull && queue.length === 0) request.resume();
  };
  const take = (chunk: Buffer): void => {
    queue.push(chunk);
    if (inTurn++ === 0) setImmediate(nextTurn);
    if (queue.length >= AHEAD || inTurn >= A_TURN) request.pause();
    notify();
  };
  const end = (): void => {
    ended = true;
    if (!request.complete) failure ??= new Error('the body was cut short');
    notify();
  };
  const fail = (error: Error): void => {
    failure ??= error;
    notify();
  };
  const close = (): void => {
    if (!ended) fail(new Error('the client went away before the body was whole'));
  };
  request.on('data', take);
  request.on('end', end);
  request.on('error', fail);
  request.on('close', close);
  if (request.destroyed && !ended) close();
  try {
    for (;;) {
      const chunk = queue.shift();
      if (chunk !== undefined) {
        yield chunk;
        release(chunk);
        continue;
      }
      if (failure !== undefined) throw failure;
      if (ended) return;
      if (request.isPaused() && inTurn < A_TURN) request.resume();
      await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    request.off('data', take);
    request.off('end', end);
    request.off('close', close);
    request.off('error', fail);
    // An error may still come; and without a reader the stream would stop, and with it the client that is to read the answer.
    request.on('error', () => {});
    request.resume();
  }
}

/** Only memory that is the chunk's alone. */
function release(chunk: Buffer): void {
  const { buffer } = chunk;
  if (chunk.length >= RELEASED_FROM && buffer.byteLength === chunk.length && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
