import { parseArgs } from 'node:util';
import { UsageError, type Command, type CommandOption } from './command.ts';
import { suggest } from './suggest.ts';

export interface ParsedOptions {
  options: Record<string, unknown>;
  operands: string[];
  help: boolean;
}

/** Reads what follows a command's name by the command's own table. Raises UsageError. */
export function parseOptions(command: Command, args: string[]): ParsedOptions {
  const table: Record<string, CommandOption> = { ...command.options, help: { type: 'boolean', short: 'h', help: '' } };
  const { tokens } = parseArgs({
    args,
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(table).map(([name, option]) => [
        name,
        { type: option.type, ...(option.short === undefined ? {} : { short: option.short }) },
      ]),
    ),
  });

  const options: Record<string, unknown> = {};
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(table, token.name) ? table[token.name] : undefined;
    if (option === undefined) {
      const near = suggest(token.name, Object.keys(table)).map((name) => `--${name}`);
      throw new UsageError(`There is no option ${token.rawName}.${near.length > 0 ? ` Did you mean ${near.join(' or ')}?` : ''}`);
    }
    let value: string | boolean = true;
    if (option.type === 'string') {
      if (token.value === undefined || (token.inlineValue === false && token.value.startsWith('--'))) {
        throw new UsageError(`The option ${token.rawName} needs a value: ${token.rawName}=${option.value ?? 'VALUE'}`);
      }
      value = token.value;
    } else if (token.value !== undefined) {
      throw new UsageError(`The option ${token.rawName} takes no value.`);
    }
    if (option.multiple === true) {
      const values = (options[token.name] ??= []) as (string | boolean)[];
      values.push(value);
    } else {
      options[token.name] = value;
    }
  }
  const help = options['help'] === true;
  delete options['help'];
  return { options, operands, help };
}
