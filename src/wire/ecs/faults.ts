import type { FaultTable } from '../../core/fault.ts';
import { clientError, commonFaults, type AwsError } from '../aws/answer.ts';
import { createEcrFaults } from '../ecr/faults.ts';

/**
 * What the ECS API says of each fault. The orchestrator raises the API's own exceptions; what the registry underneath
 * refuses reaches a client as a ClientException in the registry's words.
 */
export const ecsFaults: FaultTable<AwsError> = {
  ...inClientExceptions(createEcrFaults()),
  ...commonFaults,
  'ecs': ({ code, message, resourceIds }) => ({
    type: code,
    message,
    status: code === 'ServerException' ? 500 : 400,
    ...(resourceIds === undefined ? {} : { members: { resourceIds } }),
  }),
  'parameter-invalid': ({ member, constraint }) =>
    clientError('InvalidParameterException', `Invalid parameter at '${member}': ${constraint}`),
  'request-invalid': ({ reason }) => clientError('InvalidParameterException', reason),
  'operation-unsupported': ({ operation, instead }) =>
    clientError('UnsupportedFeatureException', `${operation} is not supported. ${instead}`),
  'storage-full': () => ({ type: 'ServerException', message: 'The disk of the server is full.', status: 500 }),
  'storage-failed': () => ({ type: 'ServerException', message: 'The storage of the server failed.', status: 500 }),
  'storage-unreachable': () => ({
    type: 'ServerException',
    message: 'The database of the server cannot be reached. Try again.',
    status: 500,
  }),
};

/** For what is a bug or a broken machine; the cause is in the log under the request id. */
export function internalError(requestId: string): AwsError {
  return {
    type: 'ServerException',
    message: `Internal error. The server's log says more under the request id ${requestId}.`,
    status: 500,
  };
}

function inClientExceptions(table: FaultTable<AwsError>): FaultTable<AwsError> {
  const entries = Object.entries(table as Record<string, (facts: never) => AwsError>).map(([kind, write]) => [
    kind,
    (facts: never) => {
      const answer = write(facts);
      return answer.status === 500 ? answer : clientError('ClientException', answer.message);
    },
  ]);
  return Object.fromEntries(entries) as FaultTable<AwsError>;
}
