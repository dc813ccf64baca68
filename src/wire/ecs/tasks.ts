import { operation } from './operation.ts';
import { arnOfTask, arnOfTaskDefinition, arnsOf } from './resources.ts';
import { FLAG, list, TEXT, WHOLE } from './shapes/basic.ts';
import { CAPACITY_PROVIDER_STRATEGY_ITEM } from './shapes/cluster.ts';
import { DESIRED_STATUS, LAUNCH_TYPE, PROPAGATE_TAGS, TASK_FIELD } from './shapes/enums.ts';
import { TAG } from './shapes/tag.ts';
import { NETWORK_CONFIGURATION, PLACEMENT_CONSTRAINT, PLACEMENT_STRATEGY, TASK_OVERRIDE } from './shapes/task.ts';
import { TASK_VOLUME_CONFIGURATION } from './shapes/volume.ts';

export const taskOperations = {
  RunTask: operation(
    'RunTask',
    {
      taskDefinition: { ...TEXT, required: true },
      capacityProviderStrategy: list(CAPACITY_PROVIDER_STRATEGY_ITEM),
      cluster: TEXT,
      count: WHOLE,
      enableECSManagedTags: FLAG,
      enableExecuteCommand: FLAG,
      group: TEXT,
      launchType: LAUNCH_TYPE,
      networkConfiguration: NETWORK_CONFIGURATION,
      overrides: TASK_OVERRIDE,
      placementConstraints: list(PLACEMENT_CONSTRAINT),
      placementStrategy: list(PLACEMENT_STRATEGY),
      platformVersion: TEXT,
      propagateTags: PROPAGATE_TAGS,
      referenceId: TEXT,
      startedBy: TEXT,
      tags: list(TAG),
      clientToken: TEXT,
      volumeConfigurations: list(TASK_VOLUME_CONFIGURATION),
    },
    (input, place) => [arnOfTaskDefinition(place, input.taskDefinition)],
  ),
  StartTask: operation(
    'StartTask',
    {
      containerInstances: { ...list(TEXT), required: true },
      taskDefinition: { ...TEXT, required: true },
      cluster: TEXT,
      enableECSManagedTags: FLAG,
      enableExecuteCommand: FLAG,
      group: TEXT,
      networkConfiguration: NETWORK_CONFIGURATION,
      overrides: TASK_OVERRIDE,
      propagateTags: PROPAGATE_TAGS,
      referenceId: TEXT,
      startedBy: TEXT,
      tags: list(TAG),
      volumeConfigurations: list(TASK_VOLUME_CONFIGURATION),
    },
    (input, place) => [arnOfTaskDefinition(place, input.taskDefinition)],
  ),
  StopTask: operation(
    'StopTask',
    {
      task: { ...TEXT, required: true },
      cluster: TEXT,
      reason: TEXT,
    },
    (input, place) => [arnOfTask(place, input.cluster, input.task)],
  ),
  DescribeTasks: operation(
    'DescribeTasks',
    {
      tasks: { ...list(TEXT), required: true },
      cluster: TEXT,
      include: list(TASK_FIELD),
    },
    (input, place) => arnsOf(input.tasks, (task) => arnOfTask(place, input.cluster, task)),
  ),
  ListTasks: operation('ListTasks', {
    cluster: TEXT,
    containerInstance: TEXT,
    family: TEXT,
    nextToken: TEXT,
    maxResults: WHOLE,
    startedBy: TEXT,
    serviceName: TEXT,
    desiredStatus: DESIRED_STATUS,
    launchType: LAUNCH_TYPE,
    daemonName: TEXT,
  }),
  GetTaskProtection: operation(
    'GetTaskProtection',
    {
      cluster: { ...TEXT, required: true },
      tasks: list(TEXT),
    },
    (input, place) => arnsOf(input.tasks ?? [], (task) => arnOfTask(place, input.cluster, task)),
  ),
  UpdateTaskProtection: operation(
    'UpdateTaskProtection',
    {
      cluster: { ...TEXT, required: true },
      tasks: { ...list(TEXT), required: true },
      protectionEnabled: { ...FLAG, required: true },
      expiresInMinutes: WHOLE,
    },
    (input, place) => arnsOf(input.tasks, (task) => arnOfTask(place, input.cluster, task)),
  ),
};
