import { createAccountSettings } from './account-settings.ts';
import { createAttributes } from './attributes.ts';
import { createCapacityProviders } from './capacity-providers.ts';
import { createCollectUnpacked } from './collect-unpacked.ts';
import { createClusters } from './clusters.ts';
import { createContainerInstances } from './container-instances.ts';
import { defaultOrchestratorSettings, type OrchestratorContext, type OrchestratorSettings } from './context.ts';
import type { Orchestrator } from './orchestrator.ts';
import type { CreateServicePart } from './service-part.ts';
import { createTagOperations } from './tag-operations.ts';
import { createReadTaskLogs } from './task-logs.ts';
import { createTaskDefinitions } from './task-definitions.ts';
import { createTaskOperations } from './task-operations.ts';
import { createTaskProtection } from './task-protection.ts';
import { createTasks } from './tasks.ts';

export interface OrchestratorDependencies extends Omit<OrchestratorContext, 'settings'> {
  /** What is left out is as in `defaultOrchestratorSettings`. */
  settings?: Partial<OrchestratorSettings>;
}

/** Builds the room out of what it needs of the world. `meta` has run the migrations of this room and of the registry's. */
export function createOrchestrator(dependencies: OrchestratorDependencies, createServicePart: CreateServicePart): Orchestrator {
  const context: OrchestratorContext = {
    ...dependencies,
    settings: { ...defaultOrchestratorSettings, ...dependencies.settings },
  };
  const tasks = createTasks(context);
  const services = createServicePart(context, tasks);
  const { directory } = services;
  return {
    operations: {
      ...createClusters(context, directory),
      ...createTaskDefinitions(context, directory),
      ...createTaskOperations(context, tasks, directory),
      ...createTaskProtection(context, tasks),
      ...createContainerInstances(context, directory),
      ...createAttributes(context),
      ...createCapacityProviders(context),
      ...createTagOperations(context, directory),
      ...createAccountSettings(context),
      ...services.operations,
    },
    tasks,
    runtime: context.runtime,
    rollBack: services.rollBack,
    readLogs: createReadTaskLogs(context),
    collectUnpacked: createCollectUnpacked(context),
    async start() {
      await tasks.start();
      await services.start();
    },
    async settled() {
      await tasks.settled();
      await services.settled();
    },
    async close() {
      await services.close();
      await tasks.close();
    },
  };
}
