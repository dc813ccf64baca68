import { describeCauses } from '../core/logger.ts';
import { readEcsArn } from './arn.ts';
import { clusterById, findCluster } from './cluster-rows.ts';
import type { OrchestratorContext } from './context.ts';
import type { Reconciler } from './reconcile.ts';
import type { ServiceDirectory } from './service-directory.ts';
import { findService } from './service-rows.ts';
import { findTaskDefinition } from './task-definition-rows.ts';

/** What the rest of the room asks about services, answered from their tables. */
export function createServiceDirectory(
  { meta, log }: Pick<OrchestratorContext, 'meta' | 'log'>,
  reconciler: Pick<Reconciler, 'touchCluster'>,
): ServiceDirectory {
  return {
    async count(clusterId) {
      const rows = await meta.read
        .selectFrom('service')
        .select(({ fn }) => ['status', 'launch_type', fn.countAll<number>().as('count')])
        .where('cluster_id', '=', clusterId)
        .where('status', 'in', ['ACTIVE', 'DRAINING'])
        .groupBy(['status', 'launch_type'])
        .execute();
      return rows.map(({ status, launch_type, count }) => ({
        status: status as 'ACTIVE' | 'DRAINING',
        launchType: launch_type as 'EC2' | 'FARGATE' | 'EXTERNAL',
        count: Number(count),
      }));
    },

    async find(_place, clusterId, nameOrArn) {
      const service = await findService(meta.read, await clusterById(meta.read, clusterId), nameOrArn);
      return service === undefined ? undefined : { id: service.id, name: service.name, status: service.status };
    },

    async needsTaskDefinition(arn) {
      const place = readEcsArn(arn);
      const definition = place === undefined ? undefined : await findTaskDefinition(meta.read, place, arn);
      if (definition === undefined) return false;
      const row = await meta.read
        .selectFrom('service_revision')
        .innerJoin('service', 'service.id', 'service_revision.service_id')
        .select('service_revision.id')
        .where('service_revision.task_definition_id', '=', definition.id)
        .where('service.status', '!=', 'INACTIVE')
        .where(({ or, eb }) =>
          or([eb('service_revision.role', '!=', 'GONE'), eb('service_revision.completed_at', 'is not', null)]),
        )
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    },

    async hasTaggable(place, arn) {
      const read = readEcsArn(arn);
      const [clusterName = '', name = '', ...rest] = read?.path ?? [];
      if (read === undefined || (read.type !== 'service' && read.type !== 'task-set')) return false;
      const cluster = await findCluster(meta.read, place, clusterName);
      const service = cluster === undefined ? undefined : await findService(meta.read, cluster, name);
      if (service === undefined || service.status === 'INACTIVE') return false;
      if (read.type === 'service') return rest.length === 0;
      const row = await meta.read
        .selectFrom('task_set')
        .select('id')
        .where('service_id', '=', service.id)
        .where('id', '=', rest.length === 2 && rest[0] === 'ecs-svc' ? (rest[1] ?? '') : '')
        .executeTakeFirst();
      return row !== undefined;
    },

    hostsChanged(clusterId) {
      reconciler.touchCluster(clusterId).catch((error: unknown) => {
        log.error('the services of a cluster could not be looked at', { cluster: clusterId, error: describeCauses(error) });
      });
    },
  };
}
