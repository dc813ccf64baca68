import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** Answers with a JSON document. `headers` may replace the content type. */
export function sendJson(response: ServerResponse, status: number, body: unknown, headers: OutgoingHttpHeaders = {}): void {
  sendText(response, status, JSON.stringify(body), { 'Content-Type': 'application/json', ...headers });
}

/** Answers with a text; plain unless `headers` says otherwise. A HEAD request gets the same headers and no body. */
export function sendText(response: ServerResponse, status: number, body: string, headers: OutgoingHttpHeaders = {}): void {
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}

/** Answers without a body. */
export function sendEmpty(response: ServerResponse, status: number, headers: OutgoingHttpHeaders = {}): void {
  // 204 must not carry a length (RFC 9110, 8.6); elsewhere "0" saves the chunked terminator.
  response.writeHead(status, status === 204 ? headers : { 'Content-Length': 0, ...headers });
  response.end();
}

/** Up to this size, one copy costs less than a second buffer in the system call. */
const SMALL_BODY = 16 * 1024;

/** Ends an answer with bytes. Node sends a text together with the headers, bytes apart; latin1 keeps every byte as it is. */
export function endWithBytes(response: ServerResponse, bytes: Uint8Array): void {
  if (bytes.length > SMALL_BODY) response.end(bytes);
  else response.end(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'), 'latin1');
}
