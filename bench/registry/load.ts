/**
 * `load.ts URL METHOD PATH SECONDS CONNECTIONS HEADERS`: keeps one request under way on each connection and counts the
 * answers. It reads no more of an answer than it must (status, length), so that it is not what is measured.
 */
import { connect, type Socket } from 'node:net';

const [url = '', method = 'GET', path = '/', seconds = '5', connections = '64', headersText = '{}'] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const headers = Object.entries(JSON.parse(headersText) as Record<string, string>)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');
const accept = 'Accept: application/vnd.oci.image.manifest.v1+json\r\n';
const message = Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n${accept}${headers}\r\n`);
const END = Buffer.from('\r\n\r\n');
const times: number[] = [];
const stopAt = performance.now() + Number(seconds) * 1000;
let open = Number(connections);

for (let n = 0; n < Number(connections); n++) drive(connect(Number(port), hostname));

function drive(socket: Socket): void {
  socket.setNoDelay(true);
  let pending: Buffer = Buffer.alloc(0);
  let sentAt = 0;
  const send = (): void => {
    sentAt = performance.now();
    if (sentAt >= stopAt) {
      socket.destroy();
      if (--open === 0) finish();
      return;
    }
    socket.write(message);
  };
  socket.on('connect', send);
  socket.on('error', (error) => {
    throw error;
  });
  socket.on('data', (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const end = pending.indexOf(END);
    if (end < 0) return;
    const head = pending.toString('latin1', 0, end);
    if (!head.startsWith('HTTP/1.1 200')) throw new Error(head.split('\r\n')[0]);
    const length = method === 'HEAD' ? 0 : Number(/content-length: (\d+)/i.exec(head)?.[1]);
    if (pending.length < end + 4 + length) return;
    pending = Buffer.alloc(0);
    times.push(performance.now() - sentAt);
    send();
  });
}

function finish(): void {
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? NaN;
  process.stdout.write(JSON.stringify({ perSecond: times.length / Number(seconds), median: at(0.5), p99: at(0.99) }));
}
