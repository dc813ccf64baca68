import { operation } from './operation.ts';
import { arnOfCluster, arnsOf } from './resources.ts';
import { list, TEXT, WHOLE } from './shapes/basic.ts';
import {
  CAPACITY_PROVIDER_STRATEGY_ITEM,
  CLUSTER_CONFIGURATION,
  CLUSTER_SERVICE_CONNECT_DEFAULTS_REQUEST,
  CLUSTER_SETTING,
} from './shapes/cluster.ts';
import { CLUSTER_FIELD } from './shapes/enums.ts';
import { TAG } from './shapes/tag.ts';

export const clusterOperations = {
  CreateCluster: operation(
    'CreateCluster',
    {
      clusterName: TEXT,
      tags: list(TAG),
      settings: list(CLUSTER_SETTING),
      configuration: CLUSTER_CONFIGURATION,
      capacityProviders: list(TEXT),
      defaultCapacityProviderStrategy: list(CAPACITY_PROVIDER_STRATEGY_ITEM),
      serviceConnectDefaults: CLUSTER_SERVICE_CONNECT_DEFAULTS_REQUEST,
    },
    (input, place) => [arnOfCluster(place, input.clusterName)],
  ),
  DescribeClusters: operation(
    'DescribeClusters',
    {
      clusters: list(TEXT),
      include: list(CLUSTER_FIELD),
    },
    (input, place) => arnsOf(input.clusters ?? ['default'], (name) => arnOfCluster(place, name)),
  ),
  ListClusters: operation('ListClusters', {
    nextToken: TEXT,
    maxResults: WHOLE,
  }),
  UpdateCluster: operation(
    'UpdateCluster',
    {
      cluster: { ...TEXT, required: true },
      settings: list(CLUSTER_SETTING),
      configuration: CLUSTER_CONFIGURATION,
      serviceConnectDefaults: CLUSTER_SERVICE_CONNECT_DEFAULTS_REQUEST,
    },
    (input, place) => [arnOfCluster(place, input.cluster)],
  ),
  UpdateClusterSettings: operation(
    'UpdateClusterSettings',
    {
      cluster: { ...TEXT, required: true },
      settings: { ...list(CLUSTER_SETTING), required: true },
    },
    (input, place) => [arnOfCluster(place, input.cluster)],
  ),
  PutClusterCapacityProviders: operation(
    'PutClusterCapacityProviders',
    {
      cluster: { ...TEXT, required: true },
      capacityProviders: { ...list(TEXT), required: true },
      defaultCapacityProviderStrategy: { ...list(CAPACITY_PROVIDER_STRATEGY_ITEM), required: true },
    },
    (input, place) => [arnOfCluster(place, input.cluster)],
  ),
  DeleteCluster: operation(
    'DeleteCluster',
    {
      cluster: { ...TEXT, required: true },
    },
    (input, place) => [arnOfCluster(place, input.cluster)],
  ),
};
