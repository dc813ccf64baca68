import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as sdk from '@aws-sdk/client-ecs';
import { answersOf, assertKnownExceptions } from '../../../test/support/aws-faults.ts';
import { answerFault, Fault } from '../../core/fault.ts';
import { ecsFaults } from './faults.ts';

const answers = answersOf(ecsFaults);

// After a change that is meant: node --test --test-update-snapshots src/wire/ecs/faults.test.ts
test('every fault has one answer, and none changes unseen', (t) => {
  t.assert.fileSnapshot(answers, new URL('errors.golden.json', import.meta.url).pathname);
});

test('every answer is an exception that clients know', () => assertKnownExceptions(answers, sdk));

test('a conflict tells which resources', () => {
  const answer = answerFault(
    ecsFaults,
    new Fault('ecs', { code: 'ConflictException', message: 'Used.', resourceIds: ['arn:1'] }),
  );
  assert.deepEqual(answer.members, { resourceIds: ['arn:1'] });
});
