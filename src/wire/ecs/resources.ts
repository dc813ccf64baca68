import type { Place } from '../../core/place.ts';

/** ARNs that IAM asks for, made of what a request names: a name, or an ARN that is taken as it is (service authorization reference). */

export function arnsOf(names: string[]): string[];
export function arnsOf<T>(names: T[], toArn: (name: T) => string): string[];
export function arnsOf<T>(names: T[], toArn: (name: T) => string = String): string[] {
  return [...new Set(names.map(toArn))];
}

export function arnOfCluster(place: Place, cluster = 'default'): string {
  return arn(place, 'cluster', cluster);
}

/** Every revision, for a family alone. */
export function arnOfTaskDefinition(place: Place, name: string): string {
  return arn(place, 'task-definition', name.startsWith('arn:') || name.includes(':') ? name : `${name}:*`);
}

export function arnOfTask(place: Place, cluster: string | undefined, task: string): string {
  return arnIn(place, 'task', cluster, task);
}

export function arnOfService(place: Place, cluster: string | undefined, service: string): string {
  return arnIn(place, 'service', cluster, service);
}

export function arnOfTaskSet(place: Place, cluster: string | undefined, service: string, taskSet: string): string {
  return taskSet.startsWith('arn:') ? taskSet : arnIn(place, 'task-set', cluster, `${lastOf(service)}/${taskSet}`);
}

export function arnOfHost(place: Place, cluster: string | undefined, host: string): string {
  return arnIn(place, 'container-instance', cluster, host);
}

export function arnOfCapacityProvider(place: Place, name: string): string {
  return arn(place, 'capacity-provider', name);
}

/** An ARN of the short format names no cluster: it stands for what the request's cluster has of that name. */
function arnIn(place: Place, type: string, cluster: string | undefined, name: string): string {
  const own = arn(place, type, '');
  const short = name.startsWith(own) ? name.slice(own.length) : undefined;
  if (name.startsWith('arn:') && (short === undefined || short.includes('/'))) return name;
  return `${own}${lastOf(cluster ?? 'default')}/${short ?? name}`;
}

function arn({ region, account }: Place, type: string, name: string): string {
  return name.startsWith('arn:') ? name : `arn:aws:ecs:${region}:${account}:${type}/${name}`;
}

function lastOf(nameOrArn: string): string {
  return nameOrArn.startsWith('arn:') ? nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1) : nameOrArn;
}
