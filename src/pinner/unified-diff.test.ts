import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { spliceBytes } from './apply-edits.ts';
import type { Edit } from './plan-edits.ts';
import { unifiedDiff } from './unified-diff.ts';

const insertAfter = (text: string, needle: string): Edit => {
  const at = text.indexOf(needle) + needle.length;
  return { start: at, end: at, text: '@pin' };
};

test('shows each run of changed lines with three lines around it', () => {
  const text = 'a\nb\nc\nd\nimage: x\nf\ng\nh\ni\nj\nk\nl\nimage: y';
  const diff = unifiedDiff('dir/f.yaml', Buffer.from(text), [insertAfter(text, 'x'), insertAfter(text, 'y')]).toString();
  assert.equal(
    diff,
    [
      '--- a/dir/f.yaml',
      '+++ b/dir/f.yaml',
      '@@ -2,7 +2,7 @@',
      ' b',
      ' c',
      ' d',
      '-image: x',
      '+image: x@pin',
      ' f',
      ' g',
      ' h',
      '@@ -10,4 +10,4 @@',
      ' j',
      ' k',
      ' l',
      '-image: y',
      '\\ No newline at end of file',
      '+image: y@pin',
      '\\ No newline at end of file',
      '',
    ].join('\n'),
  );
  assert.equal(unifiedDiff('f', Buffer.from(text), []).length, 0);
});

test('git applies it to the same bytes, whatever they are', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-diff-'));
  try {
    execFileSync('git', ['-C', folder, 'init', '--quiet']);
    const name = 'ein "Name".yaml';
    for (const bytes of [
      Buffer.from('image: one\r\nb\r\nimage: two'),
      Buffer.concat([
        Buffer.from('\ufeff# caf'),
        Buffer.from([0xe9, 0x0a]),
        Buffer.from('image: one\nimage: two\n\n\n\n\n\n\n\n\n'),
      ]),
    ]) {
      const text = bytes.toString('latin1');
      const edits = [insertAfter(text, 'one'), insertAfter(text, 'two')];
      writeFileSync(join(folder, name), bytes);
      execFileSync('git', ['-C', folder, '-c', 'core.autocrlf=false', 'apply', '--whitespace=nowarn', '-'], {
        input: unifiedDiff(name, bytes, edits),
      });
      assert.deepEqual(readFileSync(join(folder, name)), Buffer.from(spliceBytes(bytes, edits)));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
