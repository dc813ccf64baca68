import type { ContainerSpec, TaskSpec } from '../ports.ts';
import type { ContainerState, TaskState } from './task-state.ts';

export type Dependency = ContainerSpec['dependsOn'][number];

/** What a container waits for before it starts: `dependsOn`, and those that it links to, which must run. */
export function dependenciesOf(container: ContainerSpec): Dependency[] {
  const linked = container.links.map((link): Dependency => ({ containerName: linkedName(link), condition: 'START' }));
  return [...container.dependsOn, ...linked];
}

/** Those whose containers must be there before this one can be made: it has their volumes, or their address by a name. */
export function sourcesOf({ volumesFrom, links }: ContainerSpec): string[] {
  return [...volumesFrom.map(({ sourceContainer }) => sourceContainer), ...links.map(linkedName)];
}

function linkedName(link: string): string {
  return link.split(':')[0] ?? link;
}

/** Those that wait for `name`, and so stop before it. */
export function dependentsOf(spec: TaskSpec, name: string): ContainerSpec[] {
  return spec.containers.filter((other) => dependenciesOf(other).some(({ containerName }) => containerName === name));
}

/** `undefined`: not yet; a text: never, and why. */
export function dependencyMet({ containerName, condition }: Dependency, state: TaskState): true | undefined | string {
  const target = state.containers.find(({ name }) => name === containerName);
  if (target === undefined) return 'the task has no such container';
  const hasRun = target.runs > 0;
  const isOver = target.phase === 'stopped';
  if (isOver && !hasRun) return 'it has not started';
  switch (condition) {
    case 'START':
      return hasRun ? true : undefined;
    case 'COMPLETE':
      return isOver ? true : undefined;
    case 'SUCCESS':
      if (!isOver) return undefined;
      return target.exitCode === 0 ? true : `it ${exitWords(target)}`;
    case 'HEALTHY':
      if (target.health.status === 'HEALTHY' && !isOver) return true;
      return isOver ? `it ${exitWords(target)}` : undefined;
  }
}

function exitWords({ exitCode }: ContainerState): string {
  return exitCode === undefined ? 'has stopped' : `exited with code ${exitCode}`;
}

/** One of the containers that wait for each other in a circle, if there is one. */
export function findCycle(spec: TaskSpec): string | undefined {
  const done = new Set<string>();
  const edges = new Map(
    spec.containers.map((one) => [
      one.name,
      [...dependenciesOf(one).map(({ containerName }) => containerName), ...sourcesOf(one)],
    ]),
  );
  const leadsBack = (name: string, path: Set<string>): boolean => {
    if (path.has(name)) return true;
    if (done.has(name)) return false;
    path.add(name);
    const found = (edges.get(name) ?? []).some((next) => leadsBack(next, path));
    path.delete(name);
    done.add(name);
    return found;
  };
  return spec.containers.find(({ name }) => leadsBack(name, new Set()))?.name;
}
