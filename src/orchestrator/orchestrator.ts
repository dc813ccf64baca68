import type { AccountSettingOperations } from './account-settings.ts';
import type { AttributeOperations } from './attributes.ts';
import type { CapacityProviderOperations } from './capacity-providers.ts';
import type { CollectUnpacked } from './collect-unpacked.ts';
import type { ClusterOperations } from './clusters.ts';
import type { ContainerInstanceOperations } from './container-instances.ts';
import type { TaskRuntime } from './ports.ts';
import type { ServiceOperations } from './service-part.ts';
import type { RollBack } from './service-rollback.ts';
import type { TagOperations } from './tag-operations.ts';
import type { ReadTaskLogs } from './task-logs.ts';
import type { TaskDefinitionOperations } from './task-definitions.ts';
import type { TaskOperations } from './task-operations.ts';
import type { TaskProtectionOperations } from './task-protection.ts';
import type { Tasks } from './tasks.ts';

/**
 * The orchestrator room: clusters, task definitions, services, tasks. Its operations are those of the ECS API, and take and
 * give the API's own structures (times as Date). Wires check who is asking before they call.
 */
export interface Orchestrator {
  readonly operations: OrchestratorOperations;
  readonly tasks: Tasks;
  readonly runtime: TaskRuntime;
  /** Deploys an earlier revision of a service again, with its old digests. */
  readonly rollBack: RollBack;
  readonly readLogs: ReadTaskLogs;
  readonly collectUnpacked: CollectUnpacked;
  /** Takes up what ran before the server went away, and every service's work. Call it once, when the server listens. */
  start(): Promise<void>;
  /** Resolves when every service and task waits for news from outside. */
  settled(): Promise<void>;
  /** Lets go; tasks run on. The database and the runtime stay open: they are the caller's. */
  close(): Promise<void>;
}

export type OrchestratorOperations = ClusterOperations &
  TaskDefinitionOperations &
  TaskOperations &
  TaskProtectionOperations &
  ContainerInstanceOperations &
  AttributeOperations &
  CapacityProviderOperations &
  TagOperations &
  AccountSettingOperations &
  ServiceOperations;
