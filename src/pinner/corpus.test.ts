import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { digestOf } from '../core/digest.ts';
import type { Outcome } from '../client/outcome.ts';
import { disagreement, spliceBytes } from './apply-edits.ts';
import { findReferences } from './find/find-references.ts';
import type { FileFindings } from './find/types.ts';
import { planEdits, type FilePlan, type PlanOptions } from './plan-edits.ts';
import { editable, followed, keyOf } from './reference-key.ts';
import type { Resolution } from './resolve.ts';

const CORPUS = new URL('../../test/fixtures/pin', import.meta.url).pathname;
const OPTIONS = { shell: true };
const PIN: PlanOptions = { mode: 'pin', style: 'tag', filter: { allow: [], deny: [] } };

/** Every reference that the file follows, answered with the digest of what `salt` makes of it. */
function answerAll(findings: FileFindings, salt: string): Map<string, Outcome<Resolution>> {
  const answers = new Map<string, Outcome<Resolution>>();
  for (const found of findings.references) {
    const reference = editable(found);
    const follows = reference && followed(reference);
    if (follows) answers.set(keyOf(follows), { ok: true, value: { digest: digestOf(salt + keyOf(follows)) } });
  }
  return answers;
}

const files = readdirSync(CORPUS, { recursive: true, encoding: 'utf8' })
  .map((name) => join(CORPUS, name))
  .filter((path) => statSync(path).isFile());

test('every file of the corpus can be pinned, updated and unpinned, each time to what was meant, and a second time to nothing', () => {
  let edited = 0;
  for (const file of files) {
    const path = relative(CORPUS, file);
    const original = readFileSync(file);
    const findings = findReferences(path, original, OPTIONS);
    if (findings === undefined || findings.references.length === 0) continue;

    const step = (before: Buffer, salt: string, options: PlanOptions): { after: Buffer; plan: FilePlan } => {
      const old = findReferences(path, before, OPTIONS)!;
      const plan = planEdits(before, old, answerAll(old, salt), options);
      const after = Buffer.from(spliceBytes(before, plan.edits));
      assert.equal(disagreement(path, old, after, plan, OPTIONS), undefined, `${path} ${options.mode} ${options.style}`);
      return { after, plan };
    };
    const pinned = step(original, 'a', PIN);
    edited += pinned.plan.changes.length;
    assert.deepEqual(step(pinned.after, 'a', PIN).plan.edits, [], `${path}: pinned twice`);
    for (const found of findReferences(path, pinned.after, OPTIONS)!.references) {
      assert.ok(
        editable(found) === undefined || editable(found)?.digest !== undefined,
        `${path}: ${found.reference} is still unpinned`,
      );
    }
    const updated = step(pinned.after, 'b', { ...PIN, mode: 'update' });
    assert.deepEqual(step(updated.after, 'b', { ...PIN, mode: 'update' }).plan.edits, [], `${path}: updated twice`);
    step(original, 'a', { ...PIN, style: 'digest' });

    // Taking away what was added gives the file back, byte for byte, where the tag was written in it.
    const added = pinned.plan.changes.filter(({ found }) => editable(found)?.tag === undefined).length;
    const pinnedBefore = findings.references.some((found) => editable(found)?.digest !== undefined);
    if (added === 0 && !pinnedBefore)
      assert.deepEqual(step(updated.after, '', { ...PIN, mode: 'remove' }).after, original, `${path}: removed`);
  }
  assert.ok(edited > 100, `${edited} references were pinned`);
});
