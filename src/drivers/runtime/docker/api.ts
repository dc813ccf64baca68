import type { IncomingMessage } from 'node:http';

// `import` would read every name that the module exports, and some bring another HTTP client: 8 MiB and 30 ms.
const { Agent, request: httpRequest } = process.getBuiltinModule('node:http');

/** An answer of the Engine that says no, in its own words. */
export class DockerError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'DockerError';
    this.status = status;
  }
}

export interface DockerRequest {
  method?: 'GET' | 'POST' | 'DELETE' | 'PUT' | 'HEAD';
  /** Parameters that are undefined are left out; lists and objects are sent as JSON. */
  query?: Record<string, string | number | boolean | object | undefined>;
  body?: object | Uint8Array;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Statuses that are fine beside 2xx: their answer is `undefined`. */
  also?: number[];
}

/** The Docker Engine API over its socket (docs.docker.com, "Engine API"), as Podman serves it too. */
export interface DockerApi {
  /** The answer's JSON; `undefined` when it has none. Raises `DockerError`, or Node's error when the socket does not answer. */
  call<T>(path: string, request?: DockerRequest): Promise<T | undefined>;
  /** The answer's body as it comes. Raises as `call` does. */
  open(path: string, request?: DockerRequest): Promise<IncomingMessage>;
  close(): void;
}

/** No answer that is read whole is longer than this. */
const LONGEST_ANSWER = 64 * 1024 * 1024;
/** The newest version whose answers this driver was written for; older ones are asked in their own. */
const NEWEST = [1, 47] as const;

/** `socketPath` such as `/var/run/docker.sock`. The version is agreed on with the first call. */
export function createDockerApi(socketPath: string): DockerApi {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  let version: Promise<string> | undefined;

  const send = (
    path: string,
    { method = 'GET', query = {}, body, headers = {}, signal }: DockerRequest,
  ): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const parameters = new URLSearchParams();
      for (const [name, value] of Object.entries(query))
        if (value !== undefined) parameters.set(name, typeof value === 'object' ? JSON.stringify(value) : String(value));
      const text = parameters.size === 0 ? '' : `?${parameters.toString()}`;
      const bytes = body === undefined || body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
      const type = body instanceof Uint8Array ? 'application/x-tar' : 'application/json';
      const request = httpRequest(
        {
          socketPath,
          agent,
          method,
          path: path + text,
          headers: {
            Host: 'docker',
            ...(bytes === undefined ? {} : { 'Content-Type': type }),
            'Content-Length': bytes?.length ?? 0,
            ...headers,
          },
          ...(signal === undefined ? {} : { signal }),
        },
        resolve,
      );
      request.on('error', reject);
      request.end(bytes);
    });

  const agree = async (): Promise<string> => {
    const { ApiVersion, MinAPIVersion } = JSON.parse(await readText(await send('/version', {}))) as Record<string, string>;
    const parts = (text = '1.40'): [number, number] => [Number(text.split('.')[0]), Number(text.split('.')[1])];
    const older = (a: readonly [number, number], b: readonly [number, number]) => (a[0] - b[0] || a[1] - b[1]) < 0;
    const newest = parts(ApiVersion);
    const least = parts(MinAPIVersion ?? ApiVersion);
    const chosen = older(newest, NEWEST) ? newest : older(NEWEST, least) ? least : NEWEST;
    return `/v${chosen[0]}.${chosen[1]}`;
  };

  const open = async (path: string, request: DockerRequest = {}): Promise<IncomingMessage> => {
    version ??= agree().catch((error: unknown) => {
      version = undefined;
      throw error;
    });
    const response = await send((await version) + path, request);
    const status = response.statusCode ?? 0;
    if (status < 300 || request.also?.includes(status) === true) return response;
    throw new DockerError(status, messageOf(await readText(response), status));
  };

  return {
    open,
    async call<T>(path: string, request: DockerRequest = {}) {
      const response = await open(path, request);
      const text = await readText(response);
      if ((response.statusCode ?? 0) >= 300 || text.trim() === '') return undefined;
      return response.headers['content-type']?.startsWith('application/json') === true ? (JSON.parse(text) as T) : undefined;
    },
    close: () => agent.destroy(),
  };
}

function messageOf(text: string, status: number): string {
  try {
    const { message, cause } = JSON.parse(text) as { message?: unknown; cause?: unknown };
    if (typeof message === 'string' && message !== '') return message;
    if (typeof cause === 'string') return cause;
  } catch {
    // Not JSON: the text itself is the message.
  }
  return text.trim().slice(0, 1000) || `the engine answered ${status}`;
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LONGEST_ANSWER) throw new Error(`the engine's answer is longer than ${LONGEST_ANSWER} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
