import { operation } from './operation.ts';
import { arnOfTaskDefinition, arnsOf } from './resources.ts';
import { FLAG, list, TEXT, WHOLE } from './shapes/basic.ts';
import { CONTAINER_DEFINITION } from './shapes/container.ts';
import {
  COMPATIBILITY,
  IPC_MODE,
  NETWORK_MODE,
  PID_MODE,
  SORT_ORDER,
  TASK_DEFINITION_FAMILY_STATUS,
  TASK_DEFINITION_FIELD,
  TASK_DEFINITION_STATUS,
} from './shapes/enums.ts';
import { TAG } from './shapes/tag.ts';
import {
  EPHEMERAL_STORAGE,
  INFERENCE_ACCELERATOR,
  PROXY_CONFIGURATION,
  RUNTIME_PLATFORM,
  TASK_DEFINITION_PLACEMENT_CONSTRAINT,
} from './shapes/task-definition.ts';
import { VOLUME } from './shapes/volume.ts';

export const taskDefinitionOperations = {
  RegisterTaskDefinition: operation(
    'RegisterTaskDefinition',
    {
      family: { ...TEXT, required: true },
      containerDefinitions: { ...list(CONTAINER_DEFINITION), required: true },
      taskRoleArn: TEXT,
      executionRoleArn: TEXT,
      networkMode: NETWORK_MODE,
      volumes: list(VOLUME),
      placementConstraints: list(TASK_DEFINITION_PLACEMENT_CONSTRAINT),
      requiresCompatibilities: list(COMPATIBILITY),
      cpu: TEXT,
      memory: TEXT,
      tags: list(TAG),
      pidMode: PID_MODE,
      ipcMode: IPC_MODE,
      proxyConfiguration: PROXY_CONFIGURATION,
      inferenceAccelerators: list(INFERENCE_ACCELERATOR),
      ephemeralStorage: EPHEMERAL_STORAGE,
      runtimePlatform: RUNTIME_PLATFORM,
      enableFaultInjection: FLAG,
    },
    (input, place) => [arnOfTaskDefinition(place, input.family)],
  ),
  DescribeTaskDefinition: operation('DescribeTaskDefinition', {
    taskDefinition: { ...TEXT, required: true },
    include: list(TASK_DEFINITION_FIELD),
  }),
  ListTaskDefinitions: operation('ListTaskDefinitions', {
    familyPrefix: TEXT,
    status: TASK_DEFINITION_STATUS,
    sort: SORT_ORDER,
    nextToken: TEXT,
    maxResults: WHOLE,
  }),
  ListTaskDefinitionFamilies: operation('ListTaskDefinitionFamilies', {
    familyPrefix: TEXT,
    status: TASK_DEFINITION_FAMILY_STATUS,
    nextToken: TEXT,
    maxResults: WHOLE,
  }),
  DeregisterTaskDefinition: operation('DeregisterTaskDefinition', {
    taskDefinition: { ...TEXT, required: true },
  }),
  DeleteTaskDefinitions: operation(
    'DeleteTaskDefinitions',
    {
      taskDefinitions: { ...list(TEXT), required: true },
    },
    (input, place) => arnsOf(input.taskDefinitions, (name) => arnOfTaskDefinition(place, name)),
  ),
};
