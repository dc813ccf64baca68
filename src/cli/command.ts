/**
 * What every command of `holdfast` is: a table entry that says how it is used, and a function that runs it.
 * `runCli` (main.ts) parses by the entry, so that help, documentation and parsing cannot differ.
 */

/** The world as a command sees it; the front door makes one from the process. */
export interface CommandContext {
  /** What follows the command's own name, as typed. */
  args: string[];
  env: Record<string, string | undefined>;
  stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  cwd: string;
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface CommandOption {
  type: 'string' | 'boolean';
  /** May be given many times; the command receives an array. */
  multiple?: boolean;
  /** One letter, for `-o`. */
  short?: string;
  /** What the value is called in the help: FILE, COUNT. */
  value?: string;
  help: string;
}

export interface Command {
  name: string;
  /** One line, no full stop: what it is for. */
  summary: string;
  /** Each way to call it, after `holdfast `: `tags history REPOSITORY TAG`. Empty when only its subcommands run. */
  usage: string[];
  options: Record<string, CommandOption>;
  examples: [command: string, what: string][];
  subcommands?: Command[];
  /** Gives the exit code: 0 done, 1 findings or failure, 2 wrong usage. */
  run(context: CommandContext, options: Record<string, unknown>, operands: string[]): Promise<number>;
}

/** Wrong usage: the sentence and the command's usage are shown, and the exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A failure that a person can act on: the sentence and the advice are shown, and the exit code is 1. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  /** What to do about it: a sentence, or a command to type. */
  readonly advice: string | undefined;
  /** A word for scripts, under `error.kind` with `--json`. */
  readonly kind: string;

  constructor(message: string, options: { advice?: string; kind?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.advice = options.advice;
    this.kind = options.kind ?? 'failed';
  }
}

/** The option that every command with a result takes. */
export const jsonOption: CommandOption = { type: 'boolean', help: 'print the result as JSON' };

/** Writes one line. */
export function writeLine(stream: NodeJS.WritableStream, text = ''): void {
  stream.write(`${text}\n`);
}

/** Writes a result as JSON, indented for people on a terminal and on one line elsewhere. */
export function writeJson(stream: CommandContext['stdout'], value: unknown): void {
  writeLine(stream, JSON.stringify(value, undefined, stream.isTTY === true ? 2 : undefined));
}
