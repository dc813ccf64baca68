import http from 'node:http';
import https from 'node:https';

/** A preview of 100,000 images has 40 MiB. */
const LONGEST_ANSWER = 400 * 1024 * 1024;
const CONNECT_TIMEOUT = 10_000;

/** One request and its whole answer. It may take as long as the work behind it; only the connection must stand soon. */
export function exchange(
  url: URL,
  request: { method: string; target: string; headers: Record<string, string>; body: Uint8Array },
): Promise<{ status: number; body: Buffer }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: Buffer }>();
  const outgoing = (url.protocol === 'https:' ? https : http).request(new URL(request.target, url), {
    method: request.method,
    headers: { ...request.headers, 'content-length': String(request.body.length), 'connection': 'close' },
  });
  const connecting = setTimeout(
    () => outgoing.destroy(Object.assign(new Error('no connection'), { code: 'ETIMEDOUT' })),
    CONNECT_TIMEOUT,
  );
  outgoing.on('socket', (socket) => socket.once('connect', () => clearTimeout(connecting)));
  outgoing.on('error', (error) => {
    clearTimeout(connecting);
    // Node tries every address of a host name and reports the attempts together.
    reject(error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error);
  });
  outgoing.on('response', (answer) => {
    clearTimeout(connecting);
    const chunks: Buffer[] = [];
    let bytes = 0;
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > LONGEST_ANSWER) outgoing.destroy(Object.assign(new Error('the answer is too long'), { code: 'EMSGSIZE' }));
      else chunks.push(chunk);
    });
    answer.on('error', reject);
    answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks) }));
  });
  outgoing.end(request.body);
  return promise;
}
