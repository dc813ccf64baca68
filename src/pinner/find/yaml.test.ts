import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SyntaxProblem } from './text.ts';
import { follow, type Node } from './tree.ts';
import { parseYaml } from './yaml.ts';

/** The plain value that a node stands for. */
function plain(node: Node | undefined): unknown {
  const at = follow(node);
  if (at === undefined) return undefined;
  if (at.kind === 'scalar') return at.text;
  if (at.kind === 'sequence') return at.items.map(plain);
  return Object.fromEntries(at.entries.map(({ key, value }) => [key.text, plain(value)]));
}

const values = (text: string): unknown[] => parseYaml(text).map((document) => plain(document.root));

describe('structure', () => {
  const cases: [string, unknown][] = [
    ['a: b', { a: 'b' }],
    ['a:\n  b: c\n  d:\n    - e\n    - f: g\n      h: i\nj: k', { a: { b: 'c', d: ['e', { f: 'g', h: 'i' }] }, j: 'k' }],
    ['a:\n- b\n- c\nd: e', { a: ['b', 'c'], d: 'e' }],
    ['- - a\n  - b\n- c', [['a', 'b'], 'c']],
    ['-\n  a: b\n-\n  - c', [{ a: 'b' }, ['c']]],
    ['? a\n: b\n? c\n', { a: 'b', c: undefined }],
    ['a: {b: c, "d":e, f: [g, h: i], j}', { a: { b: 'c', d: 'e', f: ['g', { h: 'i' }], j: undefined } }],
    ['{a: b,\n c: [d,\n  e]}', { a: 'b', c: ['d', 'e'] }],
    ["a: 'it''s'\nb: \"x\\ty\\u0041\"", { a: "it's", b: 'x\tyA' }],
    ['a: one\n  two\n\n  three\nb: "x\n  y"', { a: 'one two\nthree', b: 'x y' }],
    ['a: "x \\\n  \\ y\\\\\n  z"', { a: 'x  y\\ z' }],
    ['a: |\n  x: y\n   z\n\n  w\nb: >-\n  f\n', { a: '  x: y\n   z\n\n  w', b: '  f' }],
    ['a: # c\n  b # d\n#e\n', { a: 'b' }],
    ['a: b#c\nd: http://e:1/f', { a: 'b#c', d: 'http://e:1/f' }],
    ['a: &x b\nc: *x\nd: &y\n  e: f\ng: *y', { a: 'b', c: 'b', d: { e: 'f' }, g: { e: 'f' } }],
    ['a: !Ref b\nc: !Sub "d"\ne: !If [f, g]\nh: !!map\n  i: j', { a: 'b', c: 'd', e: ['f', 'g'], h: { i: 'j' } }],
    ['&a a : b\n"c" : d', { a: 'b', c: 'd' }],
    ['a:\r\n  b: c\r\n', { a: { b: 'c' } }],
    ['[a, b]: c', { '': 'c' }],
    ['a:\n\n\n  - b\n\n\n  # x\n  - c', { a: ['b', 'c'] }],
    ['', undefined],
    ['# only\n', undefined],
  ];
  for (const [text, value] of cases) test(JSON.stringify(text), () => assert.deepEqual(values(text), [value]));

  test('reads every document of a stream', () => {
    assert.deepEqual(values('%YAML 1.2\n---\na: b\n...\n---\n- c\n--- d\n---\n'), [
      undefined,
      { a: 'b' },
      undefined,
      ['c'],
      'd',
      undefined,
    ]);
    assert.deepEqual(values('--- {a: b}\n--- # x\nc: d'), [undefined, { a: 'b' }, { c: 'd' }].slice(1));
  });
});

describe('places', () => {
  test('stand on the text itself, quotes and indicators excluded', () => {
    const text = 'a: {b: [ "c" , \'d\', e ]}\nf: &x !t  g h # i\n';
    const found: string[] = [];
    const visit = (node: Node | undefined): void => {
      if (node?.kind === 'scalar') found.push(text.slice(node.start, node.end));
      if (node?.kind === 'sequence') node.items.forEach(visit);
      if (node?.kind === 'map') for (const { key, value } of node.entries) [key, value].forEach(visit);
    };
    visit(parseYaml(text)[0]?.root);
    assert.deepEqual(found, ['a', 'b', 'c', 'd', 'e', 'f', 'g h']);
  });
});

describe('what is refused', () => {
  const cases = [
    'a: b: c',
    'a:\n  b: c\n d: e',
    'a: b\n  c: d',
    'a: "b',
    "a: 'b",
    'a: [b',
    'a: {b: c',
    'a: [b}',
    'a:\n\tb: c',
    'a: "b" c',
    'a: - b',
    'a\nb: c',
    'a: @b',
    '- a\nb: c',
    'a: b\n- c',
    'a: | b\n c',
    'a: [b c: d: e',
  ];
  for (const text of cases) test(JSON.stringify(text), () => assert.throws(() => parseYaml(text), SyntaxProblem));
});
