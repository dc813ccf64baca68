import { operation } from './operation.ts';
import { arnOfService, arnsOf } from './resources.ts';
import { FLAG, list, PRESENCE, TEXT, WHOLE } from './shapes/basic.ts';
import { CAPACITY_PROVIDER_STRATEGY_ITEM } from './shapes/cluster.ts';
import { DEPLOYMENT_CONFIGURATION, DEPLOYMENT_CONTROLLER } from './shapes/deployment.ts';
import {
  AVAILABILITY_ZONE_REBALANCING,
  LAUNCH_TYPE,
  PROPAGATE_TAGS,
  RESOURCE_MANAGEMENT_TYPE,
  SCHEDULING_STRATEGY,
  SERVICE_FIELD,
} from './shapes/enums.ts';
import { SERVICE_CONNECT_CONFIGURATION } from './shapes/service-connect.ts';
import { LOAD_BALANCER, MONITORING_CONFIGURATION, SERVICE_REGISTRY, VPC_LATTICE_CONFIGURATION } from './shapes/service.ts';
import { TAG } from './shapes/tag.ts';
import { NETWORK_CONFIGURATION, PLACEMENT_CONSTRAINT, PLACEMENT_STRATEGY } from './shapes/task.ts';
import { SERVICE_VOLUME_CONFIGURATION } from './shapes/volume.ts';

export const serviceOperations = {
  CreateService: operation(
    'CreateService',
    {
      serviceName: { ...TEXT, required: true },
      cluster: TEXT,
      taskDefinition: TEXT,
      availabilityZoneRebalancing: AVAILABILITY_ZONE_REBALANCING,
      loadBalancers: list(LOAD_BALANCER),
      serviceRegistries: list(SERVICE_REGISTRY),
      desiredCount: WHOLE,
      clientToken: TEXT,
      launchType: LAUNCH_TYPE,
      capacityProviderStrategy: list(CAPACITY_PROVIDER_STRATEGY_ITEM),
      platformVersion: TEXT,
      role: TEXT,
      deploymentConfiguration: DEPLOYMENT_CONFIGURATION,
      placementConstraints: list(PLACEMENT_CONSTRAINT),
      placementStrategy: list(PLACEMENT_STRATEGY),
      networkConfiguration: NETWORK_CONFIGURATION,
      healthCheckGracePeriodSeconds: WHOLE,
      schedulingStrategy: SCHEDULING_STRATEGY,
      deploymentController: DEPLOYMENT_CONTROLLER,
      tags: list(TAG),
      enableECSManagedTags: FLAG,
      propagateTags: PROPAGATE_TAGS,
      enableExecuteCommand: FLAG,
      serviceConnectConfiguration: SERVICE_CONNECT_CONFIGURATION,
      volumeConfigurations: list(SERVICE_VOLUME_CONFIGURATION),
      vpcLatticeConfigurations: list(VPC_LATTICE_CONFIGURATION),
      gatewayConnectors: list(PRESENCE),
      monitoring: MONITORING_CONFIGURATION,
    },
    (input, place) => [arnOfService(place, input.cluster, input.serviceName)],
  ),
  UpdateService: operation(
    'UpdateService',
    {
      service: { ...TEXT, required: true },
      cluster: TEXT,
      desiredCount: WHOLE,
      taskDefinition: TEXT,
      capacityProviderStrategy: list(CAPACITY_PROVIDER_STRATEGY_ITEM),
      deploymentConfiguration: DEPLOYMENT_CONFIGURATION,
      availabilityZoneRebalancing: AVAILABILITY_ZONE_REBALANCING,
      networkConfiguration: NETWORK_CONFIGURATION,
      placementConstraints: list(PLACEMENT_CONSTRAINT),
      placementStrategy: list(PLACEMENT_STRATEGY),
      platformVersion: TEXT,
      forceNewDeployment: FLAG,
      healthCheckGracePeriodSeconds: WHOLE,
      deploymentController: DEPLOYMENT_CONTROLLER,
      enableExecuteCommand: FLAG,
      enableECSManagedTags: FLAG,
      loadBalancers: list(LOAD_BALANCER),
      propagateTags: PROPAGATE_TAGS,
      serviceRegistries: list(SERVICE_REGISTRY),
      serviceConnectConfiguration: SERVICE_CONNECT_CONFIGURATION,
      volumeConfigurations: list(SERVICE_VOLUME_CONFIGURATION),
      vpcLatticeConfigurations: list(VPC_LATTICE_CONFIGURATION),
      gatewayConnectors: list(PRESENCE),
      monitoring: MONITORING_CONFIGURATION,
    },
    (input, place) => [arnOfService(place, input.cluster, input.service)],
  ),
  DeleteService: operation(
    'DeleteService',
    {
      service: { ...TEXT, required: true },
      cluster: TEXT,
      force: FLAG,
    },
    (input, place) => [arnOfService(place, input.cluster, input.service)],
  ),
  DescribeServices: operation(
    'DescribeServices',
    {
      services: { ...list(TEXT), required: true },
      cluster: TEXT,
      include: list(SERVICE_FIELD),
    },
    (input, place) => arnsOf(input.services, (service) => arnOfService(place, input.cluster, service)),
  ),
  ListServices: operation('ListServices', {
    cluster: TEXT,
    nextToken: TEXT,
    maxResults: WHOLE,
    launchType: LAUNCH_TYPE,
    schedulingStrategy: SCHEDULING_STRATEGY,
    resourceManagementType: RESOURCE_MANAGEMENT_TYPE,
  }),
  ListServicesByNamespace: operation('ListServicesByNamespace', {
    namespace: { ...TEXT, required: true },
    nextToken: TEXT,
    maxResults: WHOLE,
  }),
};
