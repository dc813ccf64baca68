import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerFault, Fault, isFault, type FaultTable } from '../../core/fault.ts';
import { isJsonObject, JsonError, parseJson, type Json, type JsonObject } from '../../core/json.ts';
import type { Caller } from '../../core/place.ts';
import type { SignedRequest } from '../../access/verify-signature.ts';
import { readBody } from '../http/body.ts';
import type { HttpHandler, RequestContext } from '../http/context.ts';
import { guard } from '../http/guard.ts';
import { sendText } from '../http/send.ts';
import { commonFaults, type AwsError } from './answer.ts';
import { requestScheme } from './registry-host.ts';

/** A service of the AWS JSON 1.1 protocol: `POST /` with the operation in `X-Amz-Target`. */
export interface JsonService<Identity> {
  /** What stands before the dot of `X-Amz-Target`. */
  targetPrefix: string;
  /** The services that a credential scope may name. */
  signingNames: ReadonlySet<string>;
  has(operation: string): boolean;
  /** Bytes of the longest body that the operation takes. */
  bodyLimit(operation: string): number;
  /** Does the operation and gives its answer's members. Raises faults. */
  call(operation: string, input: JsonObject, call: AwsCall<Identity>): Promise<object>;
  faults: FaultTable<AwsError>;
  internalError(requestId: string): AwsError;
}

/** Who calls, where, and by which name they reached this server. */
export interface AwsCall<Identity> {
  caller: Caller;
  identity: Identity;
  /** The request's `Host`. */
  host: string | undefined;
  scheme: 'http' | 'https';
  requestId: string;
}

/** Verifies a signature and gives who signed; raises the faults of `verifySignature`. */
export type Authenticate<Identity> = (
  request: SignedRequest,
  signingNames: ReadonlySet<string>,
) => Promise<{ caller: Caller; identity: Identity }>;

const CONTENT_TYPE = 'application/x-amz-json-1.1';

/** Checks in AWS's order: target, signature, JSON, shape, rules. */
export function createJsonProtocol<Identity>(options: {
  services: readonly JsonService<Identity>[];
  authenticate: Authenticate<Identity>;
}): HttpHandler {
  const handle: HttpHandler = async (request, response, context) => {
    const { service, operation } = findTarget(options.services, request);
    // A signature covers the whole body; who sends none is not listened to that long.
    if (request.headers.authorization === undefined)
      throw new Fault('unauthenticated', { reason: 'Missing Authentication Token' });
    const body = await readBody(request, service.bodyLimit(operation));
    const { caller, identity } = await options.authenticate(signedRequest(request, body), service.signingNames);
    const call = { caller, identity, host: request.headers.host, scheme: requestScheme(request), requestId: context.requestId };
    const output = await service.call(operation, parseBody(body), call);
    send(response, context, 200, output);
  };
  const serviceOf = (request: IncomingMessage): JsonService<Identity> | undefined =>
    options.services.find((service) => splitTarget(request).prefix === service.targetPrefix);
  return guard(handle, {
    fault(fault, request, response, context) {
      sendError(response, context, answerOf(serviceOf(request), fault));
    },
    internal(request, response, context) {
      sendError(
        response,
        context,
        serviceOf(request)?.internalError(context.requestId) ?? {
          type: 'InternalFailure',
          message: 'Internal error',
          status: 500,
        },
      );
    },
  });
}

/** A request as it came, for its signature to be checked. */
export function signedRequest(request: IncomingMessage, body: Uint8Array): SignedRequest {
  const headers: [string, string][] = [];
  for (let at = 0; at + 1 < request.rawHeaders.length; at += 2)
    headers.push([request.rawHeaders[at] ?? '', request.rawHeaders[at + 1] ?? '']);
  return { method: request.method ?? 'POST', target: request.url ?? '/', headers, body };
}

/** A request that reached no service can only have failed in a way that all of them share. */
function answerOf<Identity>(service: JsonService<Identity> | undefined, fault: Fault): AwsError {
  if (service !== undefined) return answerFault(service.faults, fault);
  if (isFault(fault, 'operation-unknown')) return commonFaults['operation-unknown'](fault.facts);
  return { type: 'InternalFailure', message: 'Internal error', status: 500 };
}

function splitTarget(request: IncomingMessage): { prefix: string; operation: string } {
  const target = request.headers['x-amz-target'];
  const text = typeof target === 'string' ? target : '';
  const dot = text.lastIndexOf('.');
  return { prefix: text.slice(0, Math.max(dot, 0)), operation: text.slice(dot + 1) };
}

function findTarget<Identity>(
  services: readonly JsonService<Identity>[],
  request: IncomingMessage,
): { service: JsonService<Identity>; operation: string } {
  const { prefix, operation } = splitTarget(request);
  const service = services.find(({ targetPrefix }) => targetPrefix === prefix);
  if (service === undefined || !service.has(operation))
    throw new Fault('operation-unknown', { operation: operation.slice(0, 100) });
  return { service, operation };
}

function parseBody(body: Buffer): JsonObject {
  let value: Json;
  try {
    value = body.length === 0 ? {} : parseJson(body);
  } catch (error) {
    if (error instanceof JsonError)
      throw new Fault('body-invalid', { reason: `The request's body cannot be read: ${error.message}` });
    throw error;
  }
  if (!isJsonObject(value)) throw new Fault('body-invalid', { reason: "The request's body must be a JSON object" });
  return value;
}

function send(
  response: ServerResponse,
  context: RequestContext,
  status: number,
  output: object,
  headers: Record<string, string> = {},
): void {
  sendText(response, status, JSON.stringify(output), {
    'Content-Type': CONTENT_TYPE,
    'x-amzn-RequestId': context.requestId,
    ...headers,
  });
}

function sendError(response: ServerResponse, context: RequestContext, error: AwsError): void {
  send(
    response,
    context,
    error.status,
    { __type: error.type, message: error.message, ...error.members },
    { 'x-amzn-ErrorType': error.type },
  );
}
