import type { HttpHandler } from '../http/context.ts';
import { readBody } from '../http/body.ts';
import { guard } from '../http/guard.ts';
import { sendText } from '../http/send.ts';
import { answerFault, Fault, type FaultTable } from '../../core/fault.ts';
import type { AwsError } from './answer.ts';
import { signedRequest, type Authenticate } from './json-protocol.ts';

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';
const SIGNING_NAMES: ReadonlySet<string> = new Set(['sts']);
const BODY_LIMIT = 64 * 1024;

/**
 * STS `GetCallerIdentity` in the query protocol (form in, XML out): clients ask it who they are before they do anything
 * else. `userId` gives AWS's unique identifier of the caller. No other operation of STS is here.
 */
export function createStsProtocol<Identity>(options: {
  authenticate: Authenticate<Identity>;
  userId(identity: Identity): string;
  faults: FaultTable<AwsError>;
}): HttpHandler {
  const handle: HttpHandler = async (request, response, context) => {
    const body = await readBody(request, BODY_LIMIT);
    const action = new URLSearchParams(body.toString('latin1')).get('Action') ?? '';
    if (action !== 'GetCallerIdentity') throw new Fault('operation-unknown', { operation: action.slice(0, 100) });
    const { caller, identity } = await options.authenticate(signedRequest(request, body), SIGNING_NAMES);
    const result =
      `<GetCallerIdentityResponse xmlns="${NAMESPACE}"><GetCallerIdentityResult><Arn>${escapeXml(caller.principal)}</Arn>` +
      `<UserId>${escapeXml(options.userId(identity))}</UserId><Account>${escapeXml(caller.account)}</Account></GetCallerIdentityResult>` +
      `<ResponseMetadata><RequestId>${context.requestId}</RequestId></ResponseMetadata></GetCallerIdentityResponse>`;
    sendText(response, 200, result, { 'Content-Type': 'text/xml', 'x-amzn-RequestId': context.requestId });
  };
  const fail = (error: AwsError, requestId: string): [number, string] => [
    error.status,
    `<ErrorResponse xmlns="${NAMESPACE}"><Error><Type>${error.status < 500 ? 'Sender' : 'Receiver'}</Type><Code>${queryCode(error.type)}</Code>` +
      `<Message>${escapeXml(error.message)}</Message></Error><RequestId>${requestId}</RequestId></ErrorResponse>`,
  ];
  return guard(handle, {
    fault(fault, _request, response, context) {
      const [status, text] = fail(answerFault(options.faults, fault), context.requestId);
      sendText(response, status, text, { 'Content-Type': 'text/xml', 'x-amzn-RequestId': context.requestId });
    },
    internal(_request, response, context) {
      const [status, text] = fail({ type: 'InternalFailure', message: 'Internal error', status: 500 }, context.requestId);
      sendText(response, status, text, { 'Content-Type': 'text/xml', 'x-amzn-RequestId': context.requestId });
    },
  });
}

/** The query protocol has other codes for the same errors. */
function queryCode(type: string): string {
  const codes: Record<string, string> = {
    UnrecognizedClientException: 'InvalidClientTokenId',
    InvalidSignatureException: 'SignatureDoesNotMatch',
    IncompleteSignatureException: 'IncompleteSignature',
    MissingAuthenticationTokenException: 'MissingAuthenticationToken',
    UnknownOperationException: 'InvalidAction',
    ThrottlingException: 'Throttling',
  };
  return codes[type] ?? type.replace(/Exception$/, '');
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
