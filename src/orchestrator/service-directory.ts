import type { LaunchType } from '@aws-sdk/client-ecs';
import type { Place } from '../core/place.ts';

/** What the rest of the room asks about services. */
export interface ServiceDirectory {
  /** Services of a cluster that are not INACTIVE, counted. */
  count(clusterId: number): Promise<{ status: 'ACTIVE' | 'DRAINING'; launchType: LaunchType; count: number }[]>;
  /** A service of the cluster by name or ARN, whatever its status, the newest of the name. */
  find(place: Place, clusterId: number, nameOrArn: string): Promise<{ id: number; name: string; status: string } | undefined>;
  /** Services of the place, or revisions of theirs, that still need a task definition. */
  needsTaskDefinition(arn: string): Promise<boolean>;
  /** A resource of services that can have tags (a service, a task set): is it there? */
  hasTaggable(place: Place, arn: string): Promise<boolean>;
  /** A host of the cluster takes tasks from now on, or takes none: its services may have to move. */
  hostsChanged(clusterId: number): void;
}
