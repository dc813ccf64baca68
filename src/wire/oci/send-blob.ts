import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Digest } from '../../core/digest.ts';
import { createTurnstile, type Turnstile } from '../../core/turnstile.ts';
import type { BlobReader } from '../../registry/ports.ts';
import { createBufferPool, type BufferPool } from './buffer-pool.ts';
import { API_VERSION } from './api-version.ts';
import { parseRange } from './range.ts';

export interface BlobContent {
  digest: Digest;
  bytes: number;
  reader: BlobReader;
}

export interface BlobSender {
  /** Answers a GET with a blob or the part that `Range` asks for, and closes the reader whatever happens. Raises `range-not-satisfiable`. */
  send(request: IncomingMessage, response: ServerResponse, blob: BlobContent): Promise<void>;
}

/** Blobs up to this size are read in one go into memory of their own. */
const SMALL = 64 * 1024;

export function blobHeaders(digest: Digest, bytes: number): OutgoingHttpHeaders {
  return {
    ...API_VERSION,
    'Content-Type': 'application/octet-stream',
    'Content-Length': bytes,
    'Docker-Content-Digest': digest,
    'ETag': `"${digest}"`,
    'Accept-Ranges': 'bytes',
    'X-Content-Type-Options': 'nosniff',
  };
}

/** True when the client says that it has this content already (RFC 9110, 13.1.2). */
export function isFresh(request: IncomingMessage, digest: Digest): boolean {
  const condition = request.headers['if-none-match'];
  if (condition === undefined) return false;
  return condition.split(',').some((tag) => {
    const text = tag.trim();
    return text === '*' || text === `"${digest}"` || text === `W/"${digest}"`;
  });
}

/**
 * Reads at one time. What was read goes straight on to the client, out of the processor's cache: a hundred answers that all
 * read at once push each other's bytes out of it, and take half as long again.
 */
const READS = 2;

export function createBlobSender(pool: BufferPool = createBufferPool()): BlobSender {
  const reads = createTurnstile(READS);
  return {
    async send(request, response, blob) {
      try {
        await sendContent(request, response, blob, { pool, reads });
      } finally {
        await blob.reader.close();
      }
    },
  };
}

interface Means {
  pool: BufferPool;
  reads: Turnstile;
}

async function sendContent(
  request: IncomingMessage,
  response: ServerResponse,
  { digest, bytes, reader }: BlobContent,
  means: Means,
): Promise<void> {
  const headers = blobHeaders(digest, bytes);
  if (isFresh(request, digest)) {
    delete headers['Content-Length'];
    response.writeHead(304, headers).end();
    return;
  }
  const condition = request.headers['if-range'];
  const range = condition === undefined || condition === `"${digest}"` ? parseRange(request.headers.range, bytes) : undefined;
  const first = range?.first ?? 0;
  const length = range === undefined ? bytes : range.last - range.first + 1;
  if (range !== undefined) {
    headers['Content-Length'] = length;
    headers['Content-Range'] = `bytes ${range.first}-${range.last}/${bytes}`;
  }
  const status = range === undefined ? 200 : 206;
  if (length <= SMALL) {
    const content = Buffer.allocUnsafe(length);
    await fill(reader, content, first);
    response.writeHead(status, headers).end(content);
    return;
  }
  await stream(response, reader, first, first + length, means, () => response.writeHead(status, headers));
}

interface Piece {
  /** Lent; to be given back. */
  buffer: Buffer;
  count: number;
}

/** The status goes out with the first bytes, so that a blob that cannot be read is an error and not a cut answer. */
async function stream(
  response: ServerResponse,
  reader: BlobReader,
  from: number,
  end: number,
  { pool, reads }: Means,
  begin: () => void,
): Promise<void> {
  let isGone = false;
  let settle: (error?: Error | null) => void = () => {};
  // A pending write of a connection that closes may never call back.
  const onClose = (): void => {
    isGone = true;
    settle(new Error('the client went away'));
  };

  async function send({ buffer, count }: Piece, isLast: boolean): Promise<void> {
    try {
      await new Promise<void>((resolve, reject) => {
        settle = (error) => (error ? reject(error) : resolve());
        const chunk = count === buffer.length ? buffer : buffer.subarray(0, count);
        if (isGone) onClose();
        else if (isLast) response.end(chunk, settle);
        else response.write(chunk, settle);
      });
    } finally {
      pool.give(buffer);
    }
  }

  const readPiece = (position: number): Promise<Piece> =>
    reads.pass(async () => {
      const buffer = pool.take();
      try {
        return { buffer, count: await read(reader, buffer, position, end) };
      } catch (error) {
        pool.give(buffer);
        throw error;
      }
    });

  response.once('close', onClose);
  let sending: Promise<void> | undefined;
  let reading: Promise<Piece> | undefined;
  try {
    let piece = await readPiece(from);
    begin();
    for (let position = from + piece.count; ; position += piece.count) {
      sending = send(piece, position === end);
      if (position === end || reads.waiting > 0 || !pool.isRoomy) await sending;
      if (position === end) return;
      reading = readPiece(position);
      [piece] = await Promise.all([reading, sending]);
      reading = undefined;
    }
  } catch (error) {
    // Ends what is on its way: nothing may still be sent from a buffer that is lent to somebody else next.
    if (response.headersSent) response.destroy();
    throw error;
  } finally {
    const [unsent] = await Promise.allSettled([reading, sending]);
    if (unsent.status === 'fulfilled' && unsent.value !== undefined) pool.give(unsent.value.buffer);
    response.off('close', onClose);
  }
}

async function read(reader: BlobReader, into: Buffer, position: number, end: number): Promise<number> {
  const wanted = end - position;
  const count = await reader.read(wanted < into.length ? into.subarray(0, wanted) : into, position);
  if (count === 0) throw new Error('the stored blob is shorter than its record says');
  return count;
}

async function fill(reader: BlobReader, into: Buffer, from: number): Promise<void> {
  for (let at = 0; at < into.length;) at += await read(reader, into.subarray(at), from + at, from + into.length);
}
