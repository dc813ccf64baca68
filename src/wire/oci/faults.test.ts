import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAULT_SAMPLES } from '../../core/fault-samples.ts';
import { answerFault, Fault, type FaultKind } from '../../core/fault.ts';
import { createOciFaults } from './faults.ts';

const faults = createOciFaults();
const kinds = Object.keys(FAULT_SAMPLES) as FaultKind[];
const answers = kinds.map((kind) => [kind, answerFault(faults, new Fault(kind, FAULT_SAMPLES[kind]))] as const);

// After a change that is meant: node --test --test-update-snapshots src/wire/oci/faults.test.ts
test('every fault has one answer, and none changes unseen', (t) => {
  t.assert.fileSnapshot(Object.fromEntries(answers), new URL('errors.golden.json', import.meta.url).pathname);
});

test('codes and statuses are ones that clients can read', () => {
  for (const [kind, { status, code, message }] of answers) {
    assert.match(code, /^[A-Z][A-Z_]+$/, kind);
    assert.ok(status >= 400 && status < 600, kind);
    assert.notEqual(status, 500, `${kind}: 500 stands for what nobody foresaw`);
    assert.ok(message.length > 0 && message.length < 1000, kind);
  }
});

test('the words that tools look for', () => {
  const said = (kind: FaultKind, table = faults): string => answerFault(table, new Fault(kind, FAULT_SAMPLES[kind])).message;
  assert.equal(
    said('repository-unknown'),
    "The repository with name 'team/app' does not exist in the registry with id '123456789012'",
  );
  assert.equal(said('image-unknown'), 'Requested image not found');
  assert.match(said('tag-immutable'), /cannot be overwritten because the repository is immutable\.$/);
  assert.match(
    said('tag-immutable', createOciFaults({ tagImmutableMessage: 'tag' })),
    /cannot be overwritten because the tag is immutable\.$/,
  );
  assert.match(said('image-held'), /cannot be deleted\. .*service 'prod\/web' since 2026-11-21/);
});
