import type { IncomingMessage } from 'node:http';
import type { HttpHandler } from './context.ts';

/** The protocols that share the port. An absent one answers 404. */
export interface HttpHandlers {
  /** `/v2`, and everything below it. */
  oci: HttpHandler;
  /** `POST /`: the AWS JSON protocol. */
  aws: HttpHandler;
  /** `/holdfast/token`: tokens for the registry API. */
  token?: HttpHandler;
  /** `/holdfast/download/<grant>`: blobs by a signed link. */
  download?: HttpHandler;
  /** The rest of `/holdfast/`: our own API. */
  api?: HttpHandler;
  /** `/v4/<id>` and `/api/<id>`: what a container asks of its own task. */
  metadata?: HttpHandler;
  healthz?: HttpHandler;
  metrics?: HttpHandler;
  console?: HttpHandler;
}

/** Chooses by path, and by method for `/`; `undefined` when nothing answers there. */
export function chooseHandler(handlers: HttpHandlers, method: IncomingMessage['method'], path: string): HttpHandler | undefined {
  if (path.startsWith('/v2/') || path === '/v2') return handlers.oci;
  if (path === '/') return method === 'POST' ? handlers.aws : undefined;
  if (path === '/holdfast/token') return handlers.token;
  if (path.startsWith('/holdfast/')) return path.startsWith('/holdfast/download/') ? handlers.download : handlers.api;
  if (path.startsWith('/v4/') || path.startsWith('/api/')) return handlers.metadata;
  if (path === '/healthz') return handlers.healthz;
  if (path === '/metrics') return handlers.metrics;
  if (path === '/console' || path.startsWith('/console/')) return handlers.console;
  return undefined;
}
