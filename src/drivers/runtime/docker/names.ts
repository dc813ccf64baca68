import type { ContainerKey } from '../../../orchestrator/container-engine.ts';
import type { ContainerSpec, TaskSpec } from '../../../orchestrator/ports.ts';

/** Labels by which a later life of the server finds what this one made. */
export const LABELS = { installation: 'holdfast.installation', task: 'holdfast.task', container: 'holdfast.container' };

export function containerName({ taskId, name }: ContainerKey): string {
  return `holdfast-${taskId}-${name}`;
}

/** Of the container that does nothing but hold what the containers of a task share. */
export function pauseName(taskId: string): string {
  return `holdfast-${taskId}`;
}

export function volumeName(taskId: string, volume: string): string {
  return `holdfast-${taskId}-${volume}`;
}

/** The engine knows an installation's own things by their labels. */
export function ownLabels(installation: string, taskId: string, container?: string): Record<string, string> {
  return {
    [LABELS.installation]: installation,
    [LABELS.task]: taskId,
    ...(container === undefined ? {} : { [LABELS.container]: container }),
  };
}

/** The labels that ECS's agent gives to every container. */
export function ecsLabels(task: TaskSpec, { name }: ContainerSpec): Record<string, string> {
  return {
    'com.amazonaws.ecs.cluster': task.clusterName,
    'com.amazonaws.ecs.container-name': name,
    'com.amazonaws.ecs.task-arn': task.arn,
    'com.amazonaws.ecs.task-definition-family': task.family,
    'com.amazonaws.ecs.task-definition-version': String(task.revision),
  };
}
