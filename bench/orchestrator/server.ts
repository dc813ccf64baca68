import { readFileSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { createAwsCaller } from '../../src/client/aws-call.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { systemClock } from '../../src/drivers/system/clock.ts';
import { createCleanup, type Cleanup } from '../../test/support/cleanup.ts';
import { temporaryFolder } from '../../test/support/image-source.ts';
import { startHoldfast, type HoldfastProcess } from '../../test/support/server.ts';

/** A server under measurement, and its ECS API. */
export interface Subject {
  server: HoldfastProcess;
  ecs(operation: string, input: JsonObject): Promise<JsonObject>;
  /** CPU time of the server so far, in milliseconds. */
  cpu(): number;
  /** MiB that it holds in memory. */
  memory(): number;
}

const CLUSTER = 'bench';
const TICK_MS = 10;

/** Starts a server, measures, and takes it away again, its tasks first. */
export async function withServer(
  env: Record<string, string>,
  work: (subject: Subject, cleanup: Cleanup) => Promise<void>,
): Promise<void> {
  const cleanup = createCleanup();
  try {
    const server = await startHoldfast(cleanup, { HOLDFAST_LOG: 'error', ...env });
    const endpoint = new URL(server.url);
    const caller = createAwsCaller(systemClock, { endpointHosts: [endpoint.host], userAgent: 'bench' });
    const ecs: Subject['ecs'] = (operation, input) =>
      caller(server.credentials, {
        endpoint,
        region: 'us-east-1',
        service: 'ecs',
        target: `AmazonEC2ContainerServiceV20141113.${operation}`,
        input: operation.includes('Cluster') || operation.includes('TaskDefinition') ? input : { cluster: CLUSTER, ...input },
      });
    cleanup.after(async () => {
      // Played tasks end with their server; real ones outlive it.
      if (env['HOLDFAST_RUNTIME'] !== 'simulated') await removeAll(ecs);
      caller.close();
      await server.stop();
    });
    await ecs('CreateCluster', { clusterName: CLUSTER });
    const procfs = (file: string): string => readFileSync(`/proc/${server.processId}/${file}`, 'utf8');
    const subject: Subject = {
      server,
      ecs,
      cpu() {
        const fields = procfs('stat').split(') ')[1]?.split(' ') ?? [];
        return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
      },
      memory: () => Number(/VmRSS:\s+(\d+)/.exec(procfs('status'))?.[1]) / 1024,
    };
    await work(subject, cleanup);
  } finally {
    await cleanup.run();
  }
}

/** An image of a static busybox that sleeps until it is told to end. Gives its name for task definitions. */
export async function pushSleeper({ server }: Subject, cleanup: Cleanup, busybox: string): Promise<string> {
  const folder = await temporaryFolder(cleanup);
  await mkdir(join(folder, 'bin'));
  await copyFile(busybox, join(folder, 'bin/busybox'));
  const words = JSON.stringify(['/bin/busybox', 'sh', '-c', SLEEP]);
  const pushed = await server.run(['push', folder, 'bench/sleeper:1', '--create', '--cmd', words]);
  if (pushed.code !== 0) throw new Error(pushed.stderr);
  return `${server.registryHost}/bench/sleeper:1`;
}

export const SLEEP = "trap 'exit 0' TERM; while :; do /bin/busybox sleep 1000 & wait; done";

export async function counts({ ecs }: Pick<Subject, 'ecs'>): Promise<{ running: number; pending: number; services: number }> {
  const answer = await ecs('DescribeClusters', { clusters: [CLUSTER] });
  const [cluster] = answer['clusters'] as JsonObject[];
  return {
    running: Number(cluster?.['runningTasksCount']),
    pending: Number(cluster?.['pendingTasksCount']),
    services: Number(cluster?.['activeServicesCount']),
  };
}

/** Asks again and again; gives the milliseconds until it was so. */
export async function until(isSo: () => Promise<boolean>, every = 0): Promise<number> {
  const started = performance.now();
  while (!(await isSo())) if (every > 0) await wait(every);
  return performance.now() - started;
}

async function removeAll(ecs: Subject['ecs']): Promise<void> {
  for (const arn of ((await ecs('ListTasks', {}))['taskArns'] ?? []) as string[]) {
    await ecs('StopTask', { task: arn });
  }
  await until(async () => (await counts({ ecs })).running === 0, 100);
}
