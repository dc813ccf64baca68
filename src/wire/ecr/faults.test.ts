import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as sdk from '@aws-sdk/client-ecr';
import { FAULT_SAMPLES } from '../../core/fault-samples.ts';
import { answersOf, assertKnownExceptions } from '../../../test/support/aws-faults.ts';
import { answerFault, Fault, type FaultKind } from '../../core/fault.ts';
import { createEcrFaults } from './faults.ts';

const faults = createEcrFaults();
const answers = answersOf(faults);

// After a change that is meant: node --test --test-update-snapshots src/wire/ecr/faults.test.ts
test('every fault has one answer, and none changes unseen', (t) => {
  t.assert.fileSnapshot(answers, new URL('errors.golden.json', import.meta.url).pathname);
});

test('every answer is an exception that clients know', () => assertKnownExceptions(answers, sdk));

test('the words that tools look for', () => {
  const said = (kind: FaultKind, table = faults): string => answerFault(table, new Fault(kind, FAULT_SAMPLES[kind])).message;
  assert.match(
    said('tag-immutable'),
    /^The image tag '[^']+' already exists in the '[^']+' repository and cannot be overwritten because the repository is immutable\.$/,
  );
  assert.match(said('tag-immutable', createEcrFaults({ tagImmutableMessage: 'tag' })), /because the tag is immutable\.$/);
  assert.match(
    said('repository-not-empty'),
    /^The repository with name '[^']+' in registry with id '\d{12}' cannot be deleted because it still contains images$/,
  );
  assert.match(said('image-digest-mismatch'), /does not match the image digest that Amazon ECR has calculated\.$/);
});
