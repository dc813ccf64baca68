import type { Command } from './command.ts';

/** The first page: every command with its one line. */
export function overview(commands: Command[]): string {
  return [
    'Usage: holdfast COMMAND [OPTIONS]',
    '',
    'Commands:',
    ...columns(commands.map((command) => [command.name, sentence(command.summary)])),
    '',
    'holdfast help COMMAND   how a command is used, with examples',
    'holdfast --version      the version',
    '',
  ].join('\n');
}

/** The page of one command; `path` is what is typed to reach it: `tags history`. */
export function commandHelp(path: string, command: Command): string {
  const lines = [`${sentence(command.summary)}.`, '', ...usageLines(path, command)];
  if (command.subcommands !== undefined && command.subcommands.length > 0) {
    lines.push('', 'Commands:', ...columns(command.subcommands.map((each) => [`${path} ${each.name}`, sentence(each.summary)])));
  }
  lines.push('', 'Options:', ...columns(optionRows(command)));
  if (command.examples.length > 0) {
    lines.push('', 'Examples:');
    for (const [example, what] of command.examples) lines.push(`  # ${what}`, `  ${example}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Each way to call the command, one a line. */
export function usageLines(path: string, command: Command): string[] {
  const usage = command.usage.length > 0 ? command.usage : [`${path} COMMAND [OPTIONS]`];
  return usage.map((line, index) => `${index === 0 ? 'Usage:' : '      '} holdfast ${line}`);
}

/** The options as they are typed, with what they do; `--help` comes last. */
export function optionRows(command: Command): [typed: string, help: string][] {
  const rows = Object.entries(command.options).map(([name, option]): [string, string] => {
    const short = option.short === undefined ? '' : `-${option.short}, `;
    const value = option.type === 'string' ? ` ${option.value ?? 'VALUE'}` : '';
    return [`${short}--${name}${value}`, `${option.help}${option.multiple === true ? ' (may be repeated)' : ''}`];
  });
  return [...rows, ['-h, --help', 'show this page']];
}

/** With a capital letter at its start. */
export function sentence(text: string): string {
  return `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}`;
}

const pageWidth = 90;

/** Two columns, the second wrapped under itself. */
function columns(rows: [left: string, right: string][]): string[] {
  const left = Math.min(30, Math.max(0, ...rows.map(([text]) => text.length)));
  return rows.flatMap(([text, right]) => {
    const [first = '', ...rest] = wrap(right, pageWidth - left - 4);
    const indent = ' '.repeat(left + 4);
    const head = text.length > left ? [`  ${text}`, `${indent}${first}`] : [`  ${text.padEnd(left)}  ${first}`.trimEnd()];
    return [...head, ...rest.map((line) => `${indent}${line}`)];
  });
}

/** Breaks a text at spaces into lines of at most `width` characters; a longer word stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
