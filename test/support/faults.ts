import assert from 'node:assert/strict';
import { isFault, type FaultFacts, type FaultKind } from '../../src/core/fault.ts';

/** For `assert.rejects`: a fault of this kind, with at least these facts. */
export function fault<K extends FaultKind>(kind: K, facts: Partial<FaultFacts[K]> = {}): (error: unknown) => true {
  return (error) => {
    if (!isFault(error)) throw error;
    assert.equal(error.kind, kind);
    for (const [name, expected] of Object.entries(facts))
      assert.deepEqual((error.facts as Record<string, unknown>)[name], expected, name);
    return true;
  };
}
