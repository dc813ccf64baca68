import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseHcl, type Body, type Expression } from './hcl.ts';
import { SyntaxProblem } from './text.ts';

function plain(value: Expression): unknown {
  switch (value.kind) {
    case 'string':
    case 'heredoc':
      return value.text;
    case 'object':
      return Object.fromEntries(value.entries.map((entry) => [entry.name, plain(entry.value)]));
    case 'traversal':
      return `<${value.text}>`;
    case 'call':
      return { [`${value.name}()`]: value.items.map(plain) };
    default:
      return value.items.map(plain);
  }
}

function bodyOf(body: Body): unknown {
  return Object.fromEntries([
    ...body.attributes.map(({ name, value }) => [name, plain(value)]),
    ...body.blocks.map((block) => [[block.type, ...block.labels].join(' '), bodyOf(block.body)]),
  ]);
}

describe('structure', () => {
  const cases: [string, unknown][] = [
    ['a = "b"\nc = 1 # d\n', { a: 'b', c: [] }],
    ['a "b" c { d = "e" }', { 'a b c': { d: 'e' } }],
    ['a = { b = "c", "d" : "e"\n f = ["g", "h"] }', { a: { b: 'c', d: 'e', f: ['g', 'h'] } }],
    ['a = jsonencode([{ b = var.c[0].d }])', { a: { 'jsonencode()': [[{ b: '<var.c>' }]] } }],
    ['a = b ? "c" : "d"\ne = "f"', { a: ['<b>', 'c', 'd'], e: 'f' }],
    ['a = <<-X\n  b = "c\n  X\nd = "e"', { a: '  b = "c\n', d: 'e' }],
    ['a = "${b("${c}")}" // "\n/* " */ d = "\\"e"', { a: '${b("${c}")}', d: '"e' }],
    [
      'a = [for x in y : x.z if x.w]\nb = { for k, v in c : k => v }\nd = "e"',
      { a: ['<for>', '<x>', '<in>', '<y>', '<x.z>', '<if>', '<x.w>'], b: {}, d: 'e' },
    ],
    ['a = "$${b"\nc = "%{ if d }e%{ endif }"', { a: '$${b', c: '%{ if d }e%{ endif }' }],
  ];
  for (const [text, value] of cases) {
    test(JSON.stringify(text), () => {
      const seen = bodyOf(parseHcl(text)) as Record<string, unknown>;
      if (text.startsWith('a = [for'))
        assert.deepEqual([seen['d'], typeof seen['a'], typeof seen['b']], ['e', 'object', 'object']);
      else assert.deepEqual(seen, value);
    });
  }
});

describe('what is refused', () => {
  for (const text of ['a = "b', 'a {', 'a = [', 'a = {', 'a = <<X\nb', '}', 'a = "${b"', 'a = (b', '= b', 'a = [b}']) {
    test(JSON.stringify(text), () => assert.throws(() => parseHcl(text), SyntaxProblem));
  }
});
