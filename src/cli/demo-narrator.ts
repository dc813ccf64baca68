import type { JsonObject } from '../core/json.ts';
import type { AwsApi } from './aws-api.ts';
import { CommandFailure, writeLine, type CommandContext } from './command.ts';
import { formatDuration, printable } from './format.ts';
import type { Sight } from './demo-service.ts';

/** Tells a demonstration: what is done, what came of it, and what that shows. */
export interface Narrator {
  chapter(title: string): void;
  say(...sentences: string[]): void;
  /** A command as a person would type it. */
  typed(command: string): void;
  shown(text: string): void;
  json(value: unknown): void;
  /** Makes the call that the printed command makes. */
  aws(service: 'ecs' | 'ecr', operation: string, input: JsonObject, query?: string): Promise<JsonObject>;
  /** Shows a moment when it differs from the one before. */
  sight(sight: Sight): void;
  /** Raises CommandFailure when what is claimed is not so. */
  claim(isSo: boolean, claim: string, otherwise: string): void;
  readonly claims: readonly string[];
}

export function createNarrator({ stdout }: Pick<CommandContext, 'stdout'>, api: () => AwsApi): Narrator {
  const claims: string[] = [];
  let chapters = 0;
  let last = '';
  const bold = (text: string): string => (stdout.isTTY === true ? `\u001B[1m${text}\u001B[0m` : text);
  const typed = (command: string): void => writeLine(stdout, `$ ${command}`);
  return {
    claims,
    chapter(title) {
      chapters++;
      last = '';
      writeLine(stdout);
      writeLine(stdout, bold(`${chapters}. ${title}`));
      writeLine(stdout);
    },
    say(...sentences) {
      for (const sentence of sentences) writeLine(stdout, sentence);
    },
    typed,
    shown: (text) => void stdout.write(text.endsWith('\n') ? text : `${text}\n`),
    json: (value) => writeLine(stdout, JSON.stringify(value, undefined, 2)),
    aws(service, operation, input, query) {
      typed(`aws ${service} ${awsCommand(operation, input)}${query === undefined ? '' : ` --query '${query}'`}`);
      return api()[service](operation, input);
    },
    sight({ at, running, serving }) {
      const parts = [...serving]
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([text, count]) => `${count} x "${shorten(text)}"`);
      const line = `${String(running).padStart(2)} running   serving: ${parts.join(', ') || 'none'}`;
      if (line === last) return;
      last = line;
      writeLine(stdout, `  +${formatDuration(at).padEnd(7)} ${printable(line)}`);
    },
    claim(isSo, claim, otherwise) {
      if (!isSo) throw new CommandFailure(`This should hold and did not: ${claim}\n  ${otherwise}`, { kind: 'claim-failed' });
      claims.push(claim);
      writeLine(stdout, `  ✓ ${claim}`);
    },
  };
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 19)}…` : text;
}

/** `create-service --cluster demo --desired-count 3`: the call as the aws command line has it. */
export function awsCommand(operation: string, input: JsonObject): string {
  const options = Object.entries(input).map(([name, value]) => {
    const option = `--${kebab(name)}`;
    if (typeof value === 'boolean') return value ? option : `--no-${kebab(name)}`;
    if (Array.isArray(value) && value.every((each) => typeof each === 'string'))
      return `${option} ${value.map(quoted).join(' ')}`;
    return `${option} ${quoted(typeof value === 'string' ? value : JSON.stringify(value))}`;
  });
  return [kebab(operation), ...options].join(' ');
}

function kebab(name: string): string {
  return name.replaceAll(/(?<=[a-z0-9])[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
}

function quoted(text: string): string {
  return /^[A-Za-z0-9_./:@=+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
