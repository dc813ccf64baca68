import assert from 'node:assert/strict';
import { it } from 'node:test';
import { hasOrder, type Outcome, type Seen } from './image-order.ts';

const seen = (live: string[], tags: Record<string, string> = {}): Seen => ({
  live: new Set(live),
  tags: new Map(Object.entries(tags)),
});
const put: Outcome = { kind: 'put', digest: 'a:1', tag: 't', is: 'done' };
const remove: Outcome = { kind: 'delete', digest: 'a:1', is: 'done' };

it('finds an order where there is one, and none where there is none', () => {
  const children = new Map([['a:index', ['a:1']]]);
  const both = (first: [number, number], second: [number, number], end: Seen): boolean =>
    hasOrder(
      seen(['a:1']),
      [
        { from: first[0], to: first[1], outcome: put },
        { from: second[0], to: second[1], outcome: remove },
      ],
      end,
      children,
    );
  // At the same time: either is last.
  assert.ok(both([0, 9], [0, 9], seen([])));
  assert.ok(both([0, 9], [0, 9], seen(['a:1'], { t: 'a:1' })));
  // One after the other: the second is last.
  assert.ok(both([0, 1], [2, 3], seen([])));
  assert.ok(!both([0, 1], [2, 3], seen(['a:1'], { t: 'a:1' })));
  // In between: an image without its tag, a tag without its image.
  assert.ok(!both([0, 9], [0, 9], seen(['a:1'])));
  assert.ok(!both([0, 9], [0, 9], seen([], { t: 'a:1' })));

  const alone = (outcome: Outcome, before: Seen, end: Seen): boolean =>
    hasOrder(before, [{ from: 0, to: 1, outcome }], end, children);
  assert.ok(!alone(remove, seen([]), seen([])));
  assert.ok(!alone(remove, seen(['a:1', 'a:index']), seen(['a:index'])));
  assert.ok(alone({ ...remove, is: 'referenced' }, seen(['a:1', 'a:index']), seen(['a:1', 'a:index'])));
  assert.ok(!alone({ kind: 'put', digest: 'a:index', tag: undefined, is: 'done' }, seen([]), seen(['a:index'])));
  assert.ok(!alone({ kind: 'read', reference: 't', digest: 'a:1' }, seen(['a:1']), seen(['a:1'])));
  assert.ok(!alone({ kind: 'run', expired: 1 }, seen(['a:1']), seen([])));
  assert.ok(alone({ kind: 'run', expired: 1 }, seen(['a:1', 'a:2'], { t: 'a:1' }), seen(['a:2'])));
  assert.ok(!alone({ kind: 'run', expired: 1 }, seen(['a:1', 'a:2'], { t: 'a:1' }), seen(['a:2'], { t: 'a:1' })));
});
