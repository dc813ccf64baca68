import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { breathe } from '../../registry/collection-pass.ts';

/** An answer that is too large to be made at once: the text of one JSON object, part by part. */
export class JsonText {
  readonly parts: Iterable<string>;
  constructor(parts: Iterable<string>) {
    this.parts = parts;
  }
}

/** Sends the parts no faster than they are read, and lets other requests go between them. */
export async function sendText(response: ServerResponse, { parts }: JsonText): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  const closed = new Promise((resolve) => response.once('close', resolve));
  for (const part of parts) {
    if (response.destroyed) return;
    if (!response.write(part)) await Promise.race([once(response, 'drain'), closed]);
    await breathe();
  }
  response.end();
}
