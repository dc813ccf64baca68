import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerFault, type FaultTable } from '../../core/fault.ts';
import { requestScheme } from '../aws/registry-host.ts';
import type { FailureAnswers } from '../http/guard.ts';
import { sendJson, sendText } from '../http/send.ts';
import { API_VERSION } from './api-version.ts';
import type { OciError } from './faults.ts';
import { TOKEN_PATH } from './token.ts';

/** Failures in the words of the registry API. `hasPublic`: whether strangers may pull anything here. */
export function createOciFailures(faults: FaultTable<OciError>, hasPublic: () => Promise<boolean>): FailureAnswers {
  return {
    async fault(fault, request, response) {
      const error = answerFault(faults, fault);
      if (error.status === 401)
        sendText(response, 401, 'Not Authorized\n', {
          ...API_VERSION,
          'WWW-Authenticate': challenge(request, await hasPublic()),
        });
      else sendError(response, error);
    },
    internal(_request, response, context) {
      sendError(response, {
        status: 500,
        code: 'UNKNOWN',
        message: `Internal error. The server's log says more under the request id ${context.requestId}.`,
      });
    },
  };
}

export function sendError(response: ServerResponse, { status, code, message, detail, headers }: OciError): void {
  sendJson(response, status, { errors: [{ code, message, ...(detail ? { detail } : {}) }] }, { ...API_VERSION, ...headers });
}

/**
 * What ECR answers to missing or wrong credentials, to the letter (seen in NVIDIA/enroot#59 and go-containerregistry#861).
 * Docker gives up at once when it is asked for Basic credentials that it does not have, even for what needs none; where
 * something is public, clients are sent to fetch a token instead, which strangers get too.
 */
function challenge(request: IncomingMessage, hasPublic: boolean): string {
  const named = request.headers.host ?? 'localhost';
  const host = /^[A-Za-z0-9.:[\]_-]+$/.test(named) ? named : 'localhost';
  const origin = `${requestScheme(request)}://${host}`;
  return hasPublic
    ? `Bearer realm="${origin}${TOKEN_PATH}",service="ecr.amazonaws.com"`
    : `Basic realm="${origin}/",service="ecr.amazonaws.com"`;
}
