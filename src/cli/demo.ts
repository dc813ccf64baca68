import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listAll, objectsOf, openAwsApi, textOf, type AwsApi } from './aws-api.ts';
import { CommandFailure, UsageError, writeLine, type Command, type CommandContext } from './command.ts';
import { findBusybox } from './demo-image.ts';
import { createNarrator, type Narrator } from './demo-narrator.ts';
import { startDemoServer, type DemoServer } from './demo-server.ts';
import { CLUSTER, removeService } from './demo-service.ts';
import { tellStory } from './demo-story.ts';
import { formatDuration } from './format.ts';
import { nameOperands } from './operands.ts';

const RUNTIMES = ['auto', 'oci', 'docker', 'simulated'];

/** `holdfast demo`: the walk through version consistency, on a server that goes away with it. */
export const demoCommand: Command = {
  name: 'demo',
  summary: 'show on a throw-away server how a deployment keeps its digests, in under a minute',
  usage: ['demo [--runtime NAME] [--keep]'],
  options: {
    runtime: { type: 'string', value: 'NAME', help: `what runs the containers: ${RUNTIMES.join(', ')} (default: auto)` },
    keep: { type: 'boolean', help: 'leave server and service running at the end' },
  },
  examples: [
    ['holdfast demo', 'needs no Docker; exit code 1 when something is not as it says'],
    ['holdfast demo --runtime simulated', 'without containers: needs no root'],
  ],
  async run(context, options, operands) {
    nameOperands(operands, []);
    const runtime = options['runtime'] === undefined ? undefined : (options['runtime'] as string);
    if (runtime !== undefined && !RUNTIMES.includes(runtime))
      throw new UsageError(`--runtime takes one of ${RUNTIMES.join(', ')}, not "${runtime.slice(0, 60)}"`);
    const stopping = new AbortController();
    const interrupt = (): void => stopping.abort(new CommandFailure('Stopped before its end; cleaned up.', { kind: 'stopped' }));
    for (const signal of SIGNALS) process.on(signal, interrupt);
    try {
      await perform(context, runtime, options['keep'] === true, stopping.signal);
      return 0;
    } catch (error) {
      // What was waited for at that moment fails in words of its own.
      stopping.signal.throwIfAborted();
      throw error;
    } finally {
      for (const signal of SIGNALS) process.off(signal, interrupt);
    }
  },
};

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

async function perform(context: CommandContext, runtime: string | undefined, keep: boolean, signal: AbortSignal): Promise<void> {
  const started = context.now();
  const busybox = await findBusybox();
  let api: AwsApi | undefined;
  let server: DemoServer | undefined;
  let isKept = false;
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-demo-images-'));
  const narrator = createNarrator(context, () => {
    if (api === undefined) throw new Error('the server is not there yet');
    return api;
  });
  try {
    narrator.say('A deployment is one set of image digests, from its first task to its last, and no digest that runs, or that');
    narrator.say('could be rolled back to, can be deleted. This is that promise, kept on this machine.');
    narrator.chapter('A throw-away server');
    narrator.typed('holdfast serve');
    server = await startDemoServer(context, runtime ?? 'auto');
    api = await openAwsApi(server.context);
    if (!(await canRun(api))) {
      if (runtime !== undefined)
        throw new CommandFailure('This machine runs no containers.', { kind: 'no-runtime', advice: 'See: holdfast doctor' });
      narrator.say('This machine runs no containers (holdfast doctor says why), so they are only played.');
      api.close();
      await server.stop(true);
      server = undefined;
      server = await startDemoServer(context, 'simulated');
      api = await openAwsApi(server.context);
    }
    const engine = await describeEngine(api);
    narrator.say(
      `Holdfast ready on ${server.url}; tasks are ${engine === undefined ? 'played, not run' : `run by ${engine}`}.`,
      'Everything below goes through its API, as any client would.',
    );
    const isReal = engine !== undefined;
    await tellStory({ context: server.context, api, narrator, busybox, folder, isReal, signal });
    isKept = keep;
    end(narrator, context.now() - started, keep);
    if (keep) tellHowToGoOn(context, server);
  } finally {
    if (server !== undefined && !isKept) await cleanUp(server, api, context);
    api?.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function canRun(api: AwsApi): Promise<boolean> {
  return (await hostsOf(api)).length > 0;
}

/** Every cluster has the machine's hosts; the default one is made for the question. */
async function hostsOf(api: AwsApi): Promise<string[]> {
  await api.ecs('CreateCluster', {});
  return listAll((input) => api.ecs('ListContainerInstances', input), {}, 'containerInstanceArns');
}

/** Name and version; `undefined` where containers are only played. */
async function describeEngine(api: AwsApi): Promise<string | undefined> {
  const containerInstances = await hostsOf(api);
  const answer = await api.ecs('DescribeContainerInstances', { containerInstances });
  const [instance] = objectsOf(answer['containerInstances']);
  const [versions] = objectsOf([instance?.['versionInfo'] ?? {}]);
  const version = textOf(versions?.['dockerVersion']);
  return version === 'simulated' ? undefined : version.replace(/^DockerVersion: /, 'Docker ');
}

/** Tasks first, then their server: they would outlive it. */
async function cleanUp(server: DemoServer, api: AwsApi | undefined, context: CommandContext): Promise<void> {
  try {
    if (api !== undefined && (await isServiceThere(api))) await removeService(api);
  } catch (error) {
    writeLine(
      context.stderr,
      `holdfast: tasks of the demonstration may be left: ${error instanceof Error ? error.message : String(error)}`,
    );
    writeLine(context.stderr, `  Their server's data is in ${server.dataFolder}`);
    await server.stop(false);
    return;
  }
  await server.stop(true);
}

async function isServiceThere(api: AwsApi): Promise<boolean> {
  const clusters = await listAll((input) => api.ecs('ListClusters', input), {}, 'clusterArns');
  if (!clusters.some((arn) => arn.endsWith(`/${CLUSTER}`))) return false;
  return (await listAll((input) => api.ecs('ListServices', input), { cluster: CLUSTER }, 'serviceArns')).length > 0;
}

function end(narrator: Narrator, milliseconds: number, keep: boolean): void {
  const goes = keep ? '' : ' What was made for it is taken away again.';
  narrator.say('', `All ${narrator.claims.length} claims held, in ${formatDuration(milliseconds)}.${goes}`);
}

function tellHowToGoOn({ stdout }: CommandContext, server: DemoServer): void {
  for (const line of [
    '',
    'It is all still there. Look at it with:',
    `  eval "$(HOLDFAST_DATA=${server.dataFolder} bin/holdfast env)"`,
    `  HOLDFAST_DATA=${server.dataFolder} bin/holdfast ps web`,
    'and end it with:',
    `  aws ecs delete-service --cluster ${CLUSTER} --service web --force && sleep 5 && kill ${server.processId}`,
  ])
    writeLine(stdout, line);
}
