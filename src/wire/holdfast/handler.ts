import type { ServerResponse } from 'node:http';
import { answerFault } from '../../core/fault.ts';
import type { Lifecycle } from '../../lifecycle/lifecycle.ts';
import type { Orchestrator } from '../../orchestrator/orchestrator.ts';
import type { Registry } from '../../registry/registry.ts';
import { readBody } from '../http/body.ts';
import type { HttpHandler } from '../http/context.ts';
import { guard } from '../http/guard.ts';
import { sendEmpty, sendJson } from '../http/send.ts';
import { splitTarget } from '../http/target.ts';
import { authenticate, type ApiPlaces } from './authenticate.ts';
import { apiFaults, type ApiError } from './faults.ts';
import type { ApiAccess, ApiCall } from './operation.ts';
import { matchOperation } from './operations.ts';
import { readInput, readRegion, refuseForeignPages } from './read-input.ts';
import { isStream, sendLines } from './send-lines.ts';
import { JsonText, sendText } from './send-text.ts';

const BODY_LIMIT = 64 * 1024;

export interface HoldfastApiOptions {
  registry: Registry;
  lifecycle: Lifecycle;
  access: ApiAccess;
  orchestrator: Pick<Orchestrator, 'readLogs' | 'rollBack' | 'collectUnpacked'>;
  places: ApiPlaces;
}

/** Our own API below `/holdfast/v1/`: JSON over HTTP, for what the registry's and ECR's protocols have no words for. */
export function createHoldfastApi({ registry, lifecycle, access, orchestrator, places }: HoldfastApiOptions): HttpHandler {
  let scrubbing: ReturnType<ApiCall['scrub']> | undefined;
  const scrub: ApiCall['scrub'] = () => (scrubbing ??= registry.collector.scrub().finally(() => (scrubbing = undefined)));

  const handle: HttpHandler = async (request, response) => {
    refuseForeignPages(request);
    const { path, query } = splitTarget(request.url ?? '/');
    const body = await readBody(request, BODY_LIMIT);
    const region = readRegion(query);
    const { principal, caller } = await authenticate(request, body, region, access, places);
    const match = matchOperation(request.method ?? '', path);
    if ('allowed' in match) {
      const message = `${request.method} is not answered here; ${match.allowed.join(' and ')} is.`;
      sendError(response, { status: 405, message }, 'operation-unknown', { Allow: match.allowed.join(', ') });
      return;
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const answer = await match.operation.perform(readInput(match, query, body), {
      caller,
      principal,
      registry,
      lifecycle,
      access,
      orchestrator,
      signal: gone.signal,
      scrub,
    });
    // An answer may hold a secret, and what it says may be another thing a moment later.
    if (isStream(answer)) await sendLines(response, answer);
    else if (answer instanceof JsonText) await sendText(response, answer);
    else if (answer === undefined) sendEmpty(response, 204, { 'Cache-Control': 'no-store' });
    else sendJson(response, 200, answer, { 'Cache-Control': 'no-store' });
  };
  return guard(handle, {
    fault(fault, _request, response) {
      const error = answerFault(apiFaults, fault);
      sendError(
        response,
        error,
        fault.kind,
        error.status === 401 ? { 'WWW-Authenticate': 'Basic realm="Holdfast", charset="UTF-8"' } : {},
      );
    },
    internal(_request, response, context) {
      sendError(
        response,
        { status: 500, message: `Internal error. The server's log says more under the request id ${context.requestId}.` },
        'internal',
      );
    },
  });
}

function sendError(response: ServerResponse, error: ApiError, kind: string, headers: Record<string, string> = {}): void {
  sendJson(
    response,
    error.status,
    { error: { kind, message: error.message } },
    { 'Cache-Control': 'no-store', ...error.headers, ...headers },
  );
}
