import type { TaskSpec } from '../ports.ts';
import type { TaskState } from './task-state.ts';

/** The form of the text; another one is not read. */
const VERSION = 1;

export interface TaskRecord {
  spec: TaskSpec;
  state: TaskState;
}

/**
 * The record of a task. Credentials are kept only as long as something is still to be pulled with them, secrets until their container has
 * run: one that was removed by hand before that is made again.
 */
export function writeRecord({ spec, state }: TaskRecord): string {
  const containers = spec.containers.map((container) => {
    const own = state.containers.find(({ name }) => name === container.name);
    if (own === undefined || ['new', 'resolving', 'resolved', 'pulling'].includes(own.phase)) return container;
    const { secrets, ...rest } = container;
    const { credentials: _, ...image } = container.image;
    return { ...rest, image, ...(secrets === undefined || own.runs > 0 || own.phase === 'stopped' ? {} : { secrets }) };
  });
  return JSON.stringify({ version: VERSION, spec: { ...spec, containers }, state });
}

/** Reads what `writeRecord` wrote; an error says why a text is not that. */
export function readRecord(taskId: string, text: string): TaskRecord {
  const record = JSON.parse(text) as Partial<TaskRecord> & { version?: number };
  if (record.version !== VERSION) throw new Error(`the record of task ${taskId} has version ${record.version}, not ${VERSION}`);
  if (record.spec?.id !== taskId || record.state === undefined) throw new Error(`the record of task ${taskId} is not its own`);
  return { spec: record.spec, state: record.state };
}
