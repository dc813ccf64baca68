import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerFault, type FaultTable } from '../../core/fault.ts';
import { requestScheme } from '../aws/registry-host.ts';
import type { FailureAnswers } from '../http/guard.ts';
import { sendJson, sendText } from '../http/send.ts';
import { API_VERSION } from './api-version.ts';
import type { OciError } from './faults.ts';

/** Failures in the words of the registry API. */
export function createOciFailures(faults: FaultTable<OciError>): FailureAnswers {
  return {
    fault(fault, request, response) {
      const error = answerFault(faults, fault);
      if (error.status === 401) sendChallenge(request, response);
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

/** What ECR answers to missing or wrong credentials, to the letter (seen in NVIDIA/enroot#59 and go-containerregistry#861). */
function sendChallenge(request: IncomingMessage, response: ServerResponse): void {
  const host = request.headers.host ?? 'localhost';
  const realm = /^[A-Za-z0-9.:[\]_-]+$/.test(host) ? host : 'localhost';
  sendText(response, 401, 'Not Authorized\n', {
    ...API_VERSION,
    'WWW-Authenticate': `Basic realm="${requestScheme(request)}://${realm}/",service="ecr.amazonaws.com"`,
  });
}
