import type { Place } from '../core/place.ts';

/** `arn:aws:ecs:<region>:<account>:<resource>`; `resource` such as `task/<cluster>/<id>`. */
export function ecsArn(place: Place, resource: string): string {
  return `arn:aws:ecs:${place.region}:${place.account}:${resource}`;
}

export interface EcsArn extends Place {
  /** `cluster`, `task`, `service`, … */
  type: string;
  /** What stands behind the type's slash, split by slashes. */
  path: string[];
}

const ARN = /^arn:aws:ecs:([a-z0-9-]{1,40}):([0-9]{12}):([a-z-]{1,40})\/(.{1,1000})$/;

/** The parts of an ECS ARN, or undefined for any other text. */
export function readEcsArn(text: string): EcsArn | undefined {
  const [, region = '', account = '', type = '', path = ''] = ARN.exec(text) ?? [];
  return type === '' ? undefined : { account, region, type, path: path.split('/') };
}

/**
 * The name of a resource, out of its name or ARN. Undefined for an ARN of anything else. What rights were asked for is the
 * ARN as it was given, so that one with more in it than the name must not stand for the resource.
 */
export function nameOf(place: Place, type: string, nameOrArn: string): string | undefined {
  if (!nameOrArn.startsWith('arn:')) return nameOrArn;
  const path = pathOf(place, type, nameOrArn);
  return path?.length === 1 ? path[0] : undefined;
}

/** The same of what belongs to a cluster: an ARN has to be of this one, or of the short format, which has no cluster. */
export function nameIn(cluster: Place & { name: string }, type: string, nameOrArn: string): string | undefined {
  if (!nameOrArn.startsWith('arn:')) return nameOrArn;
  const path = pathOf(cluster, type, nameOrArn) ?? [];
  if (path.length === 1) return path[0];
  return path.length === 2 && path[0] === cluster.name ? path[1] : undefined;
}

function pathOf(place: Place, type: string, text: string): string[] | undefined {
  const arn = readEcsArn(text);
  return arn?.type === type && arn.account === place.account && arn.region === place.region ? arn.path : undefined;
}

export function clusterArn(place: Place, name: string): string {
  return ecsArn(place, `cluster/${name}`);
}

export function taskArn(place: Place, cluster: string, id: string): string {
  return ecsArn(place, `task/${cluster}/${id}`);
}

export function taskDefinitionArn(place: Place, family: string, revision: number): string {
  return ecsArn(place, `task-definition/${family}:${revision}`);
}

export function containerInstanceArn(place: Place, cluster: string, hostId: string): string {
  return ecsArn(place, `container-instance/${cluster}/${hostId}`);
}

export function containerArn(place: Place, cluster: string, taskId: string, uuid: string): string {
  return ecsArn(place, `container/${cluster}/${taskId}/${uuid}`);
}
