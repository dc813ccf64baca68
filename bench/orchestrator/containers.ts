import { mkdir, readFile, writeFile, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { TestContext } from 'node:test';
import type { JsonObject } from '../../src/core/json.ts';
import { createCleanup } from '../../test/support/cleanup.ts';
import { startDockerEngine, type DockerEngine } from '../../test/support/docker-engine.ts';
import { temporaryFolder } from '../../test/support/image-source.ts';
import { runProgram } from '../../test/support/server.ts';
import { findTool } from '../../test/support/tools.ts';
import { median, ratio, type Report } from '../report.ts';
import { counts, pushSleeper, SLEEP, until, withServer, type Subject } from './server.ts';

const ROUNDS = 15;
const SERVICE_ROUNDS = 5;
/** Milliseconds: asking without a pause would take one of two cores from what is measured, which adds half of this instead. */
const ASK_EVERY = 2;

/** Real containers: by crun or runc, and by a Docker Engine where one can be started. */
export async function measureContainers(report: Report): Promise<void> {
  const busybox = findTool('busybox');
  if (busybox === undefined || process.getuid?.() !== 0) {
    report.row('orchestrator: real containers', 'not measured', 'needs root and a static busybox');
    return;
  }
  await withServer({ HOLDFAST_RUNTIME: 'oci' }, async (subject, cleanup) => {
    const image = await pushSleeper(subject, cleanup, busybox);
    const runtime = await runtimeOf(subject);
    await register(subject, image, 'none');
    await runOne(subject);
    const bare = await bareRuntime(runtime.split(' ')[0] ?? 'crun', busybox);
    const none = await repeat(ROUNDS, () => runOne(subject));
    report.row(
      'oci: RunTask to RUNNING, image present, no network',
      `${ms(none)}`,
      `${runtime} alone starts such a container in ${ms(bare)}; at most 60 ms; median of ${ROUNDS}`,
    );
    await register(subject, image, 'bridge');
    await runOne(subject);
    const bridged = await repeat(ROUNDS, () => runOne(subject));
    report.row('oci: the same on the bridge, with a port', ms(bridged), `median of ${ROUNDS}`);
    for (const [mode, most] of [
      ['first-task', '1.5 s'],
      ['registry', '1 s'],
    ] as const) {
      const times = await repeat(SERVICE_ROUNDS, (round) => serviceOf(subject, `${mode}-${round}`, mode));
      report.row(
        `oci: CreateService with three tasks until stable, ${mode}`,
        ms(times),
        `at most ${most}; 500 ms of it is the wait for a task to settle (HOLDFAST_SETTLE); median of ${SERVICE_ROUNDS}`,
      );
    }
  });
  await measureDocker(report, busybox);
}

async function measureDocker(report: Report, busybox: string): Promise<void> {
  const machine = createCleanup();
  let reason = '';
  try {
    const test = { after: machine.after, skip: (why: string) => void (reason = why) } as unknown as TestContext;
    const engine = await startDockerEngine(test).catch((error: unknown) => void (reason = String(error)));
    if (engine === undefined) {
      report.row('docker: RunTask to RUNNING', 'not measured', reason.split('\n')[0]);
      return;
    }
    await withServer({ HOLDFAST_RUNTIME: 'docker', ...pick(engine) }, async (subject, cleanup) => {
      const image = await pushSleeper(subject, cleanup, busybox);
      await register(subject, image, 'none');
      await runOne(subject);
      const [pulled = ''] = (await docker(engine, 'images', '--quiet')).split('\n');
      // In turns, so that what the machine does beside falls on both.
      const [ours, theirs]: [number[], number[]] = [[], []];
      for (let round = 0; round < ROUNDS; round++) {
        theirs.push(await dockerRun(engine, pulled));
        ours.push(await runOne(subject));
      }
      report.row(
        'docker: RunTask to RUNNING, image present',
        `${ratio(median(ours), median(theirs))} of docker run -d`,
        `${ms(ours)} and ${ms(theirs)}, in turns; at most x1.3`,
      );
    });
  } finally {
    await machine.run();
  }
}

function pick({ socket }: DockerEngine): Record<string, string> {
  return { DOCKER_HOST: `unix://${socket}` };
}

async function docker(engine: DockerEngine, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await engine.docker(args);
  if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
  return stdout;
}

async function dockerRun(engine: DockerEngine, image: string): Promise<number> {
  const started = performance.now();
  const id = (await docker(engine, 'run', '-d', '--network', 'none', image)).trim();
  const took = performance.now() - started;
  await docker(engine, 'rm', '-f', id);
  return took;
}

/** What the runtime itself needs for such a container: `run -d`, its process started by us as by the server. */
async function bareRuntime(binary: string, busybox: string): Promise<number[]> {
  const cleanup = createCleanup();
  try {
    const folder = await temporaryFolder(cleanup);
    await mkdir(join(folder, 'rootfs/bin'), { recursive: true });
    await copyFile(busybox, join(folder, 'rootfs/bin/busybox'));
    await run(binary, ['spec', '--bundle', folder]);
    const path = join(folder, 'config.json');
    const config = JSON.parse(await readFile(path, 'utf8')) as { process: JsonObject };
    Object.assign(config.process, { terminal: false, args: ['/bin/busybox', 'sh', '-c', SLEEP] });
    await writeFile(path, JSON.stringify(config));
    return await repeat(ROUNDS, async (round) => {
      const name = `holdfast-bench-${process.pid}-${round}`;
      const started = performance.now();
      // As the server does it: older crun takes no machine with controllers in both generations of cgroups.
      const script = `umount /sys/fs/cgroup/unified 2>/dev/null; exec ${binary} run -d --bundle ${folder} ${name} </dev/null >/dev/null 2>&1`;
      await run('unshare', ['--mount', 'sh', '-c', script]);
      const took = performance.now() - started;
      await run(binary, ['delete', '--force', name]);
      return took;
    });
  } finally {
    await cleanup.run();
  }
}

async function run(program: string, args: string[]): Promise<void> {
  const { code, stderr } = await runProgram(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
}

async function runtimeOf({ ecs }: Subject): Promise<string> {
  const { containerInstanceArns = [] } = await ecs('ListContainerInstances', {});
  const answer = await ecs('DescribeContainerInstances', { containerInstances: containerInstanceArns });
  const [instance] = answer['containerInstances'] as { versionInfo?: { dockerVersion?: string } }[];
  return instance?.versionInfo?.dockerVersion ?? '';
}

async function register({ ecs }: Subject, image: string, networkMode: 'none' | 'bridge'): Promise<void> {
  const portMappings = networkMode === 'none' ? [] : [{ containerPort: 80 }];
  await ecs('RegisterTaskDefinition', {
    family: 'sleeper',
    networkMode,
    containerDefinitions: [{ name: 'sleeper', image, memory: 32, portMappings }],
  });
}

/** From the call to the answer that says RUNNING. The task is gone before this gives the time. */
async function runOne({ ecs }: Subject): Promise<number> {
  const started = performance.now();
  const [task] = (await ecs('RunTask', { taskDefinition: 'sleeper' }))['tasks'] as JsonObject[];
  const status = async (): Promise<unknown> => {
    const [now] = (await ecs('DescribeTasks', { tasks: [task?.['taskArn'] ?? ''] }))['tasks'] as JsonObject[];
    if (now?.['lastStatus'] === 'STOPPED' && now['stopCode'] !== 'UserInitiated') throw new Error(JSON.stringify(now));
    return now?.['lastStatus'];
  };
  await until(async () => (await status()) === 'RUNNING', ASK_EVERY);
  const took = performance.now() - started;
  await ecs('StopTask', { task: task?.['taskArn'] ?? '' });
  await until(async () => (await status()) === 'STOPPED', 20);
  return took;
}

async function serviceOf(subject: Subject, serviceName: string, resolve: string): Promise<number> {
  const { ecs } = subject;
  const started = performance.now();
  await ecs('CreateService', {
    serviceName,
    taskDefinition: 'sleeper',
    desiredCount: 3,
    tags: [{ key: 'holdfast:resolve', value: resolve }],
  });
  await until(async () => {
    const [service] = (await ecs('DescribeServices', { services: [serviceName] }))['services'] as JsonObject[];
    const deployments = service?.['deployments'] as JsonObject[];
    if (deployments[0]?.['rolloutState'] === 'FAILED') throw new Error(JSON.stringify(service?.['events']));
    return deployments.length === 1 && deployments[0]?.['rolloutState'] === 'COMPLETED' && service?.['runningCount'] === 3;
  }, 5);
  const took = performance.now() - started;
  await ecs('DeleteService', { service: serviceName, force: true });
  await until(async () => (await counts(subject)).running === 0, 20);
  return took;
}

async function repeat<T>(rounds: number, work: (round: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let round = 0; round < rounds; round++) results.push(await work(round));
  return results;
}

function ms(values: number[]): string {
  return `${Math.round(median(values))} ms`;
}
