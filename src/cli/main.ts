import { UsageError, writeLine, type Command, type CommandContext } from './command.ts';
import { describeFailure } from './describe-failure.ts';
import { printable } from './format.ts';
import { commandHelp, overview, usageLines } from './help.ts';
import { parseOptions } from './parse-options.ts';
import { suggest } from './suggest.ts';
import { holdfastVersion } from './version.ts';

/**
 * Runs the command that `context.args` names and gives the exit code: 0 done, 1 findings or failure, 2 wrong usage.
 * Never throws: a fault or a failure becomes one sentence on stderr (an object with `--json`), a bug its stack.
 */
export async function runCli(context: CommandContext, commands: Command[]): Promise<number> {
  const [first, ...rest] = context.args;
  if (first === undefined) {
    context.stderr.write(overview(commands));
    return 2;
  }
  if (first === '--version' || first === '-v' || first === 'version') {
    writeLine(context.stdout, holdfastVersion());
    return 0;
  }
  if (first === '--help' || first === '-h' || (first === 'help' && rest.length === 0)) {
    context.stdout.write(overview(commands));
    return 0;
  }
  if (first === 'help') return showHelp(context, commands, rest);

  const found = findCommand(commands, context.args);
  if (found.command === undefined) return unknownCommand(context, commands, '', first);
  const { command, path, args } = found;
  try {
    return await runCommand({ ...context, args }, command, path);
  } catch (error) {
    return reportFailure(context, command, path, args, error);
  }
}

async function runCommand(context: CommandContext, command: Command, path: string): Promise<number> {
  const { options, operands, help } = parseOptions(command, context.args);
  if (help) {
    context.stdout.write(commandHelp(path, command));
    return 0;
  }
  if (command.usage.length === 0) {
    const [word] = operands;
    if (word !== undefined) return unknownCommand(context, command.subcommands ?? [], `${path} `, word);
    context.stderr.write(commandHelp(path, command));
    return 2;
  }
  return command.run(context, options, operands);
}

/** Follows the words as far as they name commands; what is left is for the command. */
function findCommand(commands: Command[], words: string[]): { command: Command | undefined; path: string; args: string[] } {
  let level: Command[] | undefined = commands;
  let command: Command | undefined;
  const path: string[] = [];
  for (const word of words) {
    const next: Command | undefined = level?.find(({ name }) => name === word);
    if (next === undefined) break;
    command = next;
    path.push(word);
    level = next.subcommands;
  }
  return { command, path: path.join(' '), args: words.slice(path.length) };
}

function showHelp(context: CommandContext, commands: Command[], words: string[]): number {
  const { command, path, args } = findCommand(commands, words);
  if (command === undefined || args[0] !== undefined) {
    return unknownCommand(context, command?.subcommands ?? commands, path === '' ? '' : `${path} `, args[0] ?? '');
  }
  context.stdout.write(commandHelp(path, command));
  return 0;
}

function unknownCommand(context: CommandContext, commands: Command[], prefix: string, word: string): number {
  const near = suggest(
    word,
    commands.map(({ name }) => name),
  ).map((name) => `holdfast ${prefix}${name}`);
  const advice = near.length > 0 ? `Did you mean: ${near.join(', or ')}` : `See: holdfast help ${prefix}`.trimEnd();
  writeLine(context.stderr, `holdfast: there is no command "${prefix}${printable(word.slice(0, 60))}". ${advice}`);
  return 2;
}

function reportFailure(context: CommandContext, command: Command, path: string, args: string[], error: unknown): number {
  // The reader of our output has gone (`holdfast … | head`): there is nobody left to tell.
  if (error instanceof Error && (error as NodeJS.ErrnoException).code === 'EPIPE') return 0;

  const json = Object.hasOwn(command.options, 'json') && args.includes('--json');
  const failure = describeFailure(error);
  if (json) {
    writeLine(context.stderr, JSON.stringify({ error: failure }));
  } else {
    writeLine(context.stderr, `holdfast: ${failure.message}`);
    if (failure.advice !== undefined) writeLine(context.stderr, `  ${failure.advice}`);
    if (failure.kind === 'bug' && error instanceof Error) writeLine(context.stderr, error.stack ?? '');
    if (error instanceof UsageError) {
      for (const line of usageLines(path, command)) writeLine(context.stderr, line);
    }
  }
  return error instanceof UsageError ? 2 : 1;
}
