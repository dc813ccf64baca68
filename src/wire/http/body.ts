import type { IncomingMessage, ServerResponse } from 'node:http';
import { Fault } from '../../core/fault.ts';

/** A buffered body that is not whole after this long, in milliseconds, is given up. */
const BUFFERED_BODY_TIMEOUT = 300_000;

/** Requests whose client waits for `100 Continue` before it sends the body. */
const waiting = new WeakMap<IncomingMessage, ServerResponse>();

/** Notes that the client waits. Until `acceptBody`, the connection ends with the answer, because the body may or may not follow it. */
export function expectContinue(request: IncomingMessage, response: ServerResponse): void {
  response.shouldKeepAlive = false;
  waiting.set(request, response);
}

/** Lets a waiting client send its body. Call it once every check that needs no body has passed. */
export function acceptBody(request: IncomingMessage): void {
  const response = waiting.get(request);
  if (response === undefined) return;
  waiting.delete(request);
  response.shouldKeepAlive = request.headers.connection?.toLowerCase() !== 'close';
  response.writeContinue();
}

/** The declared length in bytes; `undefined` for a chunked body and for a request that has none. */
export function contentLength(request: IncomingMessage): number | undefined {
  const header = request.headers['content-length'];
  return header === undefined ? undefined : Number(header);
}

/** True when the request carries a body, even an empty chunked one. */
export function hasBody(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined || (contentLength(request) ?? 0) > 0;
}

/**
 * The whole body, at most `limit` bytes. Raises `request-too-large` (or what `tooLarge` gives) before more than `limit`
 * bytes are held, and an ordinary error when the client goes away before the body is whole.
 */
export async function readBody(request: IncomingMessage, limit: number, tooLarge?: (bytes: number) => Error): Promise<Buffer> {
  const refuse = (bytes: number): Error => tooLarge?.(bytes) ?? new Fault('request-too-large', { limit });
  const declared = contentLength(request);
  if (declared !== undefined && declared > limit) throw refuse(declared);
  if (declared === 0) return Buffer.alloc(0);
  acceptBody(request);
  const chunks: Buffer[] = [];
  let bytes = 0;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => request.destroy(new Error('the body did not arrive in time')), BUFFERED_BODY_TIMEOUT);
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      request.off('data', take);
      request.off('end', end);
      request.off('error', settle);
      request.off('close', close);
      // Without a listener the stream would stop, and with it the draining that lets the client read the refusal.
      if (error === undefined) resolve();
      else {
        request.on('error', () => {});
        request.resume();
        reject(error);
      }
    };
    const take = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > limit) settle(refuse(bytes));
      else chunks.push(chunk);
    };
    const end = (): void => settle(request.complete ? undefined : new Error('the body was cut short'));
    const close = (): void => settle(new Error('the client went away before the body was whole'));
    request.on('data', take);
    request.on('end', end);
    request.on('error', settle);
    request.on('close', close);
  });
  const first = chunks[0];
  return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, bytes);
}
