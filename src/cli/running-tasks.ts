import { isDigest } from '../core/digest.ts';
import { isFault } from '../core/fault.ts';
import type { JsonObject } from '../core/json.ts';
import { parseReference } from '../core/reference.ts';
import { lastPart, listAll, numberOf, objectsOf, textOf, type AwsApi } from './aws-api.ts';
import { CommandFailure } from './command.ts';

/** A container of a task, as `ps` shows it. */
export interface ShownContainer {
  name: string;
  /** As the task definition has it. */
  image: string;
  digest?: string;
  state: string;
  exitCode?: number;
  reason?: string;
  /** What the image's tag points at now, when that is something else. */
  tagMovedTo?: string;
}

export interface ShownTask {
  id: string;
  arn: string;
  service?: string;
  taskDefinition: string;
  state: string;
  health?: string;
  /** Milliseconds since the epoch: of its start, else of its making. */
  since: number;
  stoppedReason?: string;
  containers: ShownContainer[];
}

const AT_ONCE = 100;

/** Tasks of a cluster, or of one of its services: those that run, and those that stopped within the last hour if asked for. */
export async function listTasks(
  api: AwsApi,
  scope: { cluster: string; service?: string; stopped: boolean },
): Promise<ShownTask[]> {
  const base: JsonObject = { cluster: scope.cluster, ...(scope.service === undefined ? {} : { serviceName: scope.service }) };
  const arns = await listAll((input) => api.ecs('ListTasks', input), base, 'taskArns');
  if (scope.stopped)
    arns.push(...(await listAll((input) => api.ecs('ListTasks', input), { ...base, desiredStatus: 'STOPPED' }, 'taskArns')));
  const tasks: JsonObject[] = [];
  for (let from = 0; from < arns.length; from += AT_ONCE) {
    const answer = await api.ecs('DescribeTasks', { cluster: scope.cluster, tasks: arns.slice(from, from + AT_ONCE) });
    tasks.push(...objectsOf(answer['tasks']));
  }
  const written = await readTaskDefinitions(api, tasks);
  const tagsNow = createTagReader(api);
  const shown: ShownTask[] = [];
  for (const task of tasks) {
    const definition = textOf(task['taskDefinitionArn']);
    const containers: ShownContainer[] = [];
    for (const container of objectsOf(task['containers'])) {
      const name = textOf(container['name']);
      const image = written.get(definition)?.get(name) ?? textOf(container['image']);
      const digest = textOf(container['imageDigest']);
      const now = digest === '' ? undefined : await tagsNow(image);
      containers.push({
        name,
        image,
        state: textOf(container['lastStatus']),
        ...(digest === '' ? {} : { digest }),
        ...(typeof container['exitCode'] === 'number' ? { exitCode: container['exitCode'] } : {}),
        ...(textOf(container['reason']) === '' ? {} : { reason: textOf(container['reason']) }),
        ...(now !== undefined && now !== digest ? { tagMovedTo: now } : {}),
      });
    }
    const group = textOf(task['group']);
    const arn = textOf(task['taskArn']);
    const health = textOf(task['healthStatus']);
    const reason = textOf(task['stoppedReason']);
    shown.push({
      id: lastPart(arn),
      arn,
      taskDefinition: lastPart(definition),
      state: textOf(task['lastStatus']),
      since: (numberOf(task['startedAt']) || numberOf(task['createdAt'])) * 1000,
      containers,
      ...(group.startsWith('service:') ? { service: group.slice('service:'.length) } : {}),
      ...(health === '' || health === 'UNKNOWN' ? {} : { health }),
      ...(reason === '' ? {} : { stoppedReason: reason }),
    });
  }
  return shown.sort((a, b) => Number(a.state === 'STOPPED') - Number(b.state === 'STOPPED') || a.since - b.since);
}

/** Image as written, by container, by task definition. */
async function readTaskDefinitions(api: AwsApi, tasks: JsonObject[]): Promise<Map<string, Map<string, string>>> {
  const arns = new Set(tasks.map((task) => textOf(task['taskDefinitionArn'])));
  const written = new Map<string, Map<string, string>>();
  for (const taskDefinition of arns) {
    const answer = await api.ecs('DescribeTaskDefinition', { taskDefinition });
    const [definition] = objectsOf([answer['taskDefinition'] ?? {}]);
    written.set(
      taskDefinition,
      new Map(objectsOf(definition?.['containerDefinitions']).map((one) => [textOf(one['name']), textOf(one['image'])])),
    );
  }
  return written;
}

/** What a tag of the server's own registry points at now; `undefined` for other registries, digests, and what is not there. */
function createTagReader(api: AwsApi): (image: string) => Promise<string | undefined> {
  const known = new Map<string, string | undefined>();
  return async (image) => {
    if (known.has(image)) return known.get(image);
    const digest = await readTag(api, image);
    known.set(image, digest);
    return digest;
  };
}

async function readTag(api: AwsApi, image: string): Promise<string | undefined> {
  let reference;
  try {
    reference = parseReference(image);
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
  if (reference.digest !== undefined || reference.host !== api.server.registryHost) return undefined;
  try {
    const answer = await api.ecr('DescribeImages', {
      repositoryName: reference.path,
      imageIds: [{ imageTag: reference.tag ?? 'latest' }],
    });
    const digest = textOf(objectsOf(answer['imageDetails'])[0]?.['imageDigest']);
    return isDigest(digest) ? digest : undefined;
  } catch (error) {
    if (error instanceof CommandFailure && error.kind === 'not-found') return undefined;
    throw error;
  }
}
