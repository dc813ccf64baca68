import { operation } from './operation.ts';
import { arnOfCapacityProvider, arnsOf } from './resources.ts';
import { list, PRESENCE, TEXT, WHOLE } from './shapes/basic.ts';
import { AUTO_SCALING_GROUP_PROVIDER, AUTO_SCALING_GROUP_PROVIDER_UPDATE } from './shapes/capacity-provider.ts';
import { CAPACITY_PROVIDER_FIELD } from './shapes/enums.ts';
import { TAG } from './shapes/tag.ts';

export const capacityProviderOperations = {
  CreateCapacityProvider: operation(
    'CreateCapacityProvider',
    {
      name: { ...TEXT, required: true },
      cluster: TEXT,
      autoScalingGroupProvider: AUTO_SCALING_GROUP_PROVIDER,
      managedInstancesProvider: PRESENCE,
      tags: list(TAG),
    },
    (input, place) => [arnOfCapacityProvider(place, input.name)],
  ),
  DescribeCapacityProviders: operation(
    'DescribeCapacityProviders',
    {
      capacityProviders: list(TEXT),
      cluster: TEXT,
      include: list(CAPACITY_PROVIDER_FIELD),
      maxResults: WHOLE,
      nextToken: TEXT,
    },
    (input, place) => arnsOf(input.capacityProviders ?? [], (name) => arnOfCapacityProvider(place, name)),
  ),
  UpdateCapacityProvider: operation(
    'UpdateCapacityProvider',
    {
      name: { ...TEXT, required: true },
      cluster: TEXT,
      autoScalingGroupProvider: AUTO_SCALING_GROUP_PROVIDER_UPDATE,
      managedInstancesProvider: PRESENCE,
    },
    (input, place) => [arnOfCapacityProvider(place, input.name)],
  ),
  DeleteCapacityProvider: operation(
    'DeleteCapacityProvider',
    {
      capacityProvider: { ...TEXT, required: true },
      cluster: TEXT,
    },
    (input, place) => [arnOfCapacityProvider(place, input.capacityProvider)],
  ),
};
