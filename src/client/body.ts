import { createHash } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { digestAlgorithm, type Digest } from '../core/digest.ts';
import { FetchError } from './outcome.ts';
import { transportFailure, type WireAnswer } from './transport.ts';

/** How long the other side is waited for. */
export interface BodyPatience {
  clock: Pick<Clock, 'monotonic'>;
  /** Milliseconds of silence. */
  idleTimeout: number;
}

/** Whoever sends less while it is waited for would hold its reader up for hours without ever being silent: bytes, and milliseconds. */
const SLOWEST_BYTES = 120 * 1024;
const SLOWEST_MS = 60_000;

/**
 * The pieces of a body as they come. Silence longer than `idleTimeout` milliseconds, less than 2 KiB a second for a minute, or a
 * cut raises FetchError; a slow reader does not.
 */
export async function* bodyChunks(
  origin: string,
  answer: WireAnswer,
  { clock, idleTimeout }: BodyPatience,
): AsyncGenerator<Buffer, void, undefined> {
  const { body } = answer;
  let since = clock.monotonic();
  let waited = 0;
  let came = 0;
  const silence = (): void => {
    body.destroy(
      Object.assign(new Error(`silent for ${idleTimeout / 1000} s in the middle of an answer`), { code: 'ETIMEDOUT' }),
    );
  };
  let timer = setTimeout(silence, idleTimeout);
  let finished = false;
  try {
    for await (const chunk of body) {
      clearTimeout(timer);
      waited += clock.monotonic() - since;
      came += (chunk as Buffer).length;
      if (waited >= SLOWEST_MS) {
        if (came < SLOWEST_BYTES) throw tooSlow(origin);
        waited = 0;
        came = 0;
      }
      yield chunk as Buffer;
      since = clock.monotonic();
      timer = setTimeout(silence, idleTimeout);
    }
    finished = true;
  } catch (error) {
    if (error instanceof FetchError) throw error;
    finished = true;
    throw transportFailure(origin, answer.url, error as NodeJS.ErrnoException);
  } finally {
    clearTimeout(timer);
    if (!finished) body.destroy();
  }
}

/** A small body, whole. More than `limit` bytes, or a coding that was not asked for, raises FetchError. */
export async function readBody(origin: string, answer: WireAnswer, limit: number, patience: BodyPatience): Promise<Buffer> {
  refuseCoding(origin, answer);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of bodyChunks(origin, answer, patience)) {
    size += chunk.length;
    if (size > limit) throw new FetchError({ kind: 'corrupt', host: origin, reason: `its answer is larger than ${limit} bytes` });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** Lets a body go that nobody will read; a small one keeps its connection. */
export function discardBody(answer: WireAnswer): void {
  const length = Number(answer.headers['content-length'] ?? Number.NaN);
  if (length <= 64 * 1024 || answer.body.complete) answer.body.resume();
  else answer.body.destroy();
  // A cut while discarding concerns nobody: the answer's head has been read.
  answer.body.on('error', () => {});
}

/** Passes chunks on and raises FetchError at the end if they are not `digest` (and `size` bytes, when that is known). */
export async function* verifiedChunks(
  origin: string,
  chunks: AsyncIterable<Buffer>,
  digest: Digest,
  size: number | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  const algorithm = digestAlgorithm(digest);
  const hash = createHash(algorithm);
  let received = 0;
  for await (const chunk of chunks) {
    received += chunk.length;
    if (size !== undefined && received > size) throw wrong(origin, `it sent more than the ${size} bytes of ${digest}`);
    hash.update(chunk);
    yield chunk;
  }
  if (size !== undefined && received !== size) throw wrong(origin, `it sent ${received} of the ${size} bytes of ${digest}`);
  if (`${algorithm}:${hash.digest('hex')}` !== digest) throw wrong(origin, `what it sent is not ${digest}`);
}

export function refuseCoding(origin: string, answer: WireAnswer): void {
  const coding = answer.headers['content-encoding'];
  if (coding === undefined || coding === '' || coding === 'identity') return;
  answer.body.destroy();
  throw wrong(origin, `it answered in the coding "${coding.slice(0, 40)}", which was not asked for`);
}

function tooSlow(host: string): FetchError {
  const reason = `it sends less than ${(SLOWEST_BYTES * 1000) / SLOWEST_MS / 1024} KiB a second`;
  return new FetchError({ kind: 'unreachable', host, reason, isSlow: true });
}

function wrong(host: string, reason: string): FetchError {
  return new FetchError({ kind: 'corrupt', host, reason });
}
