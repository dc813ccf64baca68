import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as sdk from '@aws-sdk/client-ecs';
import { FAULT_SAMPLES } from '../../core/fault-samples.ts';
import { answerFault, Fault, type FaultKind } from '../../core/fault.ts';
import { ecsFaults } from './faults.ts';

const kinds = Object.keys(FAULT_SAMPLES) as FaultKind[];
const answers = kinds.map((kind) => [kind, answerFault(ecsFaults, new Fault(kind, FAULT_SAMPLES[kind]))] as const);

// After a change that is meant: node --test --test-update-snapshots src/wire/ecs/faults.test.ts
test('every fault has one answer, and none changes unseen', (t) => {
  t.assert.fileSnapshot(Object.fromEntries(answers), new URL('errors.golden.json', import.meta.url).pathname);
});

// AWS's common errors, which no service models.
const COMMON = new Set([
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

test('every answer is an exception that clients know', () => {
  for (const [kind, { type, status, message }] of answers) {
    assert.ok(COMMON.has(type) || type in sdk, `${kind}: the SDK has no ${type}`);
    assert.equal(status, type === 'ServerException' ? 500 : 400, kind);
    assert.ok(message.length > 0, kind);
  }
});

test('a conflict tells which resources', () => {
  const answer = answerFault(
    ecsFaults,
    new Fault('ecs', { code: 'ConflictException', message: 'Used.', resourceIds: ['arn:1'] }),
  );
  assert.deepEqual(answer.members, { resourceIds: ['arn:1'] });
});
