import { createReconciler } from './reconcile.ts';
import { createServiceDeployments } from './service-deployments.ts';
import { createServiceDirectory } from './service-lookups.ts';
import type { CreateServicePart } from './service-part.ts';
import { createRollBack } from './service-rollback.ts';
import { createServices } from './services.ts';
import { createTaskSets } from './task-sets.ts';

/** Services, deployments, task sets, and the loop that keeps them as they are wanted. */
export const createServicePart: CreateServicePart = (context, tasks) => {
  const reconciler = createReconciler(context, tasks);
  return {
    operations: {
      ...createServices(context, reconciler),
      ...createServiceDeployments(context, reconciler),
      ...createTaskSets(context, reconciler),
    },
    directory: createServiceDirectory(context, reconciler),
    rollBack: createRollBack(context, reconciler),
    start: reconciler.start,
    settled: reconciler.settled,
    close: reconciler.close,
  };
};
