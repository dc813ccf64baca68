import type { OrchestratorContext } from './context.ts';
import type { ServiceDeploymentOperations } from './service-deployments.ts';
import type { ServiceDirectory } from './service-directory.ts';
import type { RollBack } from './service-rollback.ts';
import type { ServiceOperations as OperationsOnServices } from './services.ts';
import type { TaskSetOperations } from './task-sets.ts';
import type { Tasks } from './tasks.ts';

export type ServiceOperations = OperationsOnServices & ServiceDeploymentOperations & TaskSetOperations;

/** Services with their deployments: the part of the room that starts and stops tasks by itself. */
export interface ServicePart {
  operations: ServiceOperations;
  directory: ServiceDirectory;
  rollBack: RollBack;
  /** After `tasks.start`: looks at every service once. */
  start(): Promise<void>;
  /** Resolves when there is nothing to do but to wait. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** Listens to `tasks` from the beginning. */
export type CreateServicePart = (context: OrchestratorContext, tasks: Tasks) => ServicePart;
