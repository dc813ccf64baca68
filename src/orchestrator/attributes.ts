import type {
  Attribute,
  DeleteAttributesRequest,
  DeleteAttributesResponse,
  ListAttributesRequest,
  ListAttributesResponse,
  PutAttributesRequest,
  PutAttributesResponse,
} from '@aws-sdk/client-ecs';
import { containerInstanceArn, nameIn } from './arn.ts';
import { getCluster, type Cluster } from './cluster-rows.ts';
import type { OrchestratorContext } from './context.ts';
import { ecsFault, invalidParameter } from './ecs-faults.ts';
import type { Given, Operation } from './model.ts';
import { decodeToken, pageOf, readLimit } from './paging.ts';

export interface AttributeOperations {
  PutAttributes: Operation<PutAttributesRequest, PutAttributesResponse>;
  DeleteAttributes: Operation<DeleteAttributesRequest, DeleteAttributesResponse>;
  ListAttributes: Operation<ListAttributesRequest, ListAttributesResponse>;
}

const MOST = 10;

/** Custom attributes of container instances. */
export function createAttributes({ meta, runtime }: OrchestratorContext): AttributeOperations {
  async function readTargets(
    cluster: Cluster,
    attributes: Given<Attribute>[],
  ): Promise<{ hostId: string; name: string; value?: string }[]> {
    if (attributes.length < 1 || attributes.length > MOST)
      throw invalidParameter(`Attributes must have between 1 and ${MOST} items.`);
    const known = new Set((await runtime.hosts()).map(({ id }) => id));
    return attributes.map(({ name, value, targetType, targetId }) => {
      if (targetType !== undefined && targetType !== 'container-instance')
        throw invalidParameter('targetType must be container-instance');
      if (!/^[a-zA-Z0-9_./\\-]{1,128}$/.test(name))
        throw invalidParameter('The name of an attribute has 1 to 128 letters, digits and _ . / \\ -');
      if (value !== undefined && !/^[a-zA-Z0-9_.@:/\\ -]{1,128}$/.test(value))
        throw invalidParameter('The value of an attribute has 1 to 128 letters, digits, spaces and _ . @ : / \\ -');
      if (!targetId) throw invalidParameter('targetId must be specified.');
      const hostId = nameIn(cluster, 'container-instance', targetId);
      if (hostId === undefined) throw invalidParameter('The ARN provided is invalid.');
      if (!known.has(hostId)) throw ecsFault('TargetNotFoundException', `Could not find ${targetId.slice(0, 300)}`);
      return { hostId, name, ...(value === undefined ? {} : { value }) };
    });
  }

  const describe = (cluster: Cluster, one: { hostId: string; name: string; value?: string }): Attribute => ({
    name: one.name,
    ...(one.value === undefined ? {} : { value: one.value }),
    targetId: containerInstanceArn(cluster, cluster.name, one.hostId),
    targetType: 'container-instance',
  });

  return {
    async PutAttributes(caller, { cluster: nameOrArn, attributes }) {
      const cluster = await getCluster(meta.read, caller, nameOrArn);
      const targets = await readTargets(cluster, attributes);
      await meta.transact(async (transaction) => {
        for (const { hostId, name, value = null } of targets) {
          await transaction
            .insertInto('attribute')
            .values({ cluster_id: cluster.id, host_id: hostId, name, value })
            .onConflict((conflict) => conflict.columns(['cluster_id', 'host_id', 'name']).doUpdateSet({ value }))
            .execute();
        }
        for (const hostId of new Set(targets.map((target) => target.hostId))) {
          const { count } = await transaction
            .selectFrom('attribute')
            .select(({ fn }) => fn.countAll<number>().as('count'))
            .where('cluster_id', '=', cluster.id)
            .where('host_id', '=', hostId)
            .executeTakeFirstOrThrow();
          if (Number(count) > MOST)
            throw ecsFault('AttributeLimitExceededException', `A resource can have at most ${MOST} custom attributes.`);
        }
      });
      return { attributes: targets.map((target) => describe(cluster, target)) };
    },

    async DeleteAttributes(caller, { cluster: nameOrArn, attributes }) {
      const cluster = await getCluster(meta.read, caller, nameOrArn);
      const targets = await readTargets(cluster, attributes);
      await meta.transact(async (transaction) => {
        for (const { hostId, name } of targets)
          await transaction
            .deleteFrom('attribute')
            .where('cluster_id', '=', cluster.id)
            .where('host_id', '=', hostId)
            .where('name', '=', name)
            .execute();
      });
      return { attributes: targets.map((target) => describe(cluster, target)) };
    },

    async ListAttributes(caller, { cluster: nameOrArn, targetType, attributeName, attributeValue, maxResults, nextToken }) {
      const cluster = await getCluster(meta.read, caller, nameOrArn);
      const limit = readLimit(maxResults);
      if (targetType !== 'container-instance') throw invalidParameter('targetType must be container-instance');
      const rows = await meta.read.selectFrom('attribute').selectAll().where('cluster_id', '=', cluster.id).execute();
      const all = [
        ...(await runtime.hosts()).flatMap(({ id, attributes }) =>
          Object.entries(attributes).map(([name, value]) => ({ hostId: id, name, value })),
        ),
        ...rows.map(({ host_id, name, value }) => ({ hostId: host_id, name, ...(value === null ? {} : { value }) })),
      ].sort((one, other) => (key(one) < key(other) ? -1 : 1));
      const scope = `attributes ${JSON.stringify([cluster.id, attributeName, attributeValue])}`;
      const after = nextToken === undefined ? '' : decodeToken(scope, nextToken, [''])[0];
      const chosen = all.filter(
        (one) =>
          (attributeName === undefined || one.name === attributeName) &&
          (attributeValue === undefined || one.value === attributeValue) &&
          key(one) > after,
      );
      const page = pageOf(scope, chosen, limit, (one) => [key(one)]);
      return {
        attributes: page.rows.map((one) => describe(cluster, one)),
        ...(page.nextToken === undefined ? {} : { nextToken: page.nextToken }),
      };
    },
  };
}

function key({ hostId, name }: { hostId: string; name: string }): string {
  return `${hostId} ${name}`;
}
