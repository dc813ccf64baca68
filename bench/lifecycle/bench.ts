import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { median, type Report } from '../report.ts';

const ROUNDS = 3;
const measureFile = new URL('measure.ts', import.meta.url).pathname;

interface Measured {
  ms: number;
  expired: number;
  mib: number;
  heapMib: number;
}

/** Lifecycle policies: medians of three, each in a process of its own. */
export async function run(report: Report): Promise<void> {
  const small = await onFolder(2_200, 0, ['explain', 'explain', 'explain', 'apply']);
  const again = [await onFolder(2_200, 0, ['apply']), await onFolder(2_200, 0, ['apply'])].flatMap(({ apply }) => apply);
  report.row(
    'lifecycle: preview of 2,200 images',
    `${ms(small.explain)} ms`,
    `5 rules, bytes and reasons; ${small.explain[0]?.expired} expire; at most 100 ms`,
  );
  report.row(
    'lifecycle: apply to 2,200 images',
    `${ms([...small.apply, ...again])} ms`,
    'every flush to the disk included; at most 2 s',
  );
  const large = await onFolder(100_000, 50, ['verdicts', 'verdicts', 'verdicts', 'explain', 'explain', 'explain']);
  report.row(
    'lifecycle: verdicts on 100,000 images, 50 rules',
    `${ms(large.verdicts)} ms`,
    `reading them included; ${heap(large.verdicts)} MiB of heap, ${resident(large.verdicts)} MiB resident with the mapped database; at most 1,500 ms and 300 MiB`,
  );
  report.row(
    'lifecycle: the same with the bytes that come free',
    `${ms(large.explain)} ms`,
    `${heap(large.explain)} MiB of heap, ${resident(large.explain)} MiB resident with the mapped database`,
  );
  for (const images of [1_000, 10_000, 100_000, 1_000_000]) {
    const runs: Measured[] = [];
    for (let round = 0; round < ROUNDS; round++) runs.push(await measure('evaluate', images, 50));
    const each = (median(runs.map((one) => one.ms)) * 1000) / images;
    report.row(
      `lifecycle: evaluate ${images.toLocaleString('en')} images, 50 rules`,
      `${ms(runs)} ms`,
      `${each.toFixed(2)} µs an image`,
    );
  }
}

/** Fills a database and measures on it, one process after the other. */
async function onFolder(
  images: number,
  rules: number,
  kinds: ('verdicts' | 'explain' | 'apply')[],
): Promise<Record<'verdicts' | 'explain' | 'apply', Measured[]>> {
  const measured = { verdicts: [], explain: [], apply: [] } as Record<'verdicts' | 'explain' | 'apply', Measured[]>;
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-lifecycle-'));
  try {
    await measure('fill', images, rules, folder);
    for (const kind of kinds) measured[kind].push(await measure(kind, images, rules, folder));
  } finally {
    await rm(folder, { recursive: true });
  }
  return measured;
}

async function measure(kind: string, images: number, rules: number, folder = '.'): Promise<Measured> {
  const child = spawn(process.execPath, [measureFile, kind, String(images), String(rules), folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(await text(child.stdout)) as Measured;
}

function heap(runs: Measured[]): number {
  return Math.round(median(runs.map(({ heapMib }) => heapMib)));
}

function resident(runs: Measured[]): number {
  return Math.round(median(runs.map(({ mib }) => mib)));
}

function ms(runs: Measured[]): string {
  return Math.round(median(runs.map((one) => one.ms))).toLocaleString('en');
}
