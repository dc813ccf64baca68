import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { median, type Report } from '../report.ts';

const ROUNDS = 3;
const measureFile = new URL('measure.ts', import.meta.url).pathname;

interface Measured {
  ms: number;
  applyMs?: number;
  expired: number;
  mib: number;
}

/** Lifecycle policies: medians of three runs, each in a process of its own. */
export async function run(report: Report): Promise<void> {
  const small = await repeat('apply', 2_200, 0);
  report.row(
    'lifecycle: preview of 2,200 images',
    `${ms(small, 'ms')} ms`,
    `5 rules, bytes and reasons; ${small[0]?.expired} expire; at most 100 ms`,
  );
  report.row('lifecycle: apply to 2,200 images', `${ms(small, 'applyMs')} ms`, 'from a database on a disk; at most 2 s');
  const large = await repeat('explain', 100_000, 50);
  report.row(
    'lifecycle: preview of 100,000 images, 50 rules',
    `${ms(large, 'ms')} ms`,
    `${Math.round(median(large.map(({ mib }) => mib)))} MiB for the whole process; at most 1,500 ms and 300 MiB`,
  );
  for (const images of [1_000, 10_000, 100_000, 1_000_000]) {
    const runs = await repeat('evaluate', images, 50);
    const each = (median(runs.map((one) => one.ms)) * 1000) / images;
    report.row(`lifecycle: evaluate ${images.toLocaleString('en')} images, 50 rules`, `${ms(runs, 'ms')} ms`, `${each.toFixed(2)} µs an image`);
  }
}

async function repeat(kind: string, images: number, rules: number): Promise<Measured[]> {
  const runs: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++) runs.push(await measure(kind, images, rules));
  return runs;
}

async function measure(kind: string, images: number, rules: number): Promise<Measured> {
  const child = spawn(process.execPath, [measureFile, kind, String(images), String(rules)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(await text(child.stdout)) as Measured;
}

function ms(runs: Measured[], member: 'ms' | 'applyMs'): string {
  return Math.round(median(runs.map((one) => one[member] ?? Number.NaN))).toLocaleString('en');
}
