import type { OrchestratorTransaction } from './context.ts';
import { ecsFault } from './ecs-faults.ts';
import type { ServiceDocument } from './service-rows.ts';
import type { TaskDocument } from './task-rows.ts';

/** Raises `ecs` when a service or a task of the cluster still uses one of the capacity providers. */
export async function checkProvidersUnused(
  transaction: OrchestratorTransaction,
  clusterId: number,
  providers: string[],
): Promise<void> {
  const services = await transaction
    .selectFrom('service')
    .select('document')
    .where('cluster_id', '=', clusterId)
    .where('status', '!=', 'INACTIVE')
    .execute();
  const tasks = await transaction
    .selectFrom('task')
    .select('document')
    .where('cluster_id', '=', clusterId)
    .where('last_status', '!=', 'STOPPED')
    .execute();
  const used = [
    ...services.flatMap(({ document }) =>
      ((JSON.parse(document) as ServiceDocument).capacityProviderStrategy ?? []).map((item) => item.capacityProvider),
    ),
    ...tasks.map(({ document }) => (JSON.parse(document) as TaskDocument).capacityProviderName),
  ];
  if (used.some((name) => name !== undefined && providers.includes(name)))
    throw ecsFault('ResourceInUseException', 'The specified capacity provider is in use and cannot be removed.');
}
