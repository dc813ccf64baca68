import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { IdSource } from '../../core/ids.ts';
import { describeCauses, type Logger } from '../../core/logger.ts';
import { expectContinue } from './body.ts';
import { chooseHandler, type HttpHandlers } from './dispatch.ts';
import { failRequest, type FailureAnswers } from './guard.ts';
import { DEFAULT_HTTP_LIMITS, type HttpLimits } from './limits.ts';
import { sendText } from './send.ts';
import { createSlowClients } from './slow-clients.ts';
import { loggablePath, splitTarget } from './target.ts';

// `import` would read every name that the module exports, and some bring a whole HTTP client: 8 MiB and 30 ms.
const { createServer } = process.getBuiltinModule('node:http');

/** One answered request, for logs and counters. */
export interface AccessEntry {
  requestId: string;
  method: string;
  path: string;
  status: number;
  /** Milliseconds from the request's headers to the end of its answer. */
  duration: number;
}

export interface HttpServerOptions {
  handlers: HttpHandlers;
  clock: Clock;
  ids: IdSource;
  log: Logger;
  limits?: Partial<HttpLimits>;
  /** Called once for each answered or broken request. */
  observe?: (entry: AccessEntry) => void;
}

const LAST_RESORT: FailureAnswers = {
  fault: (_fault, _request, response) => sendText(response, 500, 'Internal error\n'),
  internal: (_request, response) => sendText(response, 500, 'Internal error\n'),
};

/** Milliseconds between the answer to an unreadable request and the end of its connection. */
const LINGER = 500;

const PARSE_FAILURES: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** The one port's server: not listening yet. Ends with `closeHttpServer`. */
export function createHttpServer(options: HttpServerOptions): Server {
  const { handlers, clock, ids, log, observe } = options;
  const limits = { ...DEFAULT_HTTP_LIMITS, ...options.limits };
  const slowClients = createSlowClients(limits, (request, reason) => {
    log.warn('connection cut', {
      reason,
      method: request.method,
      path: loggablePath(splitTarget(request.url ?? '').path),
      remote: request.socket.remoteAddress,
    });
    request.socket.destroy();
  });

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const started = clock.monotonic();
    const context = { requestId: ids.uuid(), receivedAt: clock.now(), log };
    slowClients.watch(request, response);
    const { path } = splitTarget(request.url ?? '/');
    response.once('close', () => {
      // What a handler left of a body would block the connection's next request.
      if (!request.readableEnded) request.resume();
      const entry: AccessEntry = {
        requestId: context.requestId,
        method: request.method ?? '',
        path: loggablePath(path),
        status: response.statusCode,
        duration: clock.monotonic() - started,
      };
      log.debug('request', { ...entry });
      observe?.(entry);
    });
    if (request.rawHeaders.length > limits.headers * 2) {
      sendText(response, 431, `More than ${limits.headers} header lines\n`, { Connection: 'close' });
      return;
    }
    if (hasTwoHosts(request.rawHeaders)) {
      response.shouldKeepAlive = false;
      sendText(response, 400, 'More than one Host header\n');
      return;
    }
    const handler = chooseHandler(handlers, request.method, path);
    if (handler === undefined) {
      sendText(response, 404, 'Nothing is here. Images are under /v2/, the AWS API answers POST /\n');
      return;
    }
    handler(request, response, context).catch((error: unknown) => failRequest(error, request, response, context, LAST_RESORT));
  }

  const server = createServer({
    // A layer may take hours; slow clients are found by their rate instead.
    requestTimeout: 0,
    headersTimeout: limits.headersTimeout,
    keepAliveTimeout: limits.keepAliveTimeout,
    connectionsCheckingInterval: Math.min(limits.headersTimeout, 5_000),
    maxHeaderSize: limits.headerBytes,
    noDelay: true,
  });
  // 0 keeps all of them, so that one more than allowed is seen and refused instead of dropped.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.connections;
  server.on('request', answer);
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    expectContinue(request, response);
    answer(request, response);
  });
  server.on('connection', (socket: Socket) => slowClients.connect(socket));
  const refused = new WeakSet<Socket>();
  server.on('clientError', (error: Error & { code?: string }, socket: Socket) => {
    // The rest of what a refused client sends fails to parse again.
    if (refused.has(socket)) return;
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    refused.add(socket);
    log.debug('unreadable request', { error: describeCauses(error)[0]?.split('\n')[0], remote: socket.remoteAddress });
    const status = PARSE_FAILURES[error.code ?? ''] ?? '400 Bad Request';
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    // Closing on unread bytes would reset the connection, and the answer with it; so it is left open for a moment.
    setTimeout(() => socket.destroy(), LINGER).unref();
  });
  const sweeping = setInterval(() => slowClients.sweep(), limits.sweepInterval);
  sweeping.unref();
  server.on('close', () => clearInterval(sweeping));
  return server;
}

/** A request for two hosts is for one here and for the other at a proxy (RFC 9112, 3.2). */
function hasTwoHosts(rawHeaders: string[]): boolean {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  return hosts > 1;
}

/** Stops accepting, lets requests under way finish for at most `grace` milliseconds, then cuts the rest. */
export async function closeHttpServer(server: Server, grace: number): Promise<void> {
  const closed = new Promise<void>((resolve, reject) =>
    server.close((error) => (error === undefined ? resolve() : reject(error))),
  );
  // A connection becomes idle when its request is done; nothing else would close it before its keep-alive ends.
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  const cut = setTimeout(() => server.closeAllConnections(), grace);
  try {
    await closed;
  } finally {
    clearInterval(idle);
    clearTimeout(cut);
  }
}
