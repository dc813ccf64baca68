import { performance } from 'node:perf_hooks';
import type { CommandContext } from '../../src/cli/command.ts';
import { openClient } from '../../src/cli/pin-client.ts';
import { resolveAll, wanted } from '../../src/cli/pin-run.ts';
import { scanFiles } from '../../src/cli/pin-scan.ts';

/** Scans the working directory and resolves what it found, in a process of its own; prints the times as JSON. */
const context: CommandContext = {
  args: [],
  env: { PATH: process.env['PATH'] },
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  cwd: process.cwd(),
  now: Date.now,
};
const started = performance.now();
const scan = await scanFiles(context, {}, []);
const scanned = performance.now();
const client = await openClient(context, {});
const references = wanted(scan.files, 'pin', { allow: [], deny: [] });
const resolutions = await resolveAll(context, references, {
  client,
  policy: 'digest',
  lock: undefined,
  frozen: false,
  fresh: false,
});
const resolved = performance.now();
client.close();
const found = scan.files.reduce((sum, { findings }) => sum + findings.references.length, 0);
const failed = [...resolutions.values()].filter(({ ok }) => !ok).length;
console.log(JSON.stringify({ scan: scanned - started, resolve: resolved - scanned, found, distinct: references.size, failed }));
