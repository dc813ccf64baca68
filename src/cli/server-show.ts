import type { Json, JsonObject } from '../core/json.ts';
import { isDigest, shortDigest } from '../core/digest.ts';
import { writeJson, writeLine, type CommandContext, type CommandOption } from './command.ts';
import { formatTime } from './format.ts';
import { formatTable, tableWidth, type Column } from './table.ts';

/** How many rows a list shows unless it is told. */
export const DEFAULT_ROWS = 1000;
export const MOST_ROWS = 100_000;
export const limitOption: CommandOption = {
  type: 'string',
  value: 'COUNT',
  help: `show at most COUNT (default ${DEFAULT_ROWS})`,
};

/** A member of the server's answer as a table shows it: a dash where it is absent. */
export function cell(row: JsonObject, member: string): string {
  const value = row[member];
  if (value === undefined || value === null) return '-';
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map((entry) => textOf(entry)).join(' ');
  return textOf(value);
}

function textOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function digestCell(row: JsonObject, member: string): string {
  const value = cell(row, member);
  return isDigest(value) ? shortDigest(value) : value;
}

export function timeCell(row: JsonObject, member: string): string {
  const time = Date.parse(cell(row, member));
  return Number.isNaN(time) ? '-' : formatTime(time);
}

/** Of an ARN, the user's name: all of them are of one account. */
export function userCell(row: JsonObject, member: string): string {
  return cell(row, member).replace(/^arn:aws:iam::\d{12}:user\//, '');
}

/** A list as JSON, or as a table with a sentence where it is empty or goes on. */
export function showList(
  context: CommandContext,
  options: Record<string, unknown>,
  list: { name: string; items: JsonObject[]; more: boolean; empty: string },
  columns: (Column | string)[],
  row: (item: JsonObject) => string[],
): number {
  if (options['json'] === true) {
    writeJson(context.stdout, { [list.name]: list.items, more: list.more });
    return 0;
  }
  if (list.items.length === 0) writeLine(context.stdout, list.empty);
  else context.stdout.write(formatTable(columns, list.items.map(row), tableWidth(context.stdout)));
  if (list.more) writeLine(context.stderr, `There are more than these ${list.items.length}; see --limit.`);
  return 0;
}

/** One result as JSON, or as the sentence that says the same. */
export function showResult(
  context: CommandContext,
  options: Record<string, unknown>,
  result: JsonObject,
  sentence: string,
): number {
  if (options['json'] === true) writeJson(context.stdout, result);
  else writeLine(context.stdout, sentence);
  return 0;
}
