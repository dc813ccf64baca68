import assert from 'node:assert/strict';
import { FAULT_SAMPLES } from '../../src/core/fault-samples.ts';
import { answerFault, Fault, type FaultKind, type FaultTable } from '../../src/core/fault.ts';

interface Answer {
  type: string;
  status: number;
  message: string;
}

/** AWS's common errors, which no service models. */
const COMMON = new Set([
  'AccessDeniedException',
  'ExpiredTokenException',
  'IncompleteSignatureException',
  'InvalidSignatureException',
  'MissingAuthenticationTokenException',
  'RequestEntityTooLargeException',
  'SerializationException',
  'ThrottlingException',
  'UnknownOperationException',
  'UnrecognizedClientException',
]);

/** What a wire of AWS's answers to a sample of every fault. */
export function answersOf(table: FaultTable<Answer>): Record<string, Answer> {
  const kinds = Object.keys(FAULT_SAMPLES) as FaultKind[];
  return Object.fromEntries(kinds.map((kind) => [kind, answerFault(table, new Fault(kind, FAULT_SAMPLES[kind]))]));
}

/** Each is an exception that clients of this SDK, or of every AWS service, know; and says something. */
export function assertKnownExceptions(answers: Record<string, Answer>, sdk: object): void {
  for (const [kind, { type, status, message }] of Object.entries(answers)) {
    assert.ok(COMMON.has(type) || type in sdk, `${kind}: the SDK has no ${type}`);
    assert.equal(status, type === 'ServerException' ? 500 : 400, kind);
    assert.ok(message.length > 0, kind);
  }
}
