import { runCli } from './cli/main.ts';
import { serve } from './serve-command.ts';

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // The reader of our output has gone (`holdfast … | head`).
    if (error.code !== 'EPIPE') throw error;
  });
}

const args = process.argv.slice(2);
// A server starts in half the time without what the other commands need.
const others = args[0] === 'serve' ? [] : (await import('./cli/commands.ts')).commands;
process.exitCode = await runCli(
  {
    args,
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    cwd: process.cwd(),
    now: () => Date.now(),
  },
  [serve, ...others],
);
