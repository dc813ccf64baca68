import type { Command } from '../../src/cli/command.ts';
import { commands } from '../../src/cli/commands.ts';
import { optionRows, sentence } from '../../src/cli/help.ts';
import { serve } from '../../src/serve-command.ts';
import { markdownTable } from './markdown.ts';

/** docs/cli.md: every command, from the same table that parses and helps. */
export function cliPage(): string {
  const all = [serve, ...commands].flatMap((command) => walk(command.name, command));
  const overview = markdownTable(
    ['Command', 'What it is for'],
    all.map(([path, { summary }]) => [`[\`${path}\`](#${path.replaceAll(' ', '-')})`, sentence(summary)]),
  );
  return [
    '# The command line',
    '',
    'Exit codes: 0 done, 1 findings or failure, 2 wrong usage. With `--json` the result is JSON on standard output, and an',
    'error an object `{ "error": { "kind", "message" } }` on standard error.',
    '',
    overview,
    ...all.map(([path, command]) => section(path, command)),
  ].join('\n');
}

function walk(path: string, command: Command): [path: string, command: Command][] {
  const below = (command.subcommands ?? []).flatMap((each) => walk(`${path} ${each.name}`, each));
  return command.usage.length === 0 ? below : [[path, command], ...below];
}

function section(path: string, command: Command): string {
  const examples = command.examples.flatMap(([example, what]) => [`# ${what}`, example]);
  return [
    `## ${path}`,
    '',
    `${sentence(command.summary)}.`,
    '',
    '```',
    ...command.usage.map((line) => `holdfast ${line}`),
    '```',
    '',
    markdownTable(
      ['Option', 'What it does'],
      optionRows(command).map(([typed, help]) => [`\`${typed}\``, help]),
    ),
    ...(examples.length === 0 ? [] : ['```sh', ...examples, '```', '']),
  ].join('\n');
}
