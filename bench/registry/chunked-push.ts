/** `chunked-push.ts LOCATION FILE DIGEST HEADERS`: pushes the file in 64 chunks with Content-Range, then closes the upload. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { Agent, request } from 'node:http';

const [location = '', path = '', digest = '', headersText = '{}'] = process.argv.slice(2);
const headers = JSON.parse(headersText) as Record<string, string>;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const bytes = statSync(path).size;
const size = Math.ceil(bytes / 64);
const file = openSync(path, 'r');
const buffer = Buffer.allocUnsafe(size);

let next = location;
for (let from = 0; from < bytes; from += size) {
  const length = readSync(file, buffer, 0, Math.min(size, bytes - from), from);
  next = await send(
    'PATCH',
    next,
    buffer.subarray(0, length),
    { 'Content-Range': `${from}-${from + length - 1}`, 'Content-Type': 'application/octet-stream' },
    202,
  );
}
await send('PUT', `${next}${next.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`, Buffer.alloc(0), {}, 201);
closeSync(file);
agent.destroy();

function send(method: string, url: string, body: Buffer, more: Record<string, string>, expected: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, agent, headers: { ...headers, ...more, 'Content-Length': body.length } }, (response) => {
      response.resume();
      response.on('end', () => {
        if (response.statusCode === expected) resolve(new URL(response.headers.location ?? '', url).href);
        else reject(new Error(`${method} gave ${response.statusCode}`));
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
