import { createInterface } from 'node:readline';
import { UsageError, type CommandContext } from './command.ts';

/** Asks a person for a yes on the terminal. Raises UsageError where there is nobody to ask. */
export async function confirm(context: CommandContext, question: string): Promise<boolean> {
  if (context.stdin.isTTY !== true) throw new UsageError('There is no terminal to ask on; --yes says that you have seen it.');
  const lines = createInterface({ input: context.stdin, output: context.stderr });
  try {
    return await new Promise<boolean>((resolve) => {
      lines.question(`${question} [y/N] `, (answer) => resolve(/^y(?:es)?$/i.test(answer.trim())));
      lines.once('close', () => resolve(false));
    });
  } finally {
    lines.close();
  }
}
