import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '../../core/logger.ts';

/** What a handler knows of the request besides the request itself. */
export interface RequestContext {
  /** Also in the `X-Request-Id` of an answer that says what failed, so that a person can find the log line of what they saw. */
  readonly requestId: string;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly log: Logger;
}

/** Answers a request, or throws: the server then answers 500 and logs the causes under the request id. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse, context: RequestContext) => Promise<void>;
