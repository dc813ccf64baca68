import type { FaultTable } from '../../core/fault.ts';

/** How an AWS JSON service says that something went wrong. */
export interface AwsError {
  /** `RepositoryNotFoundException`; goes into `__type` and `x-amzn-ErrorType`. */
  type: string;
  message: string;
  status: 400 | 500 | 503;
  /** Further members of the modelled exception. */
  members?: Record<string, string | number | string[]>;
}

export function clientError(type: string, message: string, members?: Record<string, string | number>): AwsError {
  return { type, message, status: 400, ...(members ? { members } : {}) };
}

type CommonKind =
  | 'unauthenticated'
  | 'token-expired'
  | 'signature-incomplete'
  | 'signature-invalid'
  | 'signature-skewed'
  | 'key-unknown'
  | 'access-key-unknown'
  | 'account-unknown'
  | 'region-unknown'
  | 'access-denied'
  | 'body-invalid'
  | 'request-too-large'
  | 'operation-unknown'
  | 'throttled';

/** What every AWS service says in the same words (IAM User Guide, "Troubleshoot access denied error messages"; AWS common errors). */
export const commonFaults: Pick<FaultTable<AwsError>, CommonKind> = {
  'unauthenticated': ({ reason }) => clientError('MissingAuthenticationTokenException', reason),
  'token-expired': () => clientError('ExpiredTokenException', 'The security token included in the request is expired'),
  'signature-incomplete': ({ reason }) => clientError('IncompleteSignatureException', reason),
  'signature-invalid': ({ reason }) => clientError('InvalidSignatureException', reason),
  'signature-skewed': ({ signedAt, now, window }) => {
    const minutes = `${Math.round(window / 60_000)} min.`;
    const text =
      signedAt < now
        ? `Signature expired: ${amzDate(signedAt)} is now earlier than ${amzDate(now - window)} (${amzDate(now)} - ${minutes})`
        : `Signature not yet current: ${amzDate(signedAt)} is still later than ${amzDate(now + window)} (${amzDate(now)} + ${minutes})`;
    return clientError('InvalidSignatureException', text);
  },
  'key-unknown': () => clientError('UnrecognizedClientException', 'The security token included in the request is invalid.'),
  'access-key-unknown': () =>
    clientError('UnrecognizedClientException', 'The security token included in the request is invalid.'),
  'account-unknown': ({ account, served }) =>
    clientError(
      'InvalidParameterException',
      `There is no registry with the id '${account}' here; there is: ${served.join(', ')}.`,
    ),
  'region-unknown': ({ region, served }) =>
    clientError(
      'InvalidSignatureException',
      `Credential should be scoped to a valid region. '${region}' is not one that this server has; it has: ${served.join(', ')}.`,
    ),
  'access-denied': (facts) => clientError('AccessDeniedException', accessDeniedMessage(facts)),
  'body-invalid': ({ reason }) => clientError('SerializationException', reason),
  'request-too-large': ({ limit }) =>
    clientError('RequestEntityTooLargeException', `The request is longer than the ${limit} bytes that this operation takes.`),
  'operation-unknown': ({ operation }) =>
    clientError(
      'UnknownOperationException',
      operation === '' ? 'The request names no operation in X-Amz-Target.' : `There is no operation '${operation}'.`,
    ),
  'throttled': () => clientError('ThrottlingException', 'Rate exceeded'),
};

/** `User: … is not authorized to perform: … on resource: … because …`, which scripts and people look for. */
export function accessDeniedMessage(facts: {
  principal: string;
  action: string;
  resource: string;
  explicit: boolean;
  deniedBy?: 'identity' | 'resource';
}): string {
  const because = facts.explicit
    ? `with an explicit deny in ${facts.deniedBy === 'resource' ? 'a resource' : 'an identity'}-based policy`
    : `because no identity-based policy allows the ${facts.action} action`;
  return `User: ${facts.principal} is not authorized to perform: ${facts.action} on resource: ${facts.resource} ${because}`;
}

function amzDate(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}
