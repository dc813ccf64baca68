/**
 * `npm run bench [-- WORD...] [--peer URL]`: every benchmark, or those whose folder has one of the words in its name. Prints
 * as it goes and writes bench/results.md. `--peer` is one more registry, already running, to measure beside. A benchmark is
 * a folder with a `bench.ts` that exports `run(report, options)`.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { machine, type Report } from './report.ts';

const here = new URL('.', import.meta.url);
const results = new URL('results.md', here);
const { values: options, positionals: words } = parseArgs({ allowPositionals: true, options: { peer: { type: 'string' } } });
const folders = readdirSync(here, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(new URL(`${entry.name}/bench.ts`, here)))
  .map(({ name }) => name)
  .sort();
const chosen = folders.filter((name) => words.length === 0 || words.some((word) => name.includes(word)));
if (chosen.length === 0) {
  console.error(`No benchmark has ${words.join(' or ')} in its name. There are: ${folders.join(', ')}`);
  process.exit(2);
}

const sections = readSections();
for (const name of chosen) {
  console.log(`\n${name}`);
  const rows: string[] = [];
  const report: Report = {
    row(what, value, detail = '') {
      console.log(`  ${what}: ${value}${detail === '' ? '' : `  (${detail})`}`);
      rows.push(`| ${what} | ${value} | ${detail} |`);
    },
  };
  const { run } = (await import(new URL(`${name}/bench.ts`, here).href)) as {
    run(report: Report, options: { peer?: string }): Promise<void>;
  };
  await run(report, options);
  sections.set(
    name,
    [
      `Measured ${new Date().toISOString().slice(0, 10)} on ${machine()}.`,
      '',
      '| What | Result | Medians |',
      '|---|---|---|',
      ...rows,
    ].join('\n'),
  );
  writeFileSync(
    results,
    `# Benchmarks\n\nWritten by \`npm run bench\`.\n${[...sections]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([title, text]) => `\n## ${title}\n\n${text}\n`)
      .join('')}`,
  );
}

/** What earlier runs have left, so that one benchmark can be run alone. */
function readSections(): Map<string, string> {
  const text = existsSync(results) ? readFileSync(results, 'utf8') : '';
  return new Map(
    text
      .split(/^## /m)
      .slice(1)
      .map((section) => {
        const end = section.indexOf('\n');
        return [section.slice(0, end).trim(), section.slice(end).trim()];
      }),
  );
}
