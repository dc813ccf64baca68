import { operation } from './operation.ts';
import { arnOfService, arnOfTaskSet, arnsOf } from './resources.ts';
import { FLAG, list, TEXT } from './shapes/basic.ts';
import { CAPACITY_PROVIDER_STRATEGY_ITEM } from './shapes/cluster.ts';
import { LAUNCH_TYPE, TASK_SET_FIELD } from './shapes/enums.ts';
import { LOAD_BALANCER, SERVICE_REGISTRY } from './shapes/service.ts';
import { TAG } from './shapes/tag.ts';
import { NETWORK_CONFIGURATION, SCALE } from './shapes/task.ts';

export const taskSetOperations = {
  CreateTaskSet: operation(
    'CreateTaskSet',
    {
      service: { ...TEXT, required: true },
      cluster: { ...TEXT, required: true },
      taskDefinition: { ...TEXT, required: true },
      externalId: TEXT,
      networkConfiguration: NETWORK_CONFIGURATION,
      loadBalancers: list(LOAD_BALANCER),
      serviceRegistries: list(SERVICE_REGISTRY),
      launchType: LAUNCH_TYPE,
      capacityProviderStrategy: list(CAPACITY_PROVIDER_STRATEGY_ITEM),
      platformVersion: TEXT,
      scale: SCALE,
      clientToken: TEXT,
      tags: list(TAG),
    },
    (input, place) => [arnOfService(place, input.cluster, input.service)],
  ),
  UpdateTaskSet: operation(
    'UpdateTaskSet',
    {
      cluster: { ...TEXT, required: true },
      service: { ...TEXT, required: true },
      taskSet: { ...TEXT, required: true },
      scale: { ...SCALE, required: true },
    },
    (input, place) => [arnOfTaskSet(place, input.cluster, input.service, input.taskSet)],
  ),
  DeleteTaskSet: operation(
    'DeleteTaskSet',
    {
      cluster: { ...TEXT, required: true },
      service: { ...TEXT, required: true },
      taskSet: { ...TEXT, required: true },
      force: FLAG,
    },
    (input, place) => [arnOfTaskSet(place, input.cluster, input.service, input.taskSet)],
  ),
  DescribeTaskSets: operation(
    'DescribeTaskSets',
    {
      cluster: { ...TEXT, required: true },
      service: { ...TEXT, required: true },
      taskSets: list(TEXT),
      include: list(TASK_SET_FIELD),
    },
    (input, place) => arnsOf(input.taskSets ?? [], (set) => arnOfTaskSet(place, input.cluster, input.service, set)),
  ),
  UpdateServicePrimaryTaskSet: operation(
    'UpdateServicePrimaryTaskSet',
    {
      cluster: { ...TEXT, required: true },
      service: { ...TEXT, required: true },
      primaryTaskSet: { ...TEXT, required: true },
    },
    (input, place) => [arnOfService(place, input.cluster, input.service)],
  ),
};
