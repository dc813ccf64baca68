import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../core/fault.ts';
import { CommandFailure, UsageError, jsonOption, writeJson, type Command } from './command.ts';
import { runCommand } from './testing.ts';

const echo: Command = {
  name: 'echo',
  summary: 'say what was typed',
  usage: ['echo [WORD...] [--loud]', 'echo --from FILE'],
  options: {
    loud: { type: 'boolean', short: 'l', help: 'in capitals' },
    from: { type: 'string', value: 'FILE', help: 'read it from FILE' },
    tag: { type: 'string', multiple: true, help: 'a tag' },
    json: jsonOption,
  },
  examples: [['holdfast echo hello', 'says hello']],
  async run(context, options, operands) {
    writeJson(context.stdout, { options, operands });
    return 0;
  },
};

const throwing = (name: string, error: unknown): Command => ({
  ...echo,
  name,
  usage: [name],
  run: () => Promise.reject(error),
});

const history: Command = { ...echo, name: 'history', usage: ['tags history REPOSITORY TAG'] };
const tags: Command = { ...echo, name: 'tags', summary: 'what tags were', usage: [], options: {}, subcommands: [history] };
const commands = [echo, tags];

test('options and operands reach the command as its table says', async () => {
  const run = await runCommand(commands, ['echo', 'a', '-l', '--from', '-', '--tag=x', '--tag', 'y', '--', '--b']);
  assert.deepEqual(JSON.parse(run.stdout), { options: { loud: true, from: '-', tag: ['x', 'y'] }, operands: ['a', '--b'] });
  assert.equal(run.code, 0);
});

test('a subcommand is found by its words', async () => {
  const run = await runCommand(commands, ['tags', 'history', 'team/app', 'latest']);
  assert.deepEqual(JSON.parse(run.stdout), { options: {}, operands: ['team/app', 'latest'] });
});

for (const [what, args, expected] of [
  ['no command', [], /^Usage: holdfast COMMAND/],
  ['an unknown command', ['ecko'], /^holdfast: there is no command "ecko"\. Did you mean: holdfast echo\n$/],
  ['a far-off command', ['zzzzzz'], /See: holdfast help\n$/],
  ['an unknown subcommand', ['tags', 'histroy'], /"tags histroy"\. Did you mean: holdfast tags history/],
  ['a group without a command', ['tags'], /tags history/],
  ['an unknown option', ['echo', '--loue'], /no option --loue\. Did you mean --loud\?\nUsage: holdfast echo/],
  ['an option of the object prototype', ['echo', '--constructor'], /no option --constructor/],
  ['a missing value', ['echo', '--from'], /--from needs a value: --from=FILE/],
  ['an option instead of a value', ['echo', '--from', '--loud'], /--from needs a value/],
  ['a value too many', ['echo', '--loud=very'], /--loud takes no value/],
] as const) {
  test(`${what} is wrong usage`, async () => {
    const run = await runCommand(commands, [...args]);
    assert.match(run.stderr, expected);
    assert.equal(run.stdout, '');
    assert.equal(run.code, 2);
  });
}

test('a terminal cannot be steered by what was typed', async () => {
  const run = await runCommand(commands, ['\x1b]0;evil\x07']);
  assert.ok(!run.stderr.includes('\x1b'));
});

test('help shows usage, options and examples, by both roads', async () => {
  const byOption = await runCommand(commands, ['echo', '--help']);
  const byWord = await runCommand(commands, ['help', 'echo']);
  assert.equal(byOption.stdout, byWord.stdout);
  assert.equal(byWord.code, 0);
  for (const part of ['holdfast echo [WORD...]', '-l, --loud', '--from FILE', '(may be repeated)', 'holdfast echo hello']) {
    assert.ok(byWord.stdout.includes(part), part);
  }
  assert.match((await runCommand(commands, ['help', 'tags', 'history'])).stdout, /tags history REPOSITORY TAG/);
  assert.match((await runCommand(commands, ['--help'])).stdout, /echo +Say what was typed/);
  assert.equal((await runCommand(commands, ['help', 'nothing'])).code, 2);
});

test('the version is the one of package.json', async () => {
  assert.match((await runCommand(commands, ['--version'])).stdout, /^\d+\.\d+\.\d+\S*\n$/);
});

test('a fault becomes one sentence, or an object with --json', async () => {
  const fault = new Fault('hold-unknown', { id: 'h-1' });
  const people = await runCommand([throwing('break', fault)], ['break']);
  assert.equal(people.stderr, 'holdfast: There is no hold h-1. See: holdfast hold list\n');
  assert.equal(people.code, 1);
  const scripts = await runCommand([throwing('break', fault)], ['break', '--json']);
  assert.deepEqual(JSON.parse(scripts.stderr), {
    error: { kind: 'hold-unknown', message: 'There is no hold h-1. See: holdfast hold list', facts: { id: 'h-1' } },
  });
});

test('failures, usage errors, refusals of the system and bugs each have their answer', async () => {
  const failure = await runCommand([throwing('break', new CommandFailure('No server.', { advice: 'Start one.' }))], ['break']);
  assert.deepEqual([failure.code, failure.stderr], [1, 'holdfast: No server.\n  Start one.\n']);
  const usage = await runCommand([throwing('break', new UsageError('Give a tag.'))], ['break']);
  assert.deepEqual([usage.code, usage.stderr], [2, 'holdfast: Give a tag.\nUsage: holdfast break\n']);
  const missing = Object.assign(new Error('ENOENT'), { code: 'ENOENT', syscall: 'open', path: '/no/where' });
  const system = await runCommand([throwing('break', missing)], ['break']);
  assert.deepEqual([system.code, system.stderr], [1, 'holdfast: Cannot open /no/where: there is no such file or folder.\n']);
  const bug = await runCommand([throwing('break', new TypeError('x is undefined'))], ['break']);
  assert.equal(bug.code, 1);
  assert.match(bug.stderr, /should not happen did: x is undefined\nTypeError: x is undefined\n +at /);
});
