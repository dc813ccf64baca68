/**
 * `npm run check`: format, lint with layers, types, dead code, all at once. Says what failed and how to look at it alone.
 * Ends with 1 when something was found.
 */
import { runChecks } from '../test/support/checks.ts';

const findings = await runChecks(new URL('..', import.meta.url));
for (const { name, ok, output, command, milliseconds } of findings) {
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name.padEnd(12)} ${(milliseconds / 1000).toFixed(1)} s   ${command}`);
  if (!ok) console.log(`\n${output.trim()}\n`);
}
process.exitCode = findings.every(({ ok }) => ok) ? 0 : 1;
