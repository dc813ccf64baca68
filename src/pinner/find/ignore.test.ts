import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { evaluateIgnore, parseIgnore } from './ignore.ts';

describe('rules in the syntax of .gitignore', () => {
  // Pattern, path, and whether git ignores it; `/` at a path's end marks a folder.
  const cases: [string, string, boolean][] = [
    ['*.log', 'a/b.log', true],
    ['*.log', 'a/b.logs', false],
    ['/a.txt', 'a.txt', true],
    ['/a.txt', 'b/a.txt', false],
    ['a/b', 'a/b', true],
    ['a/b', 'c/a/b', false],
    ['build/', 'x/build/', true],
    ['build/', 'x/build', false],
    ['**/foo', 'a/b/foo', true],
    ['foo/**', 'foo/a', true],
    ['foo/**', 'foo/', false],
    ['a/**/b', 'a/b', true],
    ['a/**/b', 'a/x/y/b', true],
    ['a?c', 'abc', true],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['\\#x', '#x', true],
    ['# comment', '# comment', false],
    ['a*b*c', 'a__b__c', true],
    ['a*b*c', 'a__b__', false],
    ['*', 'anything', true],
    ['', 'x', false],
  ];
  for (const [pattern, path, isIgnored] of cases) {
    test(`${pattern} on ${path}`, () => {
      const isDirectory = path.endsWith('/');
      assert.equal(evaluateIgnore(parseIgnore(pattern), path.replace(/\/$/, ''), isDirectory) === 'ignored', isIgnored);
    });
  }

  test('the last rule that matches decides', () => {
    const rules = parseIgnore('*.yaml\r\n!keep.yaml\r\n');
    assert.equal(evaluateIgnore(rules, 'a/keep.yaml', false), 'kept');
    assert.equal(evaluateIgnore(rules, 'a/other.yaml', false), 'ignored');
    assert.equal(evaluateIgnore(rules, 'a/other.json', false), undefined);
  });

  test('a pattern of stars costs pattern times path', () => {
    assert.equal(evaluateIgnore(parseIgnore(`${'*a'.repeat(500)}b`), 'a'.repeat(4000), false), undefined);
  });
});
