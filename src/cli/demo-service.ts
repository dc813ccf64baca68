import http from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { JsonObject } from '../core/json.ts';
import { listAll, numberOf, objectsOf, textOf, type AwsApi } from './aws-api.ts';
import { CommandFailure } from './command.ts';

export const CLUSTER = 'demo';
export const SERVICE = 'web';

/** What can be seen of the service from outside at one moment. */
export interface Sight {
  /** Milliseconds since the watch began. */
  at: number;
  /** As DescribeServices counts. */
  running: number;
  /** What answers over HTTP, by its text; by its digest where containers are only played. */
  serving: Map<string, number>;
}

const SAMPLE_MS = 40;
const LIMIT_MS = 30_000;
const ANSWER_MS = 1000;

/** The service as the API describes it. */
export async function describeService(api: AwsApi): Promise<JsonObject> {
  const answer = await api.ecs('DescribeServices', { cluster: CLUSTER, services: [SERVICE] });
  return objectsOf(answer['services'])[0] ?? {};
}

export async function runningTasks(api: AwsApi): Promise<JsonObject[]> {
  const tasks = await listAll((input) => api.ecs('ListTasks', input), { cluster: CLUSTER, serviceName: SERVICE }, 'taskArns');
  if (tasks.length === 0) return [];
  return objectsOf((await api.ecs('DescribeTasks', { cluster: CLUSTER, tasks }))['tasks']);
}

/** Steady: one deployment, completed, and every task that is wanted runs. */
export function isSteady(service: JsonObject): boolean {
  const deployments = objectsOf(service['deployments']);
  return (
    deployments.length === 1 &&
    deployments[0]?.['rolloutState'] === 'COMPLETED' &&
    numberOf(service['runningCount']) === numberOf(service['desiredCount']) &&
    numberOf(service['pendingCount']) === 0
  );
}

/** Looks at the service, and asks every task of it, again and again until it is steady and all answer. Raises CommandFailure after half a minute. */
export async function watch(
  api: AwsApi,
  { now, signal, isReal, onSight }: { now: () => number; signal: AbortSignal; isReal: boolean; onSight: (sight: Sight) => void },
): Promise<Sight[]> {
  const started = now();
  const sights: Sight[] = [];
  for (;;) {
    signal.throwIfAborted();
    const service = await describeService(api);
    const serving = await whatServes(await runningTasks(api), isReal);
    const sight = { at: now() - started, running: numberOf(service['runningCount']), serving };
    sights.push(sight);
    onSight(sight);
    const isFailed = objectsOf(service['deployments']).some((one) => one['rolloutState'] === 'FAILED');
    // A program runs some moments before it listens.
    if (isSteady(service) && (total(serving) === sight.running || sight.at > LIMIT_MS)) return sights;
    if (isFailed || sight.at > LIMIT_MS) {
      const events = objectsOf(service['events']).slice(0, 3);
      const stopped = await lastStop(api);
      throw new CommandFailure(
        `The service did not become steady${isFailed ? '' : ' within half a minute'}. ${events.map((event) => textOf(event['message'])).join(' ')} ${stopped}`.trim(),
        { kind: 'not-steady' },
      );
    }
    await wait(SAMPLE_MS, undefined, { signal });
  }
}

/** Why the last task stopped that did. */
async function lastStop(api: AwsApi): Promise<string> {
  const input = { cluster: CLUSTER, serviceName: SERVICE, desiredStatus: 'STOPPED', maxResults: 1 };
  const tasks = (await api.ecs('ListTasks', input))['taskArns'] ?? [];
  if (!Array.isArray(tasks) || tasks.length === 0) return '';
  const [task] = objectsOf((await api.ecs('DescribeTasks', { cluster: CLUSTER, tasks }))['tasks']);
  const reasons = objectsOf(task?.['containers']).map((container) => textOf(container['reason']));
  return [textOf(task?.['stoppedReason']), ...reasons].filter((reason) => reason !== '').join(': ');
}

async function whatServes(tasks: JsonObject[], isReal: boolean): Promise<Map<string, number>> {
  const answers = await Promise.all(
    tasks.map(async (task) => {
      const [container] = objectsOf(task['containers']);
      if (!isReal) return container?.['lastStatus'] === 'RUNNING' ? textOf(container['imageDigest']) : undefined;
      const [binding] = objectsOf(container?.['networkBindings']);
      return binding === undefined ? undefined : ask(numberOf(binding['hostPort']));
    }),
  );
  const serving = new Map<string, number>();
  for (const text of answers) if (text !== undefined) serving.set(text, (serving.get(text) ?? 0) + 1);
  return serving;
}

/** What a task says over HTTP; `undefined` when it does not answer. */
function ask(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = http.get({ host: '127.0.0.1', port, agent: false, timeout: ANSWER_MS }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', () => resolve(undefined));
      response.on('end', () => resolve(response.statusCode === 200 ? Buffer.concat(chunks).toString().trim() : undefined));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}

export function total(serving: Map<string, number>): number {
  return [...serving.values()].reduce((sum, count) => sum + count, 0);
}

/** Stops every task, and waits until none is left. */
export async function removeService(api: AwsApi): Promise<void> {
  await api.ecs('DeleteService', { cluster: CLUSTER, service: SERVICE, force: true });
  // The service is INACTIVE once its last task has stopped; a container may take its 30 s to do so, and a busy engine as long again.
  for (let round = 0; round < 2500; round++) {
    if ((await describeService(api))['status'] === 'INACTIVE') return;
    await wait(SAMPLE_MS);
  }
  throw new CommandFailure('The tasks of the demonstration did not stop.', { kind: 'not-stopped' });
}
