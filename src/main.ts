import { commands } from './cli/commands.ts';
import { runCli } from './cli/main.ts';
import { serve } from './serve-command.ts';

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // The reader of our output has gone (`holdfast … | head`).
    if (error.code !== 'EPIPE') throw error;
  });
}

process.exitCode = await runCli(
  {
    args: process.argv.slice(2),
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    cwd: process.cwd(),
    now: () => Date.now(),
  },
  [serve, ...commands],
);
