import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

export function isStream(answer: object | undefined): answer is AsyncIterable<object> {
  return answer !== undefined && Symbol.asyncIterator in answer;
}

/** Sends one JSON object a line, no faster than it is read. What fails underway cuts the connection. */
export async function sendLines(response: ServerResponse, lines: AsyncIterable<object>): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' });
  // The reader shall know at once that it may wait for lines.
  response.flushHeaders();
  const closed = new Promise((resolve) => response.once('close', resolve));
  for await (const line of lines) {
    if (response.destroyed) return;
    if (!response.write(`${JSON.stringify(line)}\n`)) await Promise.race([once(response, 'drain'), closed]);
  }
  response.end();
}
