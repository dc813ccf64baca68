import { Agent, request as open, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import { once } from 'node:events';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface Call {
  method: string;
  /** A path with its query, or a whole URL. */
  url: string;
  headers?: OutgoingHttpHeaders;
  /** A list is sent in chunks, without a length. */
  body?: Buffer | Buffer[];
}

export interface Http {
  send(call: Call): Promise<Answer>;
  /** Sends headers and the first part of a body, and breaks the connection. */
  breakOff(call: Call & { body: Buffer }): Promise<void>;
  readonly baseUrl: string;
  close(): void;
}

/** HTTP as it is: nothing followed, added, decoded or retried. */
export function createHttp({ baseUrl, authorization }: { baseUrl: string; authorization?: string }): Http {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const credentials = authorization === undefined ? {} : { Authorization: authorization };
  const resolve = (url: string): URL => new URL(url, baseUrl);
  // A path is sent as it is written: `URL` would resolve its dots away.
  const pathOf = (url: string): string => (url.startsWith('/') ? url : `${resolve(url).pathname}${resolve(url).search}`);

  async function send({ method, url, headers = {}, body }: Call): Promise<Answer> {
    const { hostname, port } = resolve(url.startsWith('/') ? '/' : url);
    const streamed = Array.isArray(body);
    const length = streamed
      ? {}
      : body !== undefined || /^(POST|PUT|PATCH)$/.test(method)
        ? { 'Content-Length': body?.length ?? 0 }
        : {};
    const outgoing = open({
      agent,
      hostname,
      port,
      method,
      path: pathOf(url),
      headers: { ...credentials, ...length, ...headers },
    });
    const answered = once(outgoing, 'response');
    // An early answer to a long body may close the connection under it; what counts is the answer.
    if (streamed) for (const part of body) outgoing.write(part);
    else if (body !== undefined) outgoing.write(body);
    outgoing.end();
    const [incoming] = (await answered) as [import('node:http').IncomingMessage];
    outgoing.on('error', () => {});
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks) };
  }

  async function breakOff({ method, url, headers = {}, body }: Call & { body: Buffer }): Promise<void> {
    const { hostname, port } = resolve(url);
    const outgoing = open({
      hostname,
      port,
      method,
      path: pathOf(url),
      agent: false,
      headers: { ...credentials, 'Content-Length': body.length, ...headers },
    });
    outgoing.on('error', () => {});
    // Breaking off is an error to the client; it is what was wanted.
    const closed = new Promise((resolve) => outgoing.once('close', resolve));
    await new Promise((resolve) => outgoing.write(body.subarray(0, Math.ceil(body.length / 2)), resolve));
    outgoing.destroy();
    await closed;
  }

  return { send, breakOff, baseUrl, close: () => agent.destroy() };
}
