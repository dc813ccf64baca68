import { Readable, Writable } from 'node:stream';
import { runCli } from './main.ts';
import type { Command, CommandContext } from './command.ts';

export interface CommandRun {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `holdfast ...args` inside a test, with its own streams, folder, environment and clock. */
export async function runCommand(
  commands: Command[],
  args: string[],
  world: { env?: Record<string, string>; cwd?: string; stdin?: string; columns?: number; now?: () => number } = {},
): Promise<CommandRun> {
  const stdout = collector(world.columns);
  const stderr = collector(world.columns);
  const context: CommandContext = {
    args,
    env: world.env ?? {},
    stdout: stdout.stream,
    stderr: stderr.stream,
    stdin: Readable.from(world.stdin === undefined ? [] : [Buffer.from(world.stdin)]),
    cwd: world.cwd ?? '/',
    now: world.now ?? (() => Date.UTC(2026, 0, 1)),
  };
  const code = await runCli(context, commands);
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

/** A stream that keeps what is written to it; a terminal when `columns` is given. */
export function collector(columns?: number): { stream: Writable & { isTTY?: boolean; columns?: number }; text(): string } {
  const chunks: Buffer[] = [];
  const stream: Writable & { isTTY?: boolean; columns?: number } = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  if (columns !== undefined) Object.assign(stream, { isTTY: true, columns });
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
}
