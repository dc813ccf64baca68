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
  endInTurn(response, () => response.end(body));
}

/** Answers without a body. */
export function sendEmpty(response: ServerResponse, status: number, headers: OutgoingHttpHeaders = {}): void {
  // 204 must not carry a length (RFC 9110, 8.6); elsewhere "0" saves the chunked terminator.
  response.writeHead(status, status === 204 ? headers : { 'Content-Length': 0, ...headers });
  endInTurn(response, () => response.end());
}

/** A HEAD request's answer: `headers` are those of the GET. */
export function sendHead(response: ServerResponse, headers: OutgoingHttpHeaders): void {
  response.writeHead(200, headers);
  endInTurn(response, () => response.end());
}

/** Up to this size, one copy costs less than a second buffer in the system call. */
const SMALL_BODY = 16 * 1024;

/** Ends an answer with bytes. Node sends a text together with the headers, bytes apart; latin1 keeps every byte as it is. */
export function endWithBytes(response: ServerResponse, bytes: Uint8Array): void {
  if (bytes.length > SMALL_BODY) response.end(bytes);
  else {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    endInTurn(response, () => response.end(text, 'latin1'));
  }
}

/** As many answers in one turn of the event loop mean that the next turn has many, too. */
const CROWD = 4;
/** Answers of this turn that wait for its end: of the process, as the turn is. */
const waiting: (() => void)[] = [];
let answered = 0;
let answeredBefore = 0;

/**
 * Ends a small answer: at once, or together with the turn's others where there are many. Each write may have to wake the
 * client's processor, which costs more than all else of a small request; written one right after the other, the first
 * wakes it for all.
 */
function endInTurn(response: ServerResponse, end: () => void): void {
  if (answered++ === 0) setImmediate(finishTurn);
  if (answeredBefore < CROWD) end();
  else waiting.push(() => response.destroyed || end());
}

function finishTurn(): void {
  answeredBefore = answered;
  answered = 0;
  for (const end of waiting.splice(0)) end();
}
