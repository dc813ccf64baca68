/**
 * `npm test [-- WORD...]`: `npm run check` first, then every test that this machine can run; says at the end what was
 * skipped and why. Words choose the files whose path has one of them, and leave the check out. With CI=true a missing
 * tool is a failure (test/support/tools.ts).
 */
import { globSync } from 'node:fs';
import { run } from 'node:test';
import { inspect } from 'node:util';
import { checks, runChecks } from '../test/support/checks.ts';

interface Outcome {
  file: string;
  name: string;
  reason: string;
}

/** These start real servers and clients, and go one at a time, so that none waits for another's processor. */
const heavy = /^test\/(?:e2e|conformance|faults|hostile)\//;

/** Longer than any test file may take: a hang is a failure, not a wait. */
const fileTimeout = 240_000;

const root = new URL('..', import.meta.url);
const words = process.argv.slice(2);
const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts'], { cwd: root })
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();
const started = performance.now();
const failed: Outcome[] = [];
const skipped: Outcome[] = [];
let passed = 0;

if (files.length === 0) {
  console.error(`No test file has ${words.join(' or ')} in its path.`);
  process.exit(2);
}
if (words.length === 0) {
  for (const { name, ok, command, output } of await runChecks(root)) {
    if (ok) passed++;
    else failed.push({ file: 'npm run check', name, reason: `${command}\n${output.trim()}` });
  }
  console.log(`check: ${Object.keys(checks).join(', ')}: ${failed.length === 0 ? 'ok' : 'FAILED'}`);
}
await runFiles(
  files.filter((file) => !heavy.test(file)),
  2,
);
await runFiles(
  files.filter((file) => heavy.test(file)),
  1,
);
report();

async function runFiles(chosen: string[], concurrency: number): Promise<void> {
  if (chosen.length === 0) return;
  const counts = new Map<string, { passed: number; failed: number; skipped: number }>();
  const countsOf = (file: string): { passed: number; failed: number; skipped: number } => {
    const known = counts.get(file) ?? { passed: 0, failed: 0, skipped: 0 };
    counts.set(file, known);
    return known;
  };
  const events = run({ files: chosen, concurrency, timeout: fileTimeout, cwd: new URL('.', root).pathname });
  events.on('test:pass', (event) => {
    const file = shown(event.file);
    if (event.details.type === 'suite') return;
    if (event.skip !== undefined && event.skip !== false) {
      countsOf(file).skipped++;
      skipped.push({ file, name: event.name, reason: typeof event.skip === 'string' ? event.skip : 'no reason given' });
    } else {
      countsOf(file).passed++;
      passed++;
    }
  });
  events.on('test:fail', (event) => {
    const file = shown(event.file);
    const error = event.details.error;
    // A parent fails with its children and children with their parent: only the first has something to say.
    if ('failureType' in error && (error.failureType === 'subtestsFailed' || error.failureType === 'cancelledByParent')) return;
    countsOf(file).failed++;
    const cause: unknown = error.cause ?? error;
    failed.push({ file, name: event.name, reason: shorten(typeof cause === 'string' ? cause : inspect(cause, { depth: 4 })) });
  });
  events.on('test:stdout', (event) => process.stdout.write(event.message));
  events.on('test:stderr', (event) => process.stderr.write(event.message));
  events.on('test:summary', (event) => {
    if (event.file === undefined) return;
    const file = shown(event.file);
    const count = countsOf(file);
    const parts = [`${count.passed} passed`];
    if (count.failed > 0) parts.push(`${count.failed} FAILED`);
    if (count.skipped > 0) parts.push(`${count.skipped} skipped`);
    console.log(
      `${count.failed > 0 ? 'FAILED' : 'ok    '} ${file}: ${parts.join(', ')} (${(event.duration_ms / 1000).toFixed(1)} s)`,
    );
  });
  for await (const _ of events);
}

function report(): void {
  if (skipped.length > 0) {
    console.log('\nSkipped:');
    for (const { file, name, reason } of skipped) console.log(`  ${file}: ${name}: ${reason}`);
  }
  for (const { file, name, reason } of failed) console.log(`\nFAILED ${file}: ${name}\n${reason}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`\n${passed} passed, ${failed.length} failed, ${skipped.length} skipped, in ${seconds} s`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

/** The beginning says what was expected, the end where it happened. */
function shorten(text: string): string {
  const most = 4000;
  return text.length <= 2 * most
    ? text
    : `${text.slice(0, most)}\n… ${text.length - 2 * most} characters …\n${text.slice(-most)}`;
}

function shown(file: string | undefined): string {
  return (file ?? '?').replace(root.pathname, '');
}
