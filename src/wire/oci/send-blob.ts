import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Digest } from '../../core/digest.ts';
import type { BlobReader } from '../../registry/ports.ts';
import { createBufferPool, type BufferPool, type Buffers } from './buffer-pool.ts';
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

export function createBlobSender(pool: BufferPool = createBufferPool()): BlobSender {
  return {
    async send(request, response, blob) {
      try {
        await sendContent(request, response, blob, pool);
      } finally {
        await blob.reader.close();
      }
    },
  };
}

async function sendContent(
  request: IncomingMessage,
  response: ServerResponse,
  { digest, bytes, reader }: BlobContent,
  pool: BufferPool,
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
  const buffers = pool.take();
  try {
    await stream(response, reader, first, first + length, buffers, () => response.writeHead(status, headers));
  } finally {
    pool.give(buffers);
  }
}

/** The status goes out with the first bytes, so that a blob that cannot be read is an error and not a cut answer. */
async function stream(
  response: ServerResponse,
  reader: BlobReader,
  from: number,
  end: number,
  [one, other = one]: Buffers,
  begin: () => void,
): Promise<void> {
  let isGone = false;
  let settle: (error?: Error | null) => void = () => {};
  // A pending write of a connection that closes may never call back.
  const onClose = (): void => {
    isGone = true;
    settle(new Error('the client went away'));
  };
  const send = (chunk: Buffer, isLast: boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      settle = (error) => (error ? reject(error) : resolve());
      if (isGone) onClose();
      else if (isLast) response.end(chunk, settle);
      else response.write(chunk, settle);
    });
  response.once('close', onClose);
  let reading: Promise<number> | undefined;
  try {
    let [sending, filling] = [one, other];
    let position = from;
    let count = await read(reader, sending, position, end);
    begin();
    for (;;) {
      position += count;
      const sent = send(count === sending.length ? sending : sending.subarray(0, count), position === end);
      if (position === end || filling === sending) await sent;
      if (position === end) return;
      reading = read(reader, filling, position, end);
      [count] = await Promise.all([reading, sent]);
      [sending, filling] = [filling, sending];
    }
  } finally {
    response.off('close', onClose);
    // The buffers are lent to somebody else next: nothing may still be read into them.
    await Promise.allSettled([reading]);
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
