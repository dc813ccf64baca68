import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTable } from './table.ts';

test('columns are as wide as their widest text', () => {
  assert.equal(
    formatTable(
      ['NAME', { header: 'SIZE', align: 'right' }],
      [
        ['app', 5],
        ['database', 1200],
        ['gone', undefined],
      ],
      80,
    ),
    'NAME      SIZE\napp          5\ndatabase  1200\ngone         -\n',
  );
});

test('a table fits the width, and the widest column loses first', () => {
  const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
  const text = formatTable(['TAG', { header: 'DIGEST', cut: 'middle' }, 'WHO'], [['latest', digest, 'x'.repeat(50)]], 60);
  for (const line of text.trimEnd().split('\n')) assert.ok(Array.from(line).length <= 60, line);
  assert.match(text, /latest {2}sha256:\S+…\S+ef {2}x+…/);
});

test('a column that may not be cut stays whole', () => {
  const text = formatTable([{ header: 'ID', cut: 'never' }, 'NOTE'], [['a'.repeat(90), 'b'.repeat(30)]], 80);
  assert.ok(text.includes('a'.repeat(90)));
  assert.match(text, /b{7}…\n$/);
});

test('control characters and turned writing do not reach the terminal', () => {
  assert.ok(formatTable(['A'], [['\x1b[31mred\u202e\n']], 80).includes('?[31mred??'));
});

test('as many rows as anybody has', () => {
  const rows = Array.from({ length: 300_000 }, (_, index) => [index]);
  assert.ok(formatTable(['A'], rows, 80).endsWith('299999\n'));
});

test('a column for what is rare is there only when something is in it', () => {
  const columns = ['NAME', { header: 'MOVED', whenFilled: true }];
  assert.equal(
    formatTable(
      columns,
      [
        ['a', ''],
        ['b', ''],
      ],
      80,
    ),
    'NAME\na\nb\n',
  );
  assert.equal(
    formatTable(
      columns,
      [
        ['a', ''],
        ['b', 'yes'],
      ],
      80,
    ),
    'NAME  MOVED\na\nb     yes\n',
  );
});
