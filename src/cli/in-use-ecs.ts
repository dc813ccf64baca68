import { isDigest, type Digest } from '../core/digest.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import type { AwsAccount } from './aws-account.ts';

/** Somebody who needs an image. */
export interface Use {
  kind: 'service' | 'task' | 'pod' | 'container' | 'hold';
  /** `prod/web`: cluster and service, namespace and pod; a hold's holder. */
  name: string;
  /** A cluster or a namespace, where there is one. */
  environment?: string;
  /** As it is written there. */
  image: string;
  /** What really runs, where that is known. */
  digest?: Digest;
}

const SERVICES = 10;
const REVISIONS = 20;
const TASKS = 100;

/** What the services and the tasks of all clusters need. Reads only. Raises CommandFailure. */
export async function readEcsUses(account: Pick<AwsAccount, 'call' | 'listTexts'>): Promise<Use[]> {
  const uses: Use[] = [];
  for (const cluster of await account.listTexts('ecs', 'ListClusters', {}, 'clusterArns')) {
    uses.push(...(await readServices(account, cluster)), ...(await readTasks(account, cluster)));
  }
  return uses;
}

async function readServices(account: Pick<AwsAccount, 'call' | 'listTexts'>, cluster: string): Promise<Use[]> {
  const environment = lastPart(cluster);
  const arns = await account.listTexts('ecs', 'ListServices', { cluster, maxResults: 100 }, 'serviceArns');
  const revisions = new Map<string, string>();
  for (const chunk of inChunks(arns, SERVICES)) {
    const { services } = await account.call('ecs', 'DescribeServices', { cluster, services: chunk });
    for (const service of objects(services)) {
      const name = `${environment}/${text(service['serviceName'])}`;
      for (const revision of objects(service['currentServiceRevisions'])) revisions.set(text(revision['arn']), name);
      // One that is on its way is needed as well as the one that it replaces.
      for (const deployment of objects(service['deployments']))
        if (typeof deployment['serviceRevisionArn'] === 'string') revisions.set(deployment['serviceRevisionArn'], name);
    }
  }
  const uses: Use[] = [];
  for (const chunk of inChunks([...revisions.keys()], REVISIONS)) {
    const answer = await account.call('ecs', 'DescribeServiceRevisions', { serviceRevisionArns: chunk });
    for (const revision of objects(answer['serviceRevisions'])) {
      const name = revisions.get(text(revision['serviceRevisionArn'])) ?? text(revision['serviceArn']);
      for (const container of objects(revision['containerImages'])) uses.push(useOf('service', name, environment, container));
    }
  }
  return uses;
}

async function readTasks(account: Pick<AwsAccount, 'call' | 'listTexts'>, cluster: string): Promise<Use[]> {
  const environment = lastPart(cluster);
  const arns = await account.listTexts('ecs', 'ListTasks', { cluster, maxResults: 100 }, 'taskArns');
  const uses: Use[] = [];
  for (const chunk of inChunks(arns, TASKS)) {
    const { tasks } = await account.call('ecs', 'DescribeTasks', { cluster, tasks: chunk });
    for (const task of objects(tasks)) {
      const group = text(task['group']);
      const [kind, name]: [Use['kind'], string] = group.startsWith('service:')
        ? ['service', `${environment}/${group.slice('service:'.length)}`]
        : ['task', `${environment}/${lastPart(text(task['taskArn']))}`];
      for (const container of objects(task['containers'])) uses.push(useOf(kind, name, environment, container));
    }
  }
  return uses;
}

function useOf(kind: Use['kind'], name: string, environment: string, container: JsonObject): Use {
  const digest = text(container['imageDigest']);
  return { kind, name, environment, image: text(container['image']), ...(isDigest(digest) ? { digest } : {}) };
}

function* inChunks(items: string[], size: number): Generator<string[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

function lastPart(arn: string): string {
  return arn.slice(arn.lastIndexOf('/') + 1);
}
