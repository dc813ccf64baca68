import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from './command.ts';
import { splitWords } from './push-words.ts';

for (const [text, words] of [
  ['/app', ['/app']],
  ['  httpd  -f -p 80 ', ['httpd', '-f', '-p', '80']],
  [`sh -c "echo hi; sleep 1"`, ['sh', '-c', 'echo hi; sleep 1']],
  [`sh -c 'echo "$X" | cat'`, ['sh', '-c', 'echo "$X" | cat']],
  [`sh -c "echo \\"\\$X\\" \\\\ \\n"`, ['sh', '-c', 'echo "$X" \\ \\n']],
  [`a" "b'c'd`, ['a bcd']],
  [`"" ''`, ['', '']],
  [`a\\ b \\"`, ['a b', '"']],
  ['--flag=value#1 ~', ['--flag=value#1', '~']],
  ['["/app", "a b", ""]', ['/app', 'a b', '']],
] as const) {
  test(text, () => assert.deepEqual(splitWords(text, '--cmd'), words));
}

for (const text of [
  '',
  '   ',
  'a | b',
  'a > b',
  'echo $HOME',
  'a && b',
  'ls *',
  'echo `id`',
  '"open',
  "'open",
  '[',
  '[]',
  '["a", 1]',
]) {
  test(`${JSON.stringify(text)} is refused`, () => assert.throws(() => splitWords(text, '--cmd'), UsageError));
}
