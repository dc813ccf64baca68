import type { OrchestratorContext, OrchestratorTransaction } from './context.ts';
import type { Step } from './plan/types.ts';
import type { RuntimeHost } from './ports.ts';
import type { Conditions, RevisionRecord } from './service-rows.ts';
import type { ServiceView } from './service-view.ts';
import type { TaskRow } from './task-rows.ts';
import type { LaunchedOf, Tasks } from './tasks.ts';

/** What is done once the transaction has been committed. */
export interface Effects {
  launch: { row: TaskRow; of: LaunchedOf }[];
  /** True when there may be more to plan at once. */
  again: boolean;
  /** Milliseconds until what found no host is to be placed again. */
  wakeIn?: number;
}

/** What the steps work on. */
export interface Work {
  transaction: OrchestratorTransaction;
  context: OrchestratorContext;
  tasks: Tasks;
  view: ServiceView;
  hosts: RuntimeHost[];
  effects: Effects;
  conditions: Conditions;
}

export type StepOf<K extends Step['kind']> = Extract<Step, { kind: K }>;

export function revisionOf({ view }: Work, id: string): RevisionRecord {
  const found = view.revisions.find((revision) => revision.id === id);
  if (found === undefined) throw new Error(`Service ${view.service.arn} has no live revision ${id}`);
  return found;
}

/** Something moves: the states that it ends will be told anew. */
export function unsettled({ impaired }: Conditions): Conditions {
  return impaired === undefined ? {} : { impaired };
}
