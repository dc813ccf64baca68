import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAULT_SAMPLES } from '../../core/fault-samples.ts';
import { answerFault, Fault, type FaultKind } from '../../core/fault.ts';
import { apiFaults } from './faults.ts';

const kinds = Object.keys(FAULT_SAMPLES) as FaultKind[];
const answers = kinds.map((kind) => [kind, answerFault(apiFaults, new Fault(kind, FAULT_SAMPLES[kind]))] as const);

// After a change that is meant: node --test --test-update-snapshots src/wire/holdfast/faults.test.ts
test('every fault has one answer, and none changes unseen', (t) => {
  t.assert.fileSnapshot(Object.fromEntries(answers), new URL('errors.golden.json', import.meta.url).pathname);
});

test('statuses are refusals, and sentences are whole', () => {
  for (const [kind, { status, message }] of answers) {
    assert.ok(status >= 400 && status < 600, kind);
    assert.notEqual(status, 500, `${kind}: 500 stands for what nobody foresaw`);
    assert.match(message, /^["A-Za-z].*[.?"]$/, kind);
    assert.doesNotMatch(message, /undefined|\.\.$/, kind);
  }
});
