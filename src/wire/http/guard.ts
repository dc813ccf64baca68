import type { IncomingMessage, ServerResponse } from 'node:http';
import { isFault, type Fault } from '../../core/fault.ts';
import { describeCauses } from '../../core/logger.ts';
import type { HttpHandler, RequestContext } from './context.ts';

/** How a wire says that something went wrong. */
export interface FailureAnswers {
  fault(fault: Fault, request: IncomingMessage, response: ServerResponse, context: RequestContext): void | Promise<void>;
  /** Something that is not a fault: a bug, or a broken machine. The causes are in the log already. */
  internal(request: IncomingMessage, response: ServerResponse, context: RequestContext): void;
}

/** A wire's one `catch`: faults go to the wire's table; anything else is logged once, with its causes, and answered as internal. */
export function guard(handle: HttpHandler, answers: FailureAnswers): HttpHandler {
  return async (request, response, context) => {
    try {
      await handle(request, response, context);
    } catch (error) {
      await failRequest(error, request, response, context, answers);
    }
  };
}

export function failRequest(
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
  context: RequestContext,
  answers: FailureAnswers,
): void | Promise<void> {
  const fault = isFault(error);
  if (isClientGone(request, response)) {
    context.log.debug('client went away', {
      requestId: context.requestId,
      error: error instanceof Error ? error.message : String(error),
    });
    response.destroy();
    return undefined;
  }
  if (!fault) {
    context.log.error('request failed', { requestId: context.requestId, method: request.method, causes: describeCauses(error) });
  }
  if (response.headersSent) {
    // The status is out; a cut connection is the only way left to say that the body is not whole.
    if (fault) context.log.error('answer cut short', { requestId: context.requestId, causes: describeCauses(error) });
    response.destroy();
    return undefined;
  }
  response.setHeader('X-Request-Id', context.requestId);
  if (fault) return answers.fault(error, request, response, context);
  return answers.internal(request, response, context);
}

/** True when nobody can read an answer any more. */
export function isClientGone(request: IncomingMessage, response: ServerResponse): boolean {
  return response.destroyed || request.socket.destroyed || (request.errored !== null && !request.complete);
}
