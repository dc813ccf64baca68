/**
 * `npm test [-- WORD...]`: `npm run check` first, then every test that this machine can run; says at the end what was
 * skipped and why. Words choose the files whose path has one of them, and leave the check out. With CI=true a missing
 * tool is a failure (test/support/tools.ts).
 */
import { globSync, readFileSync } from 'node:fs';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { checks, runChecks } from '../test/support/checks.ts';

interface Outcome {
  file: string;
  name: string;
  reason: string;
}

/** These start real containers, and so share the machine's networks and control groups: never two of them at once. */
const ofTheMachine = (file: string): boolean =>
  file.startsWith('src/drivers/runtime/oci/') ||
  /'oci'|support\/(?:real-tasks|docker-engine)\.ts/.test(readFileSync(new URL(file, root), 'utf8'));

/** Longer than any test file may take: a hang is a failure, not a wait. */
const fileTimeout = 240_000;

const root = new URL('..', import.meta.url);
// Each file is a process of its own, and most read the same sources: the first compiles them for all.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(new URL('node_modules/.cache/holdfast', root));
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
const machine = files.filter(ofTheMachine);
const others = files.filter((file) => !machine.includes(file));
// Two at a time; most of them wait half of their time.
await Promise.all([runFiles(machine, others), runFiles(others)]);
report();

/** One file after the other, of the first list as long as it has any; takes them out of the lists. */
async function runFiles(...lists: string[][]): Promise<void> {
  for (const list of lists) for (let file = list.shift(); file !== undefined; file = list.shift()) await runFile(file);
}

async function runFile(file: string): Promise<void> {
  const count = { passed: 0, failed: 0, skipped: 0 };
  const notes: string[] = [];
  const events = run({ files: [file], timeout: fileTimeout, cwd: new URL('.', root).pathname });
  events.on('test:pass', (event) => {
    if (event.details.type === 'suite') return;
    if (event.skip !== undefined && event.skip !== false) {
      count.skipped++;
      skipped.push({ file, name: event.name, reason: typeof event.skip === 'string' ? event.skip : 'no reason given' });
    } else {
      count.passed++;
      passed++;
    }
  });
  events.on('test:fail', (event) => {
    const error = event.details.error;
    // A parent fails with its children and children with their parent: only the first has something to say.
    if ('failureType' in error && (error.failureType === 'subtestsFailed' || error.failureType === 'cancelledByParent')) return;
    count.failed++;
    const cause: unknown = error.cause ?? error;
    failed.push({ file, name: event.name, reason: shorten(typeof cause === 'string' ? cause : inspect(cause, { depth: 4 })) });
  });
  // What a test says of itself: how much it tried, and from which seed. What the runner counts comes the same way.
  events.on('test:diagnostic', ({ message }) => {
    if (!/^(?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/.test(message)) notes.push(message);
  });
  events.on('test:stdout', (event) => process.stdout.write(event.message));
  events.on('test:stderr', (event) => process.stderr.write(event.message));
  events.on('test:summary', (event) => {
    if (event.file === undefined) return;
    const parts = [`${count.passed} passed`];
    if (count.failed > 0) parts.push(`${count.failed} FAILED`);
    if (count.skipped > 0) parts.push(`${count.skipped} skipped`);
    console.log(
      `${count.failed > 0 ? 'FAILED' : 'ok    '} ${file}: ${parts.join(', ')} (${(event.duration_ms / 1000).toFixed(1)} s)`,
    );
    for (const note of notes) console.log(`         ${note}`);
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
