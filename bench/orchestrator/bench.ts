import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import type { Report } from '../report.ts';
import { measureContainers } from './containers.ts';
import { counts, until, withServer, type Subject } from './server.ts';

const TASKS_EACH = 10;
/** Services of ten tasks each. `HOLDFAST_BENCH_SERVICES=100,1000,10000` for a hundred thousand tasks, too: that takes minutes. */
const SIZES = (process.env['HOLDFAST_BENCH_SERVICES'] ?? '100,1000').split(',').filter(Boolean).map(Number);
/** The other part, real containers, is left out with `HOLDFAST_BENCH_CONTAINERS=no`, and this one with no sizes. */
const IS_REAL = process.env['HOLDFAST_BENCH_CONTAINERS'] !== 'no';
const IDLE_MS = 20_000;
/** Requests under way at once. */
const CALLERS = 4;

/** Tasks from the call to what runs: real ones, and ten thousands that are only played. */
export async function run(report: Report): Promise<void> {
  if (IS_REAL) await measureContainers(report);
  for (const services of SIZES) await measureScale(report, services);
}

async function measureScale(report: Report, services: number): Promise<void> {
  const tasks = services * TASKS_EACH;
  await withServer({ HOLDFAST_RUNTIME: 'simulated' }, async (subject) => {
    await subject.ecs('RegisterTaskDefinition', {
      family: 'played',
      containerDefinitions: [{ name: 'app', image: `example.com/app@sha256:${'1'.repeat(64)}`, memory: 6 }],
    });
    const before = subject.cpu();
    const started = performance.now();
    await createServices(subject, services);
    await until(async () => (await counts(subject)).running === tasks, 200);
    const took = performance.now() - started;
    const spent = subject.cpu() - before;
    report.row(
      `simulated: ${services.toLocaleString('en')} services of ${TASKS_EACH} tasks, from the first call to all running`,
      `${(took / 1000).toFixed(1)} s`,
      `${tasks.toLocaleString('en')} tasks; ${(spent / tasks).toFixed(2)} ms of processor time each; ${Math.round(subject.memory())} MiB${services === 1000 ? '; at most 30 s' : ''}`,
    );
    // What comes behind the start (settling, completed deployments) is not idleness.
    await untilQuiet(subject);
    const idle = subject.cpu();
    const began = performance.now();
    await wait(IDLE_MS);
    const share = ((subject.cpu() - idle) / (performance.now() - began)) * 100;
    report.row(
      `simulated: the same, idle`,
      `${share.toFixed(2)} % of a core`,
      `over ${IDLE_MS / 1000} s${services === 1000 ? '; at most 1 %' : ''}`,
    );
  });
}

async function createServices({ ecs }: Subject, services: number): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < services)
      await ecs('CreateService', { serviceName: `s${next++}`, taskDefinition: 'played', desiredCount: TASKS_EACH });
  };
  await Promise.all(Array.from({ length: CALLERS }, work));
}

async function untilQuiet({ cpu }: Subject): Promise<void> {
  for (let last = -1, now = cpu(); now - last > 50; now = cpu()) {
    last = now;
    await wait(2000);
  }
}
