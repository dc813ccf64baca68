import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { median, type Report } from '../report.ts';
import { policyOf } from './policies.ts';
import { previewOnServer, type PreviewOnServer } from './server.ts';

const ROUNDS = 3;
/** As bin/holdfast starts Node. */
const YOUNG = '--max-semi-space-size=8';
const measureFile = new URL('measure.ts', import.meta.url).pathname;

interface Measured {
  ms: number;
  expired: number;
  mib: number;
}

type Kind = 'verdicts' | 'explain' | 'apply';

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
  for (const images of [1_000, 10_000, 100_000]) {
    const isLarge = images === 100_000;
    const kinds: Kind[] = ['verdicts', 'verdicts', 'verdicts', 'explain', 'explain', 'explain'];
    const { verdicts, explain, server } = await onFolder(images, 50, kinds, isLarge ? ROUNDS : 0);
    const name = `${images.toLocaleString('en')} images, 50 rules`;
    report.row(
      `lifecycle: verdicts on ${name}`,
      `${ms(verdicts)} ms`,
      `reading them included; ${resident(verdicts)} MiB resident${isLarge ? '; at most 1,500 ms and 300 MiB' : ''}`,
    );
    report.row(
      `lifecycle: preview of ${name}`,
      `${ms(explain)} ms`,
      `with the bytes that come free; ${perImage(explain, images)} µs an image, ${resident(explain)} MiB resident${isLarge ? '; at most 1,500 ms and 300 MiB' : ''}`,
    );
    if (!isLarge) continue;
    const of = (value: (one: PreviewOnServer) => number): number => median(server.map(value));
    report.row(
      `lifecycle: holdfast lifecycle preview --json of ${name}`,
      `${Math.round(of((one) => one.ms)).toLocaleString('en')} ms`,
      `the whole command; ${of((one) => one.megabytes).toFixed(0)} MB of answer; the server has ${of((one) => one.mib).toFixed(0)} MiB then, ${of((one) => one.mibMore).toFixed(0)} more than before; another request waits ${of((one) => one.longestWaitMs).toFixed(0)} ms at most`,
    );
  }
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
  kinds: Kind[],
  serverRounds = 0,
): Promise<Record<Kind, Measured[]> & { server: PreviewOnServer[] }> {
  const measured: Record<Kind, Measured[]> = { verdicts: [], explain: [], apply: [] };
  let server: PreviewOnServer[] = [];
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-lifecycle-'));
  try {
    await measure('fill', images, rules, folder);
    for (const kind of kinds) measured[kind].push(await measure(kind, images, rules, folder));
    if (serverRounds > 0) server = await previewOnServer(join(folder, 'meta.db'), policyOf(rules), serverRounds);
  } finally {
    await rm(folder, { recursive: true });
  }
  return { ...measured, server };
}

async function measure(kind: string, images: number, rules: number, folder = '.'): Promise<Measured> {
  const child = spawn(process.execPath, [YOUNG, measureFile, kind, String(images), String(rules), folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(await text(child.stdout)) as Measured;
}

function perImage(runs: Measured[], images: number): string {
  return ((median(runs.map((one) => one.ms)) * 1000) / images).toFixed(1);
}

function resident(runs: Measured[]): number {
  return Math.round(median(runs.map(({ mib }) => mib)));
}

function ms(runs: Measured[]): string {
  return Math.round(median(runs.map((one) => one.ms))).toLocaleString('en');
}
