import type {
  ListTagsForResourceRequest,
  ListTagsForResourceResponse,
  TagResourceRequest,
  TagResourceResponse,
  UntagResourceRequest,
  UntagResourceResponse,
} from '@aws-sdk/client-ecs';
import type { Kysely } from 'kysely';
import type { Place } from '../core/place.ts';
import { readEcsArn } from './arn.ts';
import { findProvider } from './capacity-providers.ts';
import { findCluster } from './cluster-rows.ts';
import type { OrchestratorContext, OrchestratorTables } from './context.ts';
import { clusterNotFound, ecsFault, invalidParameter } from './ecs-faults.ts';
import { findTasks } from './find-tasks.ts';
import type { Operation } from './model.ts';
import { putTags, readTags, tagsOf, writeTags } from './resource-tags.ts';
import type { ServiceDirectory } from './service-directory.ts';
import { findTaskDefinition } from './task-definition-rows.ts';

export interface TagOperations {
  TagResource: Operation<TagResourceRequest, TagResourceResponse>;
  UntagResource: Operation<UntagResourceRequest, UntagResourceResponse>;
  ListTagsForResource: Operation<ListTagsForResourceRequest, ListTagsForResourceResponse>;
}

const MOST_TAGS = 50;
/** Of the path of an ARN, where it has more than the name. */
const MOST_PARTS: Readonly<Record<string, number>> = { 'task': 2, 'container-instance': 2, 'service': 2, 'task-set': 4 };

/** Tags of everything that can have some: clusters, services, task sets, task definitions, tasks, hosts, capacity providers. */
export function createTagOperations(context: OrchestratorContext, services: ServiceDirectory): TagOperations {
  const { meta, runtime } = context;

  /** Raises `ecs` when nothing has this ARN that could have tags. */
  async function check(place: Place, text: string, code: string): Promise<void> {
    const arn = readEcsArn(text);
    if (arn === undefined) throw invalidParameter('The ARN provided is invalid.');
    const isHere = arn.account === place.account && arn.region === place.region;
    if (!isHere || !(await isThere(meta.read, place, text, arn)))
      throw ecsFault(code, `The specified ${arn.type.replaceAll('-', ' ')} was not found.`);
  }

  async function isThere(
    database: Kysely<OrchestratorTables>,
    place: Place,
    text: string,
    { type, path }: { type: string; path: string[] },
  ): Promise<boolean> {
    const [first = '', second] = path;
    if (path.length > (MOST_PARTS[type] ?? 1)) return false;
    const cluster = async () => {
      const found = await findCluster(database, place, first);
      if (found === undefined) throw clusterNotFound();
      if (found.status !== 'ACTIVE')
        throw invalidParameter('The specified cluster is inactive. Specify an active cluster and try again.');
      return found;
    };
    switch (type) {
      case 'cluster':
        return (await cluster()) !== undefined;
      case 'task-definition':
        return second === undefined && first.includes(':') && (await findTaskDefinition(database, place, first)) !== undefined;
      case 'task':
        return second !== undefined && (await findTasks(database, await cluster(), [second])).found.length > 0;
      case 'container-instance':
        await cluster();
        return (await runtime.hosts()).some(({ id }) => id === second);
      case 'capacity-provider':
        return first === 'FARGATE' || first === 'FARGATE_SPOT' || (await findProvider(database, place, first)) !== undefined;
      case 'service':
      case 'task-set':
        return services.hasTaggable(place, text);
      default:
        throw invalidParameter('The ARN provided is invalid.');
    }
  }

  return {
    async TagResource(caller, { resourceArn, tags }) {
      const given = readTags(tags);
      await check(caller, resourceArn, 'ResourceNotFoundException');
      await meta.transact(async (transaction) => {
        const before = (await tagsOf(transaction, [resourceArn])).get(resourceArn);
        if (Object.keys({ ...before, ...given }).length > MOST_TAGS)
          throw invalidParameter(`A resource has at most ${MOST_TAGS} tags.`);
        await putTags(transaction, resourceArn, given);
      });
      return {};
    },

    async UntagResource(caller, { resourceArn, tagKeys }) {
      await check(caller, resourceArn, 'ResourceNotFoundException');
      if (tagKeys.some((key) => /^aws:/i.test(key)))
        throw invalidParameter("Tags whose key begins with 'aws:' cannot be removed.");
      if (tagKeys.length === 0) return {};
      await meta.transact((transaction) =>
        transaction.deleteFrom('resource_tag').where('arn', '=', resourceArn).where('key', 'in', tagKeys).execute(),
      );
      return {};
    },

    async ListTagsForResource(caller, { resourceArn }) {
      await check(caller, resourceArn, 'InvalidParameterException');
      return { tags: writeTags((await tagsOf(meta.read, [resourceArn])).get(resourceArn)) };
    },
  };
}
